'use strict';

exports.inc = (n) => n + 1;
exports.incLater = async (n) => n + 1;
exports.none = () => {};
