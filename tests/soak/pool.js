// What soak_pool runs. Every task says first that it was started: its number, in
// four bytes at the end of a file.
'use strict';

const fs = require('fs');

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function mark(fd, number) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(number);
    fs.writeSync(fd, bytes);
}

const marked = (action) => (fd, number, n) => {
    mark(fd, number);
    return action(n);
};

module.exports = {
    value: marked((n) => n),
    later: marked(async (n) => { await pause(n % 4); return n; }),
    busy: marked((n) => {
        for (const end = Date.now() + n % 3; Date.now() < end;) ;
        return n;
    }),
    stream: marked(async (n) => {
        const { send } = nwpool.task;
        for (let i = 0; i < n % 100; i++) {
            await send(i);
        }
        return n;
    }),
    *generate(fd, number, n) {
        mark(fd, number);
        for (let i = 0; i < n % 100; i++) {
            yield i;
        }
        return n;
    },
    boom: marked((n) => { throw new RangeError(`task says ${n}`); }),
    spin: marked(() => { for (;;) ; }),
    never: marked(() => new Promise(() => setTimeout(() => {}, 1e6))),
    obey: marked(() => new Promise((_, reject) => {
        const { signal } = nwpool.task;
        signal.addEventListener('abort', () => reject(signal.reason));
        setTimeout(() => {}, 1e6);
    })),
    exit: marked((n) => process.exit(n % 100 + 1)),
    luck: marked((n) => {
        if (Math.random() < 0.5) {
            process.exit(1);
        }
        return n;
    }),
    // Dies later, and takes whatever the worker is running by then.
    doom: marked((n) => {
        setTimeout(() => { throw new Error(`doomed ${n}`); }, n % 3);
        return n;
    }),
};
