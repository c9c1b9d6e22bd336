// A module that is never loaded.

await new Promise((resolve) => setInterval(resolve.bind, 1e6));

export const echo = (value) => value;
