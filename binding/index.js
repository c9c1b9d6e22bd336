// nwpool for JavaScript. What needs the addon is loaded by the first who asks.

'use strict';

const { PoolError } = require('./lib/errors.js');
const { poolify, poolifyAll } = require('./lib/poolify.js');
const { transfer } = require('./lib/transfer.js');

module.exports = {
    PoolError,
    poolify,
    poolifyAll,
    transfer,

    get Pool() {
        return require('./lib/pool.js').Pool;
    },

    // In a worker: { id, signal, send() } of the task that runs.
    get task() {
        return globalThis.nwpool?.task;
    },

    // In a worker: what the pool's `context` had where the task was submitted.
    get context() {
        return globalThis.nwpool?.context;
    },
};
