'use strict';

module.exports = function whole(value) {
    return `whole ${value}`;
};

module.exports.half = (value) => `half ${value}`;
