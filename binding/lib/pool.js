// Pool: a pool of C, from JavaScript.

'use strict';

const { EventEmitter } = require('events');

const channels = require('./channels.js');
const { PoolError, asPoolError } = require('./errors.js');
const { addPool, addTask, defined: numberOf, native, removePool, takeTask,
    tasks } = require('./native.js');
const { FOREVER, HOW, checkPool, checkTask, checkWorkers, invalid, moduleOf,
    specOf } = require('./options.js');
const { onAbort } = require('./signals.js');
const { TaskStream } = require('./stream.js');
const { Task, errorOf } = require('./task.js');
const { bufferOf, partsOf, unwrap } = require('./transfer.js');

// As NW_POOL_DESTROY_TIMEOUT_MS and NW_POOL_TEAR_DOWN_DEFAULT_MS.
const DESTROY_TIMEOUT_MS = 5000;
const TEAR_DOWN_MS = 1000;

const closedError = () => new PoolError('the pool is closed', 'NW_ECLOSED');

class Pool extends EventEmitter {
    #options;
    #handle;
    #number;
    #outstanding = 0;
    #waiting = []; // For room: { task, submit, timer }
    #state = 'open'; // then 'closing', 'ending', 'closed'
    #ending; // The promise of close() and destroy().
    #idle; // Called when nothing is outstanding.
    #gone; // Called when a worker has exited.
    #hasAdded = false; // Tasks that are to be submitted at the end of this turn.
    #isPlain; // Tasks without options have none of the pool either.
    #awaiting = new Set(); // What ends an #await().

    constructor(options) {
        super();
        this.#options = checkPool(options);
        this.#isPlain = this.#options.context === undefined &&
            !this.#options.wait;
        this.#number = addPool(this);
        try {
            this.#handle = native.createPool({
                ...this.#options,
                number: this.#number,
            });
        } catch (error) {
            removePool(this.#number);
            throw asPoolError(error);
        }
    }

    // -- tasks

    // One argument.
    run(name, argument, options) {
        if (options !== undefined || !this.#isPlain ||
            partsOf(argument) !== undefined || channels.isWatched()) {
            return this.apply(name, [argument], options);
        }
        return new Promise((resolve) =>
            this.#add(this.#makeTask(resolve), name, argument));
    }

    // A task without options is encoded now and submitted with all others of this
    // turn, for one lock and one wake.
    #add(task, name, argument) {
        task.slot = addTask(task);
        try {
            this.#check();
            if (native.add(this.#handle, numberOf(name), task.slot, argument)) {
                this.#flush();
            } else if (!this.#hasAdded) {
                this.#hasAdded = true;
                queueMicrotask(this.#flushSoon);
            }
        } catch (error) {
            this.#refuse(task, error);
        }
    }

    #flush() {
        this.#hasAdded = false;
        const refused = native.flush(this.#handle);
        for (let i = 0; i < refused?.length; i += 3) {
            this.#refuse(tasks[refused[i]],
                new PoolError(refused[i + 2], refused[i + 1]));
        }
    }

    #flushSoon = () => {
        if (this.#hasAdded) {
            this.#flush();
        }
    };

    // Whoever submits otherwise, or looks, comes after those.
    #flushFirst() {
        if (this.#hasAdded) {
            this.#flush();
        }
    }

    // Any number of them.
    apply(name, args = [], options = undefined) {
        return new Promise((resolve) => {
            const checked = options === undefined ? undefined :
                checkTask(options);
            const task = this.#makeTask(resolve);
            task.onMessage = checked?.onMessage;
            this.#submit(task, name, args, checked);
        });
    }

    // What an async generator yields there, one by one.
    stream(name, argument, options) {
        return this.streamApply(name, [argument], options);
    }

    streamApply(name, args = [], options = undefined) {
        const checked = options === undefined ? {} : checkTask(options);
        const stream = new TaskStream(this, checked);
        const result = new Promise((resolve) => {
            const task = this.#makeTask(resolve);
            task.stream = stream;
            stream.task = task;
            this.#submit(task, name, args, checked);
        });
        stream.follow(result);
        return stream;
    }

    // On each worker there is, spares included; all of their results.
    runOnEach(name, argument) {
        return new Promise((resolve) => {
            const task = this.#makeTask(resolve);
            this.#flushFirst();
            task.slot = addTask(task);
            try {
                this.#check();
                task.expected = native.submitEach(this.#handle, numberOf(name),
                    task.slot, undefined, undefined,
                    ...this.#withContext([argument]));
            } catch (error) {
                this.#refuse(task, error);
                return;
            }
            collect(task);
        });
    }

    async map(name, items, options = {}) {
        this.#check();
        const { concurrency = this.#mapConcurrency(), settle = 'all',
            ...others } = options;
        if (!Number.isInteger(concurrency) || concurrency < 1) {
            throw invalid(`concurrency is ${String(concurrency)}; it is a ` +
                'whole number from 1');
        }
        if (settle !== 'all' && settle !== 'allSettled') {
            throw invalid('settle is "all" or "allSettled"');
        }
        return mapWith(items, concurrency, settle === 'allSettled', (item) =>
            this.apply(name, [item],
                Object.keys(others).length > 0 ? others : undefined));
    }

    #mapConcurrency() {
        const { maxWorkers = this.stats().workers || 1, concurrency = 1 } =
            this.#options;
        return 2 * maxWorkers * concurrency;
    }

    #makeTask(resolve) {
        this.#outstanding++;
        return new Task(this, resolve);
    }

    #check() {
        if (this.#state !== 'open') {
            throw closedError();
        }
    }

    #withContext(args) {
        const { context } = this.#options;
        return context === undefined ? args : [context.getStore(), ...args];
    }

    #submit(task, name, args, options) {
        const transfer = options?.transfer?.map(bufferOf) ?? [];
        const values = this.#withContext(unwrap(args, transfer));
        const { signal } = options ?? {};
        const spec = options && specOf(options,
            task.stream !== undefined || task.onMessage !== undefined);
        if (signal?.aborted) {
            task.failWith(signal.reason);
            return;
        }
        this.#start(task, name, () => native.submit(this.#handle,
            numberOf(name), task.slot,
            transfer.length > 0 ? transfer : undefined, spec, ...values),
        options);
        if (signal !== undefined && !task.isSettled) {
            this.#listen(task, signal, options);
        }
    }

    #listen(task, signal, options) {
        task.cleanUp = onAbort(signal, () => {
            task.abandon(signal.reason);
            this.cancelTask(task, options);
        });
    }

    // Submits a task, now or when there is room.
    #start(task, name, submit, options) {
        this.#flushFirst();
        task.slot = addTask(task);
        if (channels.isWatched()) {
            channels.begin(task, { pool: this, name, task: undefined });
        }
        try {
            this.#check();
            task.id = submit();
        } catch (error) {
            if (task.trace !== undefined) {
                channels.submitted(task);
            }
            this.#refuse(task, error);
            return;
        }
        if (task.trace !== undefined) {
            task.trace.task = task.id;
            channels.submitted(task);
        }
        if (task.id === 0) {
            this.#waitForRoom(task, submit, options);
        }
    }

    #waitForRoom(task, submit, options) {
        const wait = options?.wait ?? this.#options.wait ?? false;
        if (wait === false || wait === 0) {
            this.#refuse(task, new PoolError('the pool is full: as many ' +
                'tasks as queueMax, or bytes as queueBytesMax, are accepted ' +
                'and not over; the option "wait" waits for room',
            'NW_EFULL'));
            return;
        }
        const entry = { task, submit, timer: undefined };
        if (wait !== true && wait !== FOREVER) {
            entry.timer = setTimeout(() => {
                this.#waiting.splice(this.#waiting.indexOf(entry), 1);
                this.#refuse(task, new PoolError(
                    `the pool had no room for ${wait} ms`, 'NW_EFULL'));
            }, wait);
        }
        this.#waiting.push(entry);
    }

    #useRoom() {
        while (this.#waiting.length > 0) {
            const { task, submit, timer } = this.#waiting[0];
            let failure;
            try {
                task.id = submit();
            } catch (error) {
                failure = { error };
            }
            if (failure === undefined && task.id === 0) {
                return;
            }
            clearTimeout(timer);
            this.#waiting.shift();
            // It asks for room again.
            if (failure !== undefined) {
                this.#refuse(task, failure.error);
            }
        }
    }

    #refuse(task, error) {
        takeTask(task.slot);
        task.failWith(asPoolError(error));
    }

    #call(name, ...args) {
        try {
            return native[name](this.#handle, ...args);
        } catch (error) {
            throw asPoolError(error);
        }
    }

    // -- what tasks call

    over() {
        this.#outstanding--;
        if (this.#waiting.length > 0) {
            this.#useRoom();
        }
        if (this.#outstanding === 0) {
            this.#idle?.();
        }
    }

    cancelTask(task, options) {
        const waiting = this.#waiting.findIndex((entry) => entry.task === task);
        if (waiting >= 0) {
            clearTimeout(this.#waiting[waiting].timer);
            this.#waiting.splice(waiting, 1);
            takeTask(task.slot);
            task.end();
            return;
        }
        const how = options?.cancel ?? this.#options.cancel ?? 'ask';
        // One that ignores its signal is left alone where ending its worker
        // would end others.
        const patience = how === 'ask' && this.#options.concurrency > 1 ?
            FOREVER : 0;
        const escalation = options?.escalation ?? this.#options.escalation ??
            patience;
        if (this.#state !== 'closed') {
            native.cancel(this.#handle, task.id, HOW[how], escalation);
        }
    }

    taken(task, bytes) {
        native.taken(this.#handle, task.id, bytes);
    }

    // -- what native.js calls

    event(event) {
        const { type, errorName, errorMessage, errorStack, ...others } = event;
        if (errorMessage !== undefined) {
            others.error = new PoolError(errorMessage, 'NW_EVENT');
            others.error.stack = errorStack || `${errorName}: ${errorMessage}`;
        }
        for (const key of ['worker', 'replacement', 'task']) {
            if (others[key] === 0) {
                delete others[key];
            }
        }
        if (type !== 'workerExited') {
            delete others.exitCode;
        }
        this.emit(type, others);
        this.emit('event', { type, ...others });
    }

    output(fd, chunk, task) {
        const option = this.#options[fd === 1 ? 'stdout' : 'stderr'];
        if (this.listenerCount('output') > 0) {
            this.emit('output', { fd, chunk, task: task || undefined });
        }
        if (option === undefined) {
            (fd === 1 ? process.stdout : process.stderr).write(chunk);
        } else if (option !== false && option !== 'ignore') {
            option.write(chunk);
        }
    }

    exited() {
        this.#gone?.();
    }

    workerOptions() {
        const { argv, context, env, execArgv, name, trackUnmanagedFds,
            workerData } = this.#options;
        return {
            argv,
            execArgv,
            name,
            env,
            keepUnmanagedFds: trackUnmanagedFds === false,
            data: workerData,
            tellsTasks: false,
            setup: { hasContext: context !== undefined },
        };
    }

    // -- the pool itself

    // Resolves when so many workers are ready; by default all that it has without
    // a load.
    async ready(workers = 0) {
        this.#check();
        const wanted = this.#call('warmUp', checkWorkers(workers, 'workers'));
        await this.#await(() => {
            const stats = this.stats();
            if (stats === undefined) {
                throw closedError();
            }
            if (stats.hasFailed) {
                throw new PoolError('the pool has failed: its workers cannot ' +
                    'start', 'NW_EFAILED');
            }
            return stats.workers + stats.spares >= wanted;
        });
    }

    // Asks `look` now and after each event, until it is true or throws; keeps the
    // program running meanwhile.
    #await(look) {
        return new Promise((resolve, reject) => {
            const timer = setInterval(() => {}, 2 ** 30);
            const stop = () => {
                clearInterval(timer);
                this.off('event', step);
                this.#awaiting.delete(fail);
            };
            const fail = (error) => {
                stop();
                reject(error);
            };
            const step = (event) => {
                try {
                    if (look(event)) {
                        stop();
                        resolve();
                    }
                } catch (error) {
                    fail(error);
                }
            };
            this.#awaiting.add(fail);
            this.on('event', step);
            step();
        });
    }

    stats() {
        this.#flushFirst();
        return this.#state === 'closed' ? undefined : native.stats(this.#handle);
    }

    // The tasks that are not over, at most 1,024 of them.
    tasks() {
        this.#flushFirst();
        return this.#state === 'closed' ? [] : native.list(this.#handle);
    }

    get maxWorkers() {
        return this.#options.maxWorkers;
    }

    get isClosed() {
        return this.#state !== 'open';
    }

    // Loads the module anew, or another one, into fresh workers.
    async reload(module = undefined) {
        this.#check();
        this.#call('reload',
            module === undefined ? undefined : moduleOf(module));
        await this.#await((event) => {
            if (['reloadFailed', 'failed'].includes(event?.type)) {
                throw event.error;
            }
            return event?.type === 'reloaded';
        });
    }

    // Finishes what was accepted, refuses everything else, then ends the workers.
    close() {
        return this.#ending ??= this.#end(true);
    }

    // Ends now: tasks that are not over fail with NW_ECANCELED.
    destroy() {
        if (this.#state === 'closing') {
            this.#idle?.();
        }
        return this.#ending ??= this.#end(false);
    }

    [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
        return this.close();
    }

    async #end(orderly) {
        this.#flushFirst();
        this.#state = 'closing';
        if (orderly && this.#outstanding > 0) {
            await new Promise((resolve) => {
                this.#idle = resolve;
            });
        }
        this.#idle = undefined;
        this.#state = 'ending';
        for (const { task, timer } of this.#waiting.splice(0)) {
            clearTimeout(timer);
            this.#refuse(task, closedError());
        }
        native.close(this.#handle);
        const told = native.destroyBegin(this.#handle);
        if (told > 0) {
            await this.#until(() => native.destroyTold(this.#handle) === 0,
                this.#options.tearDownTimeout ?? TEAR_DOWN_MS);
        }
        native.destroyTasks(this.#handle);
        await this.#until(() => native.destroyLeft(this.#handle) === 0,
            DESTROY_TIMEOUT_MS);
        // Not from inside of a delivery.
        await new Promise((resolve) => setImmediate(resolve));
        this.#state = 'closed';
        try {
            this.#call('destroyEnd');
        } finally {
            removePool(this.#number);
            for (const fail of this.#awaiting) {
                fail(closedError());
            }
        }
    }

    // False: not in time.
    #until(condition, ms) {
        return new Promise((resolve) => {
            const timer = setTimeout(() => finish(false), Math.min(ms, 2 ** 31 - 1));
            const finish = (result) => {
                clearTimeout(timer);
                this.#gone = undefined;
                resolve(result);
            };
            this.#gone = () => {
                if (condition()) {
                    finish(true);
                }
            };
            this.#gone();
        });
    }
}

// A task with several results: the array of them, or the first error, when all
// are there.
function collect(task) {
    const results = [];
    let left = task.expected;
    let failure;
    const step = () => {
        if (--left > 0) {
            return;
        }
        if (failure !== undefined) {
            task.failWith(errorOf(failure));
        } else {
            Task.prototype.succeed.call(task, results);
        }
    };
    task.succeed = (value) => {
        results.push(value);
        step();
    };
    task.fail = (code, exitCode, worker, crashes, id, record, text) => {
        failure ??= { code, exitCode, worker, crashes, id, record, text };
        step();
    };
    if (left === 0) {
        takeTask(task.slot);
        left = 1;
        step();
    }
}

async function mapWith(items, concurrency, allSettled, action) {
    const results = [];
    const iterator = items[Symbol.asyncIterator]?.() ??
        items[Symbol.iterator]();
    let index = 0;
    let isOver = false;

    async function worker() {
        while (!isOver) {
            const at = index++;
            const step = await iterator.next();
            if (step.done) {
                isOver = true;
                return;
            }
            try {
                const value = await action(step.value);
                results[at] = allSettled ?
                    { status: 'fulfilled', value } : value;
            } catch (reason) {
                if (!allSettled) {
                    isOver = true;
                    await iterator.return?.();
                    throw reason;
                }
                results[at] = { status: 'rejected', reason };
            }
        }
    }
    await Promise.all(Array.from({ length: concurrency }, worker));
    return results;
}

module.exports = { Pool };
