import { z } from 'zod';
import { label } from './computer.js';
import { imagePlaceholder } from './image-placeholder.js';
import { jobPath, text } from './job-text.js';

/** The three kinds of codes: on a computer already, sent along with each job, inside a container's image. */
export type CodeKind = 'installed' | 'portable' | 'containerized';

/** A code as users write it. Its kind shows in its keys: a `folder` makes it portable, an `image` containerized. */
export const codeSchema = z
  .strictObject({
    label,
    /** Label of its computer; a portable code has none. */
    computer: label.optional(),
    description: text.default(''),
    /** Installed: an absolute path. Portable: a path in the folder. Containerized: as the image knows it. */
    executable: text.min(1),
    /** A folder here, all of which is sent with each job. */
    folder: text.min(1).optional(),
    image: text.min(1).optional(),
    /** The words that run something in the image, `{image}` among them. */
    engine: z.array(text.min(1)).optional(),
    prepend: text.default(''),
    append: text.default(''),
    /** Does it run under MPI? Undecided: its job and the number of tasks say so. */
    mpi: z.boolean().optional(),
    /** Give executable and arguments to the engine as one word, to be read by a shell in the container. */
    wrapParameters: z.boolean().default(false),
    /** Write words in double quotes, so that the shell fills in variables. Default: nothing is filled in. */
    doubleQuotes: z.boolean().default(false),
  })
  .superRefine(expectKind, { when: () => true });

/** A checked code, as the store keeps it. */
export type CodeConfig = z.output<typeof codeSchema>;

export function kindOf({ folder, image, engine }: Pick<CodeConfig, 'folder' | 'image' | 'engine'>): CodeKind {
  if (folder !== undefined) return 'portable';
  return image === undefined && engine === undefined ? 'installed' : 'containerized';
}

/** `pw@daint`, or `pw` for one that belongs to no computer. */
export function fullLabel({ label, computer }: Pick<CodeConfig, 'label' | 'computer'>): string {
  return computer === undefined ? label : `${label}@${computer}`;
}

/** What each kind must have and must not have. Told beside all else that is wrong, so values may be of any type. */
function expectKind(code: CodeConfig, context: z.RefinementCtx): void {
  if (typeof code !== 'object' || code === null) return;
  const wrong = (key: keyof CodeConfig, message: string) => {
    if (!context.issues.some((issue) => issue.path?.[0] === key)) {
      context.addIssue({ code: 'custom', path: [key], message });
    }
  };
  const kind = kindOf(code);
  if (kind === 'portable') {
    for (const key of ['computer', 'image', 'engine'] as const) {
      if (code[key] !== undefined) wrong(key, 'cannot be given with a folder, which is sent to any computer');
    }
    const inside = jobPath.safeParse(code.executable);
    if (code.executable !== undefined && !inside.success) wrong('executable', 'must be a relative path in the folder');
  } else if (code.computer === undefined) {
    wrong('computer', 'is missing: only a code with a folder belongs to none');
  }
  if (kind === 'containerized') {
    if (code.image === undefined) wrong('image', 'is missing: there is an engine');
    if (code.engine === undefined) wrong('engine', 'is missing: the words that run something in the image');
    else if (Array.isArray(code.engine) && !code.engine.some((word) => String(word).includes(imagePlaceholder))) {
      wrong('engine', `must have ${imagePlaceholder} in one of its words`);
    }
  }
  if (kind === 'installed' && typeof code.executable === 'string' && !/^\/.*[^/]$/s.test(code.executable)) {
    wrong('executable', 'must be an absolute path on the computer');
  }
  if (kind !== 'containerized' && code.wrapParameters === true) {
    wrong('wrapParameters', 'is for containers: there is no engine that would take one word');
  }
}
