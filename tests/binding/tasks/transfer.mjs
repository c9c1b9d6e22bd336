// What gets, and gives, things that move.

import { Blob } from 'node:buffer';
import { createHmac, createSecretKey } from 'node:crypto';
import { once } from 'node:events';

export const size = (value) => (value.buffer ?? value).byteLength;
export const sum = (array) => array.reduce((a, b) => a + b);

let kept;

export function makeBytes(length) {
    const bytes = new Uint8Array(length).map((_, i) => i);
    kept = bytes.buffer;
    return nwpool.transfer({ bytes: kept }, [kept]);
}

export function makeView(length) {
    const view = new Uint8Array(length).map((_, i) => i);
    kept = view.buffer;
    return nwpool.transfer(view);
}

// How much is left of what was moved away.
export const movedBefore = () => kept.byteLength;

export async function greet(port) {
    const message = once(port, 'message');
    port.postMessage('hello');
    const [value] = await message;
    port.close();
    return value.data ?? value;
}

export async function answerGreeting(port) {
    const [value] = await once(port, 'message');
    port.postMessage('thank you');
    return value.data ?? value;
}

function echoes() {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => port1.postMessage(`${data} back`);
    return port2;
}

export function makePort() {
    return nwpool.transfer(echoes());
}

export async function makePortInside() {
    const port = echoes();
    return nwpool.transfer({ port }, [port]);
}

export function makeChannel() {
    const { port1, port2 } = new MessageChannel();
    return nwpool.transfer([port1, port2], [port1, port2]);
}

export async function closePort(port) {
    const closed = once(port, 'close');
    port.close();
    await closed;
    return 'closed';
}

export const increment = (counter) => Atomics.add(counter, 0, 1) + 1;
export const makeShared = () => new Int32Array(new SharedArrayBuffer(4));
export const first = (array) => Atomics.load(array, 0);

export const hmac = (key) =>
    createHmac('sha256', key).update('text').digest('hex');
export const makeKey = () => createSecretKey(Buffer.from('made there'));
export const textOf = (blob) => blob.text();
export const makeBlob = () => new Blob(['of the ', 'worker']);

export const runWasm = async (module) =>
    (await WebAssembly.instantiate(module)).exports.f();
