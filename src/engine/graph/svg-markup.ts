/** A part of a document: escaped already, so that it cannot be taken for text. */
export interface Markup {
  readonly markup: string;
}

/** Text as a part of a document. It must have no characters that XML forbids: see `oneLine`. */
export function text(content: string): Markup {
  return { markup: content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;') };
}

/** An element with its attributes (those that are undefined are left out) and what is in it. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | number | undefined>>,
  ...content: readonly (Markup | readonly Markup[])[]
): Markup {
  const list = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${text(String(value)).markup.replaceAll('"', '&quot;')}"`)
    .join('');
  const inside = content
    .flat()
    .map(({ markup }) => markup)
    .join('');
  return { markup: inside === '' ? `<${name}${list}/>` : `<${name}${list}>${inside}</${name}>` };
}
