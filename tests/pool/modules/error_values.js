// Errors that are values: returned, not thrown.

'use strict';

const assert = require('assert');

exports.evaluate = (source) => (0, eval)(`(${source})`);
exports.echo = (value) => value;

exports.hold = (source, ...values) => {
    assert(exports.evaluate(source)(...values), source);
};

// -- as they can be made

class HttpError extends Error {}

class OddError extends TypeError {
    constructor(message) {
        super(message);
        this.name = 'OddError';
        this.code = 'E_ODD';
        this.colour = 'red';
        this.handler = () => {};
        this.when = new Date(7);
        Object.defineProperty(this, 'bad', {
            enumerable: true,
            get() {
                throw new Error('a trap');
            },
        });
        this.inner = { error: new RangeError('inner') };
    }
}

exports.plain = (message) => new TypeError(message);
exports.http = () => new HttpError('404');
exports.odd = () => new OddError('odd');
exports.deep = () => ({
    list: [1, new Map([['e', new Set([new OddError('deep')])]])],
});
exports.throwsOdd = () => {
    throw new OddError('thrown');
};

exports.twice = () => {
    const error = new Error('one');
    return [error, { error }, new Error('two')];
};

exports.aggregate = () => new AggregateError(
    [new TypeError('first'), 'second', new HttpError('third'), () => 4],
    'all of them');

exports.throwsAggregate = () => {
    throw exports.aggregate();
};

exports.causes = () => new Error('top', {
    cause: new RangeError('middle', { cause: { code: 5, list: [1n] } }),
});

exports.causeWithout = () => new Error('top', { cause: () => 'text of it' });

exports.ownCause = () => {
    const error = new Error('round');
    error.cause = error;
    error.self = error;
    error.more = { error, kept: 1 };
    return [error];
};

// Contains the error, and the error it: no error contains itself on the wire.
exports.inRequest = () => {
    const request = { url: '/', failures: [] };
    const error = Object.assign(new Error('in'), { request });
    request.failures.push(error, error);
    return request;
};

exports.realm = () =>
    require('vm').runInNewContext('[new TypeError("from elsewhere")]');

exports.mutual = (count) => {
    const errors = Array.from({ length: count }, (_, i) => new Error(`${i}`));
    for (const error of errors) {
        error.all = { errors, handler() {} };
        error.others = errors;
    }
    return errors;
};

let reads = 0;

exports.getter = () => ({
    error: new Error('beside'),
    get value() {
        reads++;
        return reads;
    },
});
exports.reads = () => reads;

exports.structure = () => {
    const array = Object.assign([1, , new Error('in the array')], { name: 'n' });
    const value = {
        array, again: array, date: new Date(3), pattern: /x/g,
        bytes: new Uint16Array([1, 2]), map: new Map([[array, array]]),
        ['__proto__']: new Error('odd key'),
    };
    value.self = value;
    return value;
};

// -- what spoils it

exports.hostile = {
    getterBeside: () => [new Error('x'), {
        get value() {
            throw new Error('sorry');
        },
    }],
    function: () => [new Error('x'), () => 1],
    proxy: () => [new Error('x'), new Proxy({}, {})],
    weak: () => [new Error('x'), new WeakRef({})],
    deep() {
        let value = new Error('at the bottom');
        for (let i = 0; i < 1e5; i++) {
            value = [value];
        }
        return value;
    },
};
for (const [name, make] of Object.entries(exports.hostile)) {
    exports[`hostile_${name}`] = make;
}

// What making an error here would stumble over, were it to run any of it.
const trap = {
    get() {
        throw new Error('a trap');
    },
    set() {
        throw new Error('a trap');
    },
    configurable: true,
};
const trapped = ['cause', 'errors', 'code'];

exports.arm = () => {
    trapped.forEach((name) =>
        Object.defineProperty(Object.prototype, name, trap));
    Error.prepareStackTrace = trap.get;
};

exports.message = (error) => error.message;

exports.disarm = () => {
    trapped.forEach((name) => delete Object.prototype[name]);
    delete Error.prepareStackTrace;
};
