// What the soak runs: every way in which a task can end.
'use strict';

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Until the worker ends, or something else takes its place.
const kept = [];

module.exports = {
    value: (n) => n,
    async later(n) { await pause(n % 4); return n; },
    async soon(n) { await null; return n; },
    big: (n) => ({ n, bytes: Buffer.alloc(20000, n), list: Array(100).fill(n) }),
    give: (bytes) => nwpool.transfer(bytes),
    keep(bytes) { kept[bytes.length % 100] = bytes; return bytes.length; },
    boom(n) { throw new RangeError(`task says ${n}`); },
    async reject(n) { await null; throw n; },
    unclonable: (n) => () => n,
    exit(n) { process.exit(n % 100 + 1); },
    // Dies later, and takes whatever the worker is running by then.
    doom(n) { setTimeout(() => { throw new Error(`doomed ${n}`); }, n % 3); },
};
