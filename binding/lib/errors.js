// What a promise of a pool is rejected with.

'use strict';

const path = require('path');

// What went wrong with a task that is not an error of its own: `code` is
// NW_ECRASHED, NW_ETIMEDOUT and so on (README, "Errors").
class PoolError extends Error {
    constructor(message, code, details) {
        super(message);
        this.code = code;
        Object.assign(this, details);
    }
}

Object.defineProperty(PoolError.prototype, 'name',
    { value: 'PoolError', configurable: true, writable: true });

const home = __dirname + path.sep;
const internal = /^ +at (?:async )?(?:new Promise|Promise\.|.*\(?\bnode:[a-z_]|.*\bnwpool:)/;

// The frames of a stack without its first line, ours, and those of Node.js.
function framesOf(stack) {
    return String(stack).split('\n').filter((line) => /^ +at /.test(line) &&
        !line.includes(home) && !internal.test(line));
}

function isErrorLike(value) {
    return typeof value === 'object' && value !== null &&
        typeof value.stack === 'string';
}

// Adds where a task came from. An error is changed in place: it is the caller's
// alone, as it was made here.
function addFrames(error, frames) {
    if (frames.length === 0 || !isErrorLike(error)) {
        return error;
    }
    const own = error.stack.trimEnd();
    const stack = `${own}\n    ... submitted\n${frames.join('\n')}`;
    try {
        Object.defineProperty(error, 'stack',
            { value: stack, writable: true, configurable: true });
    } catch {
        return error; // Frozen.
    }
    return error;
}

module.exports = { PoolError, addFrames, framesOf };
