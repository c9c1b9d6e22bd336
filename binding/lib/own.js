// In a worker: the pool whose worker it is. A task that waits for one it submitted
// makes room for it on its worker, so a pool of one worker does not wait for
// itself.

'use strict';

const { PoolError } = require('./errors.js');
const { checkTask, invalid } = require('./options.js');
const { Task } = require('./task.js');
const { bufferOf, unwrap } = require('./transfer.js');

const { native, hasContext, follow } =
    globalThis.nwpool[Symbol.for('nwpool.own')];

const HOW = { ask: 0, interrupt: 1, end: 2 }; // nw_cancel

const tasks = [];
const free = [];
const numbers = new Map();
let pool;

function take(slot) {
    const task = tasks[slot];
    tasks[slot] = undefined;
    free.push(slot);
    return task;
}

native.host({
    settle(...list) {
        for (let i = 0; i < list.length; i += 2) {
            take(list[i]).succeed(list[i + 1]);
        }
    },
    fail: (slot, ...failure) => take(slot).fail(...failure),
    sent() {},
    event() {},
    output() {},
});

function numberOf(name) {
    if (!numbers.has(name)) {
        numbers.set(name, native.define(name));
    }
    return numbers.get(name);
}

class OwnPool {
    isClosed = false;

    run(name, argument, options) {
        return this.apply(name, [argument], options);
    }

    apply(name, args = [], options = {}) {
        return new Promise((resolve) => {
            const checked = checkTask(options);
            const task = new Task(this, resolve);
            if (checked.signal?.aborted) {
                task.failWith(checked.signal.reason);
                return;
            }
            this.#submit(task, name, args, checked);
        });
    }

    streamApply() {
        throw invalid('a worker cannot stream from its own pool; call the ' +
            'generator itself');
    }

    #submit(task, name, args, options) {
        const { signal, interruptible } = options;
        const moving = options.transfer?.map(bufferOf) ?? [];
        const values = unwrap(args, moving);
        const spec = { ...options };
        if (interruptible !== undefined) {
            spec.interruptible = interruptible ? 2 : 1;
        }
        const slot = free.pop() ?? tasks.length;
        tasks[slot] = task;
        follow();
        try {
            task.id = native.submitOwn(numberOf(name), slot,
                moving.length > 0 ? moving : undefined, spec,
                ...(hasContext ? [globalThis.nwpool.context] : []), ...values);
        } catch (error) {
            take(slot);
            task.failWith(error.code?.startsWith?.('NW_') ?
                new PoolError(error.message, error.code) : error);
            return;
        }
        if (signal !== undefined) {
            const abort = () => {
                task.abandon(signal.reason);
                native.cancelOwn(task.id, HOW[options.cancel ?? 'ask'],
                    options.escalation ?? 0);
            };
            signal.addEventListener('abort', abort, { once: true });
            task.cleanUp = () => signal.removeEventListener('abort', abort);
        }
    }

    over() {}
}

module.exports = { ownPool: () => pool ??= new OwnPool() };
