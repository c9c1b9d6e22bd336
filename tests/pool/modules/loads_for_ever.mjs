// Never loaded to its end.

await new Promise(() => {});
export const inc = (n) => n + 1;
