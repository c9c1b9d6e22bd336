export const echo = (value) => value;
throw new TypeError('this module does not load');
