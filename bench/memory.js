// Tasks of bench_memory.
module.exports = {
    inc: (n) => n + 1,
    // Keeps its worker until C has set [0], for which it looks now and then.
    hold(shared) {
        const words = new Int32Array(shared);
        while (Atomics.load(words, 0) === 0) {
            Atomics.wait(words, 0, 0, 10);
        }
    },
};
