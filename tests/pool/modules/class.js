'use strict';

exports.Thing = class Thing {};
exports.bound = Math.max;
Object.defineProperty(exports, 'lazy', {
    enumerable: true,
    get() {
        throw new Error('the lazy export is broken');
    },
});
