// Parses the script that is its workerData.

const { parentPort, workerData } = require('node:worker_threads');
const { parse } = require('acorn');

parentPort.postMessage(parse(workerData, { ecmaVersion: 2020 }));
