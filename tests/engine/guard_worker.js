// A worker of the guard's tests. run() is made as the one in pool.js is.

(function () {
'use strict';

const { AsyncResource } = require('async_hooks');
const { workerData } = require('worker_threads');

const native = process._linkedBinding('guard');
const tasks = require(workerData.tasks);
const resourceOptions = { requireManualDestroy: true };

function invoke(task, argument) {
    return task(argument);
}

async function settle(id, promise) {
    try {
        native.done(id, String(await promise));
    } catch (error) {
        native.fail(id, String(error));
    }
}

function run(id, name, argument) {
    const resource = new AsyncResource('GUARD_TASK', resourceOptions);
    let value;
    try {
        value = resource.runInAsyncScope(invoke, undefined, tasks[name],
            argument);
    } catch (error) {
        resource.emitDestroy();
        native.fail(id, String(error));
        return undefined;
    }
    if (value instanceof Promise) {
        native.pending(id);
        settle(id, value);
        return undefined;
    }
    resource.emitDestroy();
    return value;
}

native.attach(workerData.number, run);
})();
//# sourceURL=nwpool:pool
