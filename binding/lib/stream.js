// What a task sends while it runs, as an async iterator. A value counts as taken
// when the program asks for it, so a task that is faster than its reader waits.

'use strict';

class TaskStream {
    #pool;
    #values = []; // { value, bytes }
    #readers = []; // Of next(), that wait.
    #end; // { value } or { error }, once the task has ended.
    #options;

    constructor(pool, options) {
        this.#pool = pool;
        this.#options = options;
    }

    // The promise of the task's result.
    follow(result) {
        result.then((value) => this.#finish({ value }),
            (error) => this.#finish({ error }));
    }

    receive(value, bytes) {
        const reader = this.#readers.shift();
        if (reader === undefined) {
            this.#values.push({ value, bytes });
            return;
        }
        this.#pool.taken(this.task, bytes);
        reader.resolve({ value, done: false });
    }

    #finish(end) {
        if (this.#end !== undefined) {
            return; // return() has.
        }
        this.#end = end;
        for (const reader of this.#readers.splice(0)) {
            this.#deliverEnd(reader);
        }
    }

    // An error is told once, as the end of a generator.
    #deliverEnd(reader) {
        const { value, error } = this.#end;
        const failed = 'error' in this.#end;
        this.#end = { value: undefined };
        if (failed) {
            reader.reject(error);
        } else {
            reader.resolve({ value, done: true });
        }
    }

    next() {
        return new Promise((resolve, reject) => {
            const first = this.#values.shift();
            if (first !== undefined) {
                this.#pool.taken(this.task, first.bytes);
                resolve({ value: first.value, done: false });
            } else if (this.#end !== undefined) {
                this.#deliverEnd({ resolve, reject });
            } else {
                this.#readers.push({ resolve, reject });
            }
        });
    }

    // The reader wants no more: the generator is asked to end.
    async return(value) {
        if (this.#end === undefined) {
            this.#pool.cancelTask(this.task, this.#options);
            this.task.abandon(undefined);
        }
        for (const { bytes } of this.#values.splice(0)) {
            this.#pool.taken(this.task, bytes);
        }
        this.#end = { value: undefined };
        for (const reader of this.#readers.splice(0)) {
            reader.resolve({ value: undefined, done: true });
        }
        return { value, done: true };
    }

    async throw(error) {
        await this.return();
        throw error;
    }

    [Symbol.asyncIterator]() {
        return this;
    }
}

module.exports = { TaskStream };
