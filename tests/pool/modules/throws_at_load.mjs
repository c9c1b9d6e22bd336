await null;
throw new TypeError('not today either');
