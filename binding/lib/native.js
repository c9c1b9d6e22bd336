// The addon in this environment, and our glue: workers are made, and their
// results come, on this thread.

'use strict';

const vm = require('vm');
const fs = require('fs');

const { watchExit } = require('./exit.js');
const { candidates, load } = require('./load.js');
const { addTask, fail, numbering, settle, takeTask, tasks } =
    require('./slots.js');

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

// -- what C calls

// With a text, why it cannot be read, instead of a value.
function sent(slot, value, bytes, text) {
    const task = tasks[slot];
    if (text === undefined) {
        task.receive(value, bytes);
    } else {
        task.miss(text, bytes);
    }
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
    defined: numbering(native), removePool: (number) => pools.delete(number) };
