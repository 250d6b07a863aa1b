/** What is put in place of the image's name in an engine's words. */
export const imagePlaceholder = '{image}';
