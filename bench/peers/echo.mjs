// The floor of throughput.mjs: what worker_threads does when nothing is in
// front of it but a number that finds the promise of an answer. It has no
// queue, no limit and no crash handling.

import { fileURLToPath } from 'node:url';
import {
    MessageChannel, Worker, isMainThread, workerData,
} from 'node:worker_threads';

function startWorker() {
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker(fileURLToPath(import.meta.url), {
        workerData: { port: port2 }, transferList: [port2],
    });
    const waiting = new Map();

    port1.on('message', ({ id, value }) => {
        waiting.get(id)(value);
        waiting.delete(id);
    });
    return { worker, port: port1, waiting };
}

export function open({ max }) {
    const workers = Array.from({ length: max }, startWorker);
    let count = 0;

    return {
        run(name, argument) {
            const id = count++;
            const { port, waiting } = workers[id % max];

            return new Promise((resolve) => {
                waiting.set(id, resolve);
                port.postMessage({ id, name, argument });
            });
        },
        close: () => Promise.all(workers.map(({ worker }) =>
            worker.terminate())),
    };
}

if (!isMainThread && workerData?.port !== undefined) {
    const tasks = await import('./tasks/tasks.mjs');
    const { port } = workerData;

    port.on('message', ({ id, name, argument }) => {
        port.postMessage({ id, value: tasks[name](argument) });
    });
}
