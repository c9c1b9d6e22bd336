// What a pool's worker knows of a task beyond its function: its signal, and
// what it sends while it runs. In front of pool.js. C knows a task by its id,
// from its call until native.done() or native.fail().

const { setImmediate: afterTurn } = require('timers');

const { STATUS } = native;

// Values of one task that may wait for room in the pool.
const WAITING_MAX = 1024;

function coded(error, code) {
    error.code = code;
    return error;
}

// As Node.js itself makes them, but without a stack: it would only be ours.
function abortError(message) {
    const error = coded(new Error(message), 'ABORT_ERR');
    error.name = 'AbortError';
    error.stack = `AbortError: ${message}`;
    return error;
}

// A promise whose rejection nobody has to handle: a task that does not wait for
// what it sends shall not end the worker.
function quiet(executor) {
    const promise = new Promise(executor);
    promise.catch(() => {});
    return promise;
}

class Task {
    id;
    resource; // Its AsyncResource, once it has returned a promise.
    place; // Among those that have.
    onAbort; // Called once, if it is set by then.
    #over = false;
    #reason; // Why it sends nothing any more.
    #lost = false; // Whether values were waiting then.
    #controller;
    #face;

    // Sends that wait. The pool has taken the value of the first, and said that
    // it is full; the values of the others are kept by C, at most until the
    // task ends.
    #waiting = [];
    #onSent;

    constructor(id) {
        this.id = id;
    }

    get isOver() {
        return this.#over;
    }

    // What scripts see, the same object whenever they look. Undefined when the
    // task is over and only something that it left behind still runs.
    get face() {
        return this.#over ? undefined : this.#face ??= this.#makeFace();
    }

    #makeFace() {
        const task = this;
        return Object.freeze({
            id: task.id,
            get signal() {
                return task.#signal();
            },
            send: (value, transferList) => task.send(value, transferList),
        });
    }

    #signal() {
        if (this.#controller === undefined) {
            this.#controller = new AbortController();
            if (this.#reason !== undefined) {
                this.#controller.abort(this.#reason);
            }
        }
        return this.#controller.signal;
    }

    abort(reason) {
        if (this.#reason !== undefined || this.#over) {
            return;
        }
        this.#reason = reason;
        this.#lost = this.isSending;
        this.#endWaiting(reason);
        this.#controller?.abort(reason);
        this.onAbort?.();
    }

    check() {
        if (this.#reason !== undefined) {
            throw this.#reason;
        }
    }

    // C has its outcome.
    end() {
        this.#over = true;
        if (this.#waiting.length > 0) {
            this.#endWaiting(abortError('the task has ended'));
        }
    }

    #endWaiting(reason) {
        for (const { reject } of this.#waiting) {
            reject(reason);
        }
        this.#waiting = [];
        this.#onSent?.();
    }

    // -- sending

    // Throws what is the caller's mistake; the promise tells how the pool is.
    send(value, transferList) {
        if (this.#over) {
            throw coded(new Error('the task that sends has ended'),
                'NW_ENOENT');
        }
        let status = STATUS.OK;
        const waits = this.#waiting.length > 0;
        if (this.#reason === undefined) {
            status = this.#pass(value, transferList, waits);
        }
        if (status === STATUS.ENOENT) {
            this.abort(abortError('the task was taken away'));
        }
        if (this.#reason !== undefined) {
            return quiet((resolve, reject) => reject(this.#reason));
        }
        if (waits || status === STATUS.EFULL) {
            return quiet((resolve, reject) =>
                this.#waiting.push({ resolve, reject }));
        }
        return status === STATUS.EBUSY ? this.#nextTurn() : Promise.resolve();
    }

    #pass(value, transferList, waits) {
        if (this.#waiting.length > WAITING_MAX) {
            throw coded(new Error(`${WAITING_MAX} values wait to be sent; ` +
                'await nwpool.task.send()'), 'NW_EFULL');
        }
        if (Transfer.is(value)) {
            return native.send(this.id, ...Transfer.parts(value), waits);
        }
        const list = transferList && movable(transferList);
        return native.send(this.id, value, list, waits);
    }

    // A task that only sends would keep the event loop, and with it the news of
    // its own abort, from turning.
    #nextTurn() {
        return quiet((resolve, reject) => afterTurn(() =>
            this.#reason === undefined ? resolve() : reject(this.#reason)));
    }

    // The pool has room again.
    room() {
        this.#waiting.shift()?.resolve();
        while (this.#waiting.length > 0) {
            let status;
            try {
                status = native.resend(this.id);
            } catch (error) {
                this.#lost = true;
                this.abort(error);
                return;
            }
            if (status === STATUS.ENOENT) {
                this.abort(abortError('the task was taken away'));
                return;
            }
            if (status === STATUS.EFULL) {
                break;
            }
            this.#waiting.shift().resolve();
        }
        if (!this.isSending) {
            this.#onSent?.();
        }
    }

    // Whether some of what it sent is not with the pool: its outcome has to
    // wait for sent().
    get isSending() {
        return this.#waiting.length > 1 || this.#lost;
    }

    // Rejects when values were lost.
    async sent() {
        if (this.isSending && !this.#lost) {
            await new Promise((resolve) => {
                this.#onSent = resolve;
            });
        }
        if (this.#lost) {
            throw this.#reason;
        }
    }
}

// -- streams

// What a function returns to have it run through: an async iterator, or a
// generator or another iterator of itself.
function isStream(value) {
    return typeof value[Symbol.asyncIterator] === 'function' ||
        (typeof value.next === 'function' &&
        typeof value[Symbol.iterator] === 'function' &&
        value[Symbol.iterator]() === value);
}

// Has a generator run its `finally`. What goes wrong there is of no interest:
// the task ends for another reason.
async function closeIterator(iterator) {
    await undefined; // It may be the generator itself that runs now.
    try {
        await iterator.return?.();
    } catch {
        return;
    }
}

// Sends each item; what the iterator returns is the result. One that is aborted
// is closed at once, whatever it waits for, and has its time to end.
async function stream(task, iterable) {
    const isAsync = typeof iterable[Symbol.asyncIterator] === 'function';
    const iterator = isAsync ? iterable[Symbol.asyncIterator]() : iterable;
    let isOpen = true; // Not ended by itself.
    let closing;
    const close = () => closing ??= closeIterator(iterator);

    async function next() {
        isOpen = false;
        const step = await iterator.next();
        isOpen = !step.done;
        return step.value;
    }

    task.onAbort = close;
    try {
        for (;;) {
            const value = await next();
            task.check();
            if (!isOpen) {
                return value;
            }
            await task.send(isAsync ? value : await value);
        }
    } finally {
        task.onAbort = undefined;
        if (isOpen || closing !== undefined) {
            await close();
        }
    }
}
