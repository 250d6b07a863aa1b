import { z } from '../../src/plugin.js';

/** A host, user or jump that ends up as a word of a command line: must not look like an option or hold blanks. */
const word = (what: string) =>
  z
    .string()
    .min(1)
    .refine((text) => !text.startsWith('-'), { error: `${what} must not start with "-"` })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
    .refine((text) => !/[\s\x00-\x1f\x7f'"`$\\;&<>|(){}]/.test(text), {
      error: `${what} has a character that no ${what} has`,
    });

const file = z
  .string()
  .min(1)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  .refine((text) => !/[\x00-\x1f\x7f]/.test(text), { error: 'a file name with control characters cannot be used' });

/** What a computer with `transport: ssh` says under `connection`. Everything but `host` may come from OpenSSH's config. */
export const SshSettings = z.strictObject({
  /** Name or address, or a Host of the OpenSSH client configuration. */
  host: word('host'),
  port: z.int().min(1).max(65_535).optional(),
  user: word('user').optional(),
  /** Private keys to log in with, instead of those of the OpenSSH configuration. */
  identityFile: z.union([file, z.array(file)]).optional(),
  /** For `goto` only: ssh2 cannot log in with certificates. */
  certificateFile: z.union([file, z.array(file)]).optional(),
  knownHostsFile: z.union([file, z.array(file)]).optional(),
  /** `[user@]host[:port]`, several with commas between: the first is visited first. `none` for no jump. */
  proxyJump: word('proxyJump').optional(),
  /** Offer only the identity files, not the other keys of the agent. */
  identitiesOnly: z.boolean().optional(),
  /** An OpenSSH client configuration to read instead of `~/.ssh/config`. */
  configFile: file.optional(),
  /** Socket of the ssh-agent, or `none`. */
  agent: file.optional(),
  /** Run commands in the environment of a login by bash. Default false. */
  loginShell: z.boolean().optional(),
  /** A file whose first line is the passphrase of the identity files. */
  passphraseFile: file.optional(),
  /** An environment variable that holds the passphrase of the identity files. */
  passphraseEnvironment: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
    .optional(),
  /** Seconds between signs of life; a peer that leaves three unanswered is lost. Default 15. */
  keepAliveInterval: z.number().min(0.05).max(3_600).optional(),
});

export type SshSettings = z.infer<typeof SshSettings>;

/** The values of a setting that may be one or several. */
export function listOf(value: string | readonly string[] | undefined): readonly string[] | undefined {
  return typeof value === 'string' ? [value] : value;
}
