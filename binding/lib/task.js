// One call of a function, on the caller's side: an AsyncResource, the promise that
// it settles, and the way back to the caller's stack.

'use strict';

const { AsyncResource } = require('async_hooks');

const channels = require('./channels.js');
const { PoolError, addFrames, framesOf } = require('./errors.js');

const resourceOptions = { requireManualDestroy: true };

// A stack costs more than a small task. It is taken while so few are on their way
// that it does not matter; otherwise those frames are had that await the result.
const STACKS_BELOW = 4;

let inFlight = 0;

function captureFrames() {
    const holder = {};
    Error.captureStackTrace(holder);
    return holder;
}

// Rejects a promise with an error to which the frames that await it are added: V8
// knows those where an Error is made in a continuation that leads there.
async function rejectLater(error, known) {
    await undefined;
    await undefined;
    await undefined;
    const frames = framesOf(new Error().stack);
    throw addFrames(error, known.length > 0 ? known : frames);
}

class Task extends AsyncResource {
    pool;
    resolve;
    slot; // By which C knows it.
    expected = 1; // Results that come for it.
    id = 0; // 0: it is not accepted (yet).
    isSettled = false; // Its promise; C may still have it.
    origin; // Holder of the stack of who submitted it.
    cleanUp; // Called once it has ended.
    onMessage; // Or `stream`: where goes what it sends.
    stream;
    trace; // For diagnostics_channel.

    constructor(pool, resolve) {
        super('NWPOOL_TASK', resourceOptions);
        this.pool = pool;
        this.resolve = resolve;
        inFlight++;
        if (inFlight < STACKS_BELOW) {
            this.origin = captureFrames();
        }
    }

    // -- its end in C

    succeed(value) {
        this.end();
        this.#settle(value, false);
    }

    fail(code, exitCode, worker, crashes, id, record, text) {
        this.failWith(errorOf({ code, exitCode, worker, crashes, id, record,
            text }));
    }

    // `error` may be anything that can be thrown.
    failWith(error) {
        this.end();
        this.#reject(error);
    }

    end() {
        inFlight--;
        this.cleanUp?.();
        this.pool.over();
    }

    // -- its promise

    // Nobody waits for it any more.
    abandon(reason) {
        this.#reject(reason);
    }

    #reject(error) {
        if (!this.isSettled) {
            const known = this.origin !== undefined ?
                framesOf(this.origin.stack) : [];
            if (this.trace !== undefined) {
                this.trace.error = error;
            }
            this.#settle(rejectLater(error, known), true);
        }
    }

    #settle(value, isFailure) {
        if (this.isSettled) {
            return;
        }
        this.isSettled = true;
        if (this.trace !== undefined) {
            channels.end(this, this.resolve, value, isFailure);
        } else {
            this.runInAsyncScope(this.resolve, undefined, value);
        }
        this.emitDestroy();
    }

    // -- what it sends

    receive(value, bytes) {
        if (this.stream !== undefined && !this.isSettled) {
            this.stream.receive(value, bytes);
            return;
        }
        this.pool.taken(this, bytes);
        if (this.onMessage !== undefined && !this.isSettled) {
            this.runInAsyncScope(this.onMessage, undefined, value);
        }
    }

    // A value that cannot be read here must not be missing without a word.
    miss(text, bytes) {
        this.pool.taken(this, bytes);
        if (!this.isSettled) {
            this.pool.cancelTask(this);
            this.abandon(new PoolError('a value that the task sent cannot be ' +
                `read: ${text}`, 'NW_ECLONE', { task: this.id }));
        }
    }
}

// The pool's own errors, and what the task threw.
function errorOf(failure) {
    const { code, record, text } = failure;
    if (code === 'NW_ETHROWN' && record !== undefined) {
        if (record.error !== undefined) {
            return record.error;
        }
        return 'thrown' in record ? record.thrown :
            new PoolError(record.message, code, { task: failure.id });
    }
    const details = { task: failure.id };
    if (failure.worker !== 0) {
        details.worker = failure.worker;
    }
    if (code === 'NW_ECRASHED') {
        details.exitCode = failure.exitCode;
        details.crashes = failure.crashes;
    }
    const inner = record?.error ?? record;
    const error = new PoolError(text || inner?.message || code, code, details);
    error.stack = inner?.stack || `${error.name}: ${error.message}`;
    if (inner?.cause !== undefined) {
        const { cause } = inner;
        error.cause = cause.error ?? cause;
    }
    return error;
}

module.exports = { Task, errorOf };
