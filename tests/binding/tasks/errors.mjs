// Everything that can be thrown.

export function builtIn(name) {
    throw new globalThis[name](`a ${name}`);
}

export class HttpError extends Error {
    constructor(message, status) {
        super(message);
        this.status = status;
        this.headers = { accept: ['a', 'b'] };
    }
}

export function subclass() {
    throw new HttpError('not found', 404);
}

export function named() {
    const error = new Error('with a name');
    error.name = 'VerySpecialError';
    throw error;
}

export function coded() {
    throw Object.assign(new TypeError('with a code'), { code: 'E_MINE', n: 1n });
}

export function caused() {
    throw new Error('outer', {
        cause: Object.assign(new RangeError('middle', {
            cause: { plain: [1, 2] },
        }), { code: 'E_MIDDLE' }),
    });
}

export function aggregate() {
    throw new AggregateError(
        [new TypeError('one'), Object.assign(new Error('two'), { code: 2 }), 3],
        'many');
}

export function raw(value) {
    throw value;
}

export async function rejectRaw(value) {
    throw value;
}

export function circular() {
    const error = new Error('circular');
    error.self = error;
    error.action = () => {};
    error.kept = 'kept';
    throw error;
}

export function domException() {
    throw new DOMException('a word', 'DataError');
}

export function deepInTheWorker() {
    innermostFrame();
}

function innermostFrame() {
    throw new Error('with frames');
}

export const returned = () => Object.assign(new RangeError('a value'),
    { code: 'E_VALUE' });

export function fromNode() {
    new URL('no url');
}
