import { parentPort } from 'worker_threads';

parentPort.on('message', (value) => parentPort.postMessage(value));
