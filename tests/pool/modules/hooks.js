// Watches the tasks of its own worker with async_hooks.

'use strict';

const { AsyncLocalStorage, createHook, executionAsyncId,
    executionAsyncResource } = require('async_hooks');

let tasks = new Map(); // By async id: how often each hook saw it.
let ids = new Set();

function count(id, what) {
    const seen = tasks.get(id);
    if (seen !== undefined) {
        seen[what]++;
    }
}

createHook({
    init(id, type) {
        if (type === 'NWPOOL_TASK') {
            tasks.set(id, { init: 0, before: 0, after: 0, destroy: 0 });
            count(id, 'init');
        }
    },
    before: (id) => count(id, 'before'),
    after: (id) => count(id, 'after'),
    destroy: (id) => count(id, 'destroy'),
}).enable();

function isTask() {
    const seen = tasks.get(executionAsyncId());
    ids.add(executionAsyncId());
    return seen !== undefined && seen.before === 1 && seen.after === 0;
}

// -- what each kind of task looks like

exports.plain = () => isTask();
exports.throws = () => {
    throw new Error(String(isTask()));
};
exports.resolved = async () => isTask();
exports.rejected = async () => {
    throw new Error(String(isTask()));
};
exports.awaiting = async () => {
    const inside = isTask();
    await new Promise((resolve) => setTimeout(resolve, 1));
    await null;
    return inside;
};
exports.thenable = () => ({ then: (resolve) => resolve(true) });
exports.uncloneable = () => () => {};

exports.reset = () => {
    tasks = new Map();
    ids = new Set();
};

// How many tasks were seen by each hook, this one left out. A turn later, for
// the last hooks run when a task is over.
exports.told = async () => {
    const self = executionAsyncId();
    await new Promise((resolve) => setImmediate(resolve));
    const told = { tasks: 0, odd: 0, ids: ids.size };
    const hooks = ['init', 'before', 'after', 'destroy'];
    for (const what of hooks) {
        told[what] = 0;
    }
    for (const [id, seen] of tasks) {
        if (id !== self) {
            told.tasks++;
            for (const what of hooks) {
                told[what] += seen[what];
                told.odd += seen[what] !== 1;
            }
        }
    }
    return told;
};

exports.resource = () => executionAsyncResource().constructor.name;

// -- AsyncLocalStorage

const storage = new AsyncLocalStorage();

exports.enter = (value) => {
    const before = storage.getStore() ?? null;
    storage.enterWith(value);
    return before;
};

exports.enterLater = async (value) => {
    const before = storage.getStore() ?? null;
    storage.enterWith(value);
    await null;
    return [before, storage.getStore()];
};

exports.store = () => storage.getStore() ?? null;

exports.storeLater = async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    return storage.getStore() ?? null;
};

exports.survives = (value) => storage.run(value, async () => {
    const seen = [storage.getStore()];
    await null;
    seen.push(storage.getStore());
    await new Promise((resolve) => setTimeout(resolve, 1));
    seen.push(storage.getStore());
    await new Promise((resolve) => setImmediate(resolve));
    seen.push(storage.getStore());
    await new Promise((resolve) => process.nextTick(resolve));
    seen.push(storage.getStore());
    return seen;
});
