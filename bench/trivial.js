// The smallest task there is.
module.exports = { inc: (n) => n + 1 };
