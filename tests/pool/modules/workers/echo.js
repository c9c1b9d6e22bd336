// Sends back what it gets.

'use strict';

const { parentPort } = require('worker_threads');

parentPort.on('message', (value) => parentPort.postMessage(value));
