// Things that end a worker although no task of it did anything wrong.

'use strict';

// As soon as a task runs that never ends.
let running = false;

function soon(action) {
    const timer = setInterval(() => {
        if (running) {
            clearInterval(timer);
            action();
        }
    }, 1);
}

exports.inc = (n) => n + 1;

exports.never = () => {
    running = true;
    return new Promise(() => {});
};

exports.throwNow = (message) => new Promise((resolve) => {
    setTimeout(() => {
        setImmediate(() => resolve('survived'));
        throw new Error(message);
    }, 1);
});

exports.throwLater = (message) => {
    soon(() => {
        throw new TypeError(message);
    });
};

exports.throwNull = () => {
    soon(() => {
        throw null;
    });
};

exports.rejectLater = (message) => {
    soon(() => {
        Promise.reject(new RangeError(message));
    });
};

exports.exitLater = (code) => {
    soon(() => process.exit(code));
};

exports.throwInTick = (message) => {
    process.nextTick(() => {
        throw new Error(message);
    });
};

exports.exitCodeOfError = (code) => {
    process.on('exit', () => {
        process.exitCode = code;
    });
    soon(() => {
        throw new Error('with another code');
    });
};

exports.exitInGetter = () => ({
    get value() {
        process.exit(6);
    },
});

exports.exitInError = () => {
    throw Object.defineProperty(new Error('unseen'), 'message', {
        get: () => process.exit(7),
    });
};

exports.exitInThen = () => ({
    get then() {
        return process.exit(8);
    },
});

exports.exitInBatch = (code) => {
    queueMicrotask(() => process.exit(code));
    return 'done';
};

exports.exitInTick = (code) => {
    process.nextTick(() => process.exit(code));
    return 'done';
};

exports.abortLoudly = () => {
    process.on('exit', () => {
        for (const end = Date.now() + 50; Date.now() < end;) ;
    });
    process.exit(9);
};

exports.survive = () => {
    process.on('uncaughtException', () => {});
};

exports.patch = () => {
    const { AsyncResource } = require('async_hooks');
    const { emitDestroy } = AsyncResource.prototype;
    AsyncResource.prototype.emitDestroy = () => {
        AsyncResource.prototype.emitDestroy = emitDestroy;
        throw new Error('patched');
    };
    return 'patched';
};

exports.nestedWorker = () => new Promise((resolve, reject) => {
    const { Worker } = require('worker_threads');
    const worker = new Worker('process.exit(12)', { eval: true });
    worker.on('exit', resolve);
    worker.on('error', reject);
});
