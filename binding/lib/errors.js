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

// What C throws is an Error with the name of a status.
function asPoolError(error) {
    return error?.constructor === Error && error.code?.startsWith?.('NW_') ?
        new PoolError(error.message, error.code) : error;
}

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

// A stack without our own frames.
function withoutOurs(stack) {
    return stack.split('\n').filter((line) => !(/^ +at /.test(line) &&
        (line.includes(home) || line.includes('at new Promise (<anonymous>)'))))
        .join('\n').trimEnd();
}

// Adds where a task came from, unless that is where the error was made. It is
// changed in place: it is the caller's alone, as it was made here.
function addFrames(error, frames) {
    if (!isErrorLike(error)) {
        return error;
    }
    const own = withoutOurs(error.stack);
    const more = frames.join('\n');
    const stack = framesOf(own).join('\n').endsWith(more) ? own :
        `${own}\n    ... submitted\n${more}`;
    try {
        Object.defineProperty(error, 'stack',
            { value: stack, writable: true, configurable: true });
    } catch {
        return error; // Frozen.
    }
    return error;
}

module.exports = { PoolError, asPoolError, addFrames, framesOf };
