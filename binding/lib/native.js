// The addon in this environment, and our glue: workers are made, and their
// results come, on this thread.

'use strict';

const vm = require('vm');
const fs = require('fs');

const { watchExit } = require('./exit.js');
const { candidates, load } = require('./load.js');

const native = load();

// Another copy of this script may have it already, where a test runner gives each
// file modules of its own. Of an environment there is one host.
if (native.shared !== undefined) {
    module.exports = native.shared;
    return;
}

// By its number: what a pool is told.
const pools = new Map();
let lastNumber = 0;

// -- slots: the tasks that are not over, by the number that C has of them

const tasks = [];
const free = [];

function addTask(task) {
    if (free.length > 0) {
        const slot = free.pop();
        tasks[slot] = task;
        return slot;
    }
    return tasks.push(task) - 1;
}

function takeTask(slot) {
    const task = tasks[slot];
    tasks[slot] = undefined;
    free.push(slot);
    return task;
}

// -- what C calls

function settle(...list) {
    for (let i = 0; i < list.length; i += 2) {
        const slot = list[i];
        const task = tasks[slot];
        if (--task.expected === 0) {
            tasks[slot] = undefined;
            free.push(slot);
        }
        task.succeed(list[i + 1]);
    }
}

function fail(slot, ...failure) {
    const task = tasks[slot];
    if (--task.expected === 0) {
        takeTask(slot);
    }
    task.fail(...failure);
}

function sent(slot, value, bytes, text) {
    tasks[slot].receive(value, bytes, text);
}

const handlers = {
    settle,
    fail,
    sent,
    event: (number, event) => pools.get(number)?.event(event),
    output: (number, task, fd, chunk) =>
        pools.get(number)?.output(fd, chunk, task),
};

const hosted = {
    native,
    addon: addonFile(),
    options: (number) => pools.get(number).workerOptions(),
    exited: (number) => pools.get(number)?.exited(),
};

function addonFile() {
    return candidates.find((file) => fs.existsSync(file));
}

vm.compileFunction(native.glueScript, ['hosted', 'require'],
    { filename: 'nwpool:glue' })(hosted, require);
native.host(handlers);
watchExit(native);

function addPool(pool) {
    pools.set(++lastNumber, pool);
    return lastNumber;
}

module.exports = native.shared = { native, tasks, addPool, addTask, takeTask,
    removePool: (number) => pools.delete(number) };
