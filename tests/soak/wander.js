'use strict';

// The worker of wander.c. It sends numbers back by the port they came from,
// and ports back when it is told to; with them goes what they have not read.

const { parentPort } = require('worker_threads');

const ports = new Map();

function adopt(id, port) {
    ports.set(id, port);
    port.on('message', (number) => port.postMessage(number));
}

function giveBack(id) {
    const port = ports.get(id);
    if (port !== undefined) {
        ports.delete(id);
        parentPort.postMessage({ id, port }, [port]);
    }
}

let read = 0;
process.stdin.on('data', (data) => {
    read += data.length;
});
process.stdin.on('end', () => parentPort.postMessage({ read }));

parentPort.on('message', (message) => {
    if (typeof message === 'number') {
        parentPort.postMessage(message);
    } else if (message.port !== undefined) {
        adopt(message.id, message.port);
    } else if (message.back !== undefined) {
        giveBack(message.back);
    } else if (message.print !== undefined) {
        process.stdout.write('x'.repeat(message.print));
    } else {
        process.exit(0);
    }
});
