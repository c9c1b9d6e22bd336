// The end of a program in which a worker's heap was exhausted at a place where V8
// would have ended the process: that worker's thread was parked, and Node.js would
// wait for it for ever. So the program is ended here, after all others that listen
// have heard of it.

'use strict';

const { isMainThread } = require('worker_threads');

function watchExit(native) {
    function leave(code) {
        if (native.parked() === 0) {
            return;
        }
        for (const listener of process.listeners('exit')) {
            if (listener !== leave) {
                try {
                    Reflect.apply(listener, process, [code]);
                } catch (error) {
                    console.error(error);
                    code = 1;
                }
            }
        }
        native.leave(Number(process.exitCode ?? code));
    }

    // Of a worker that ends Node.js waits for all threads in any case.
    if (isMainThread) {
        process.prependListener('exit', leave);
    }
}

module.exports = { watchExit };
