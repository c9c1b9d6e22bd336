// Everything that can be thrown.

'use strict';

exports.fine = () => 'fine';

// -- errors

class OddError extends Error {
    constructor(message) {
        super(message);
        this.name = 'OddError';
        this.colour = 'red';
        this.list = [1, { two: 2 }];
        this.handler = () => {};
        this.when = new Date(0);
    }
}

exports.innermost = function innermost(message) {
    throw new TypeError(message);
};

exports.outer = function outer(message) {
    return exports.innermost(message);
};

exports.asynchronous = async function asynchronous(message) {
    await null;
    throw new RangeError(message);
};

exports.odd = () => {
    throw new OddError('odd');
};

exports.code = (code) => {
    throw Object.assign(new Error('coded'), { code });
};

exports.system = () => require('fs').readFileSync('/does/not/exist');

exports.cause = () => {
    const root = Object.assign(new RangeError('the root'), { code: 'E_ROOT' });
    const middle = new TypeError('the middle', { cause: root });
    throw new Error('the top', { cause: middle });
};

exports.plainCause = () => {
    throw new Error('the top', { cause: 'only text' });
};

exports.undefinedCause = () => {
    throw new Error('the top', { cause: undefined });
};

exports.deepCause = (depth) => {
    let error = new Error('0');
    for (let i = 1; i <= depth; i++) {
        error = new Error(String(i), { cause: error });
    }
    throw error;
};

exports.syntax = () => JSON.parse('{');

exports.otherRealm = () =>
    require('vm').runInNewContext('throw new TypeError("from elsewhere")');

exports.recurse = function recurse() {
    return recurse() + 1;
};

exports.long = (size) => {
    throw new Error('x'.repeat(size));
};

exports.tagged = () => {
    throw new Error('in [worker eval]: not ours');
};

exports.abort = () => {
    const controller = new AbortController();
    controller.abort();
    controller.signal.throwIfAborted();
};

// -- what is no error

exports.raise = (source) => {
    throw (0, eval)(source);
};

exports.raiseLater = async (source) => {
    throw (0, eval)(source);
};

// -- hostile ones

const throws = () => {
    throw new Error('a trap');
};

exports.hostile = {
    getters() {
        const error = new Error('unseen');
        const trap = { enumerable: true, get: throws };
        const names = ['name', 'message', 'stack', 'code', 'cause', 'own'];
        for (const name of names) {
            Object.defineProperty(error, name, trap);
        }
        throw error;
    },
    proxy() {
        const trap = {};
        for (const name of Reflect.ownKeys(Reflect)) {
            trap[name] = throws;
        }
        throw new Proxy(new Error('inside'), trap);
    },
    revoked() {
        const { proxy, revoke } = Proxy.revocable({}, {});
        revoke();
        throw proxy;
    },
    circular() {
        const error = new Error('round');
        error.cause = error;
        error.self = error;
        throw error;
    },
    types() {
        const error = new Error('x');
        error.name = Symbol('name');
        error.message = { toString: throws };
        error.stack = 5;
        error.code = { toString: throws };
        throw error;
    },
    fickle() {
        // Another answer each time it is asked.
        let count = 0;
        throw Object.defineProperty(new Error('fickle'), 'own', {
            enumerable: true,
            get: () => (count++ % 2 === 0 ? 1 : () => {}),
        });
    },
    nested() {
        let count = 0;
        const own = {
            get value() {
                return count++ === 0 ? 1 : new Date();
            },
        };
        throw Object.assign(new Error('fickle inside'), { own });
    },
    primitive() {
        throw { [Symbol.toPrimitive]: throws };
    },
    nullPrototype() {
        throw Object.create(null);
    },
    prepare() {
        Error.prepareStackTrace = throws;
        try {
            throw new Error('prepared');
        } finally {
            setImmediate(() => delete Error.prepareStackTrace);
        }
    },
    thrownProxy() {
        throw new Proxy({}, { ownKeys: throws });
    },
};
for (const [name, task] of Object.entries(exports.hostile)) {
    exports[`hostile_${name}`] = task;
    exports[`hostileLater_${name}`] = async () => task();
}

// -- results that cannot be sent

exports.uncloneable = (source) => (0, eval)(source);
exports.uncloneableLater = async (source) => (0, eval)(source);
