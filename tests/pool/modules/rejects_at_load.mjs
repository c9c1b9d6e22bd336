export const f = await Promise.reject('plain text');
