'use strict';

module.exports = (n) => n * 3;
module.exports.other = () => 'other';
