// Tasks that end their worker, and the one that comes next. Each writes when
// into shared memory: [0] the end, [1] the start of the next.

function stamp(shared, index) {
    Atomics.store(new BigInt64Array(shared), index, process.hrtime.bigint());
}

module.exports = {
    exit(shared) {
        stamp(shared, 0);
        process.exit(3);
    },
    throwOutside(shared) {
        setImmediate(() => {
            stamp(shared, 0);
            throw new Error('outside of a task');
        });
        return new Promise(() => {});
    },
    // To be ended: [0] says only that it runs.
    spin(shared) {
        stamp(shared, 0);
        for (;;);
    },
    wait(shared) {
        stamp(shared, 0);
        return new Promise(() => {});
    },
    next(shared) {
        stamp(shared, 1);
    },
};
