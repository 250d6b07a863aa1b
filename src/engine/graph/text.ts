/**
 * Text from anywhere as one line that can be shown anywhere: what has no shape of its own, changes the direction of
 * others or is forbidden in XML becomes a visible sign, and marks that would pile up are few.
 */
export function oneLine(text: string): string {
  return text
    .slice(0, 2_000)
    .replace(/\s+/gu, ' ')
    .replace(/[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu, '\ufffd')
    .replace(/(\p{M}{3})\p{M}+/gu, '$1')
    .trim();
}

/**
 * Cuts a line so that it fits, with `…` at its end. Nobody knows the font that it will be shown in: widths are those of
 * rather wide ones.
 * @param width available, in the unit of `size`, which is the height of the letters
 */
export function cutToFit(text: string, width: number, size: number): string {
  const most = width / size;
  const characters = [...oneLine(text)];
  let used = 0;
  let kept = 0;
  for (const [index, character] of characters.entries()) {
    used += widthOf(character);
    if (used > most) return `${characters.slice(0, kept).join('').trimEnd()}…`;
    if (used + widthOf('…') <= most) kept = index + 1;
  }
  return characters.join('');
}

/** Of a character, in heights of the letters. */
function widthOf(character: string): number {
  if (/[ijl.,:;'|!]/.test(character)) return 0.33;
  if (/[fIrt()[\] -]/.test(character)) return 0.42;
  if (/[mwMW@%]/.test(character)) return 0.98;
  if (/[a-z0-9_"$*?/\\<>=+]/.test(character)) return 0.62;
  if (/\p{M}/u.test(character)) return 0;
  return /^[\u00a0-\u04ff\u2026A-Z&#~^{}`]$/.test(character) ? 0.75 : 1.1;
}
