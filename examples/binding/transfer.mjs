import { poolify, transfer } from 'nwpool';

const invert = poolify(function invert(bytes) {
    for (let i = 0; i < bytes.length; i++) {
        bytes[i] = 255 - bytes[i];
    }
    return nwpool.transfer(bytes); // Moves back.
});
const bytes = new Uint8Array([0, 1, 2]);
const inverted = await invert(transfer(bytes)); // Moves there.
console.log(bytes.length, inverted);

// Shared memory is neither copied nor moved.
const count = poolify(function count(numbers) {
    Atomics.add(numbers, 0, 1);
});
const numbers = new Int32Array(new SharedArrayBuffer(4));
await Promise.all([count(numbers), count(numbers), count(numbers)]);
console.log(numbers[0]);

// Ports can only move: `transfer` lists them.
const answer = poolify(function answer(port) {
    port.postMessage('from the worker');
    port.close();
});
const { port1, port2 } = new MessageChannel();
const heard = new Promise((resolve) => {
    port1.onmessage = ({ data }) => resolve(data);
});
await answer.with({ transfer: [port2] })(port2);
console.log(await heard);
