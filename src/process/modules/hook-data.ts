/** What the thread of the hooks is told at its beginning. */
export interface HookData {
  /** The URL of each entry of this package, by the name that it is imported by. */
  readonly own: Readonly<Record<string, string>>;
  /** Are types stripped by the hooks? Later versions of Node do it themselves. */
  readonly stripsTypes: boolean;
}

/** Begins the URL of a package that is to be found from a folder: `wherry-package:NAME?from=URL`. */
export const packageScheme = 'wherry-package:';
