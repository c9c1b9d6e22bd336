// A module whose functions the tests of the types name. It is not run.

import { Readable } from 'stream';

export default function greet(name: string): string {
    return name;
}

export const add = (a: number, b: number): number => a + b;

export async function load(file: string, options?: { limit: number }):
    Promise<Uint8Array> {
    await nwpool.task?.send(options?.limit);
    return nwpool.transfer(new Uint8Array(file.length));
}

export async function* rows(file: string): AsyncGenerator<string[], number> {
    yield [file];
    return 1;
}

export function* count(to: number): Generator<number, string> {
    yield to;
    return 'done';
}

export function read(file: string): Readable {
    return Readable.from([file]);
}

export function nothing(): void {
}

export const version = 1;

export class Thing {
}
