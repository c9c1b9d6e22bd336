// The control environment of the guard's tests: starts and ends workers as C
// says, which it is asked for every millisecond.

const native = process._linkedBinding('guard');
const { Worker } = require('worker_threads');
const workers = new Map();

function start(number, heapMb) {
    const worker = new Worker(native.workerScript, {
        eval: true,
        workerData: { number, tasks: native.tasks },
        resourceLimits: heapMb > 0 ? { maxOldGenerationSizeMb: heapMb } : {},
    });
    workers.set(number, worker);
    worker.on('error', (error) => native.errorEvent(number, String(error)));
    worker.on('exit', (code) => {
        workers.delete(number);
        native.exitEvent(number, code);
    });
}

setInterval(() => {
    let command;
    while ((command = native.command()) !== undefined) {
        const [verb, number, argument] = command;
        if (verb === 'start') {
            start(number, argument);
        } else {
            workers.get(number)?.terminate();
        }
    }
}, 1);
