// In a worker: the pool whose worker it is. A task that waits for one it submitted
// makes room for it on its worker, so a pool of one worker does not wait for
// itself.

'use strict';

const { asPoolError } = require('./errors.js');
const { HOW, checkTask, invalid, specOf } = require('./options.js');
const { onAbort } = require('./signals.js');
const { addTask, fail, numbering, settle, takeTask } =
    require('./slots.js');
const { Task } = require('./task.js');
const { bufferOf, unwrap } = require('./transfer.js');

const { native, hasContext, follow } =
    globalThis.nwpool[Symbol.for('nwpool.own')];

const numberOf = numbering(native);
let pool;

const nothing = () => {};
native.host({ settle, fail, sent: nothing, event: nothing, output: nothing });

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
        const { signal } = options;
        const moving = options.transfer?.map(bufferOf) ?? [];
        const values = unwrap(args, moving);
        const slot = addTask(task);
        follow();
        try {
            task.id = native.submitOwn(numberOf(name), slot,
                moving.length > 0 ? moving : undefined, specOf(options, false),
                ...(hasContext ? [globalThis.nwpool.context] : []), ...values);
        } catch (error) {
            takeTask(slot);
            task.failWith(asPoolError(error));
            return;
        }
        if (signal !== undefined) {
            task.cleanUp = onAbort(signal, () => {
                task.abandon(signal.reason);
                native.cancelOwn(task.id, HOW[options.cancel ?? 'ask'],
                    options.escalation ?? 0);
            });
        }
    }

    over() {}
}

module.exports = { ownPool: () => pool ??= new OwnPool() };
