/** Milliseconds that workers have to end before they are killed, unless somebody says otherwise. */
export const stopTimeout = 20_000;
