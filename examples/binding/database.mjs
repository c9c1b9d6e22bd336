// What set-up.mjs runs.

import { workerData } from 'node:worker_threads';

let connection;

export async function connect() {
    connection = { url: workerData.url };
}

export async function disconnect() {
    console.log('disconnected');
}

export function query(text) {
    return `${text} from ${connection.url}`;
}
