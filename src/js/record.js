// Shared by all scripts, which it is put in front of.
//
// Errors as they cross. Structured clone keeps neither the class of an Error
// nor its code and own properties, so each is replaced by a box, native.box(),
// around a record, a plain object (src/wire.h):
//
//   { name, message, stack, class?, code?, cause?, errors?, properties? }
//
// with `class` where the name is not that of the built-in class it is made from.
// boxErrors() does that to a value with errors in it; makeRecord() to whatever
// was thrown. Everything they touch may be hostile, a getter or a proxy: what
// cannot be had of an error is left out, never the error. `native` has box(),
// encodable(), whether C can read a value, and isPlain().

const { isNativeError, isProxy, isMap, isSet } = require('util').types;

const CAUSES_MAX = 16;
const OWN_FIELDS = new Set(['name', 'message', 'stack', 'code', 'cause']);

const BUILT_IN = [TypeError, RangeError, SyntaxError, ReferenceError, EvalError,
    URIError, AggregateError];

// A subclass may have forEach() mean something else.
const mapForEach = Map.prototype.forEach;
const setForEach = Set.prototype.forEach;

function attempt(action, fallback) {
    try {
        return action();
    } catch {
        return fallback;
    }
}

function text(value, fallback) {
    return attempt(() => String(value), fallback);
}

// An own property, whatever the key means to assignments.
function put(object, key, value) {
    Object.defineProperty(object, key, {
        __proto__: null, value, writable: true, enumerable: true,
        configurable: true,
    });
}

// The frames of our own trampoline, and what is below them, tell a user
// nothing: the call came from C.
function trimStack(stack) {
    const lines = stack.split('\n');
    const ours = lines.findIndex((line) =>
        /^ +at .*nwpool:(pool|worker|glue)\b/.test(line));
    return ours < 0 ? stack : lines.slice(0, ours).join('\n');
}

function isError(value) {
    return isNativeError(value) ||
        attempt(() => value instanceof Error, false) ||
        attempt(() => Object.prototype.toString.call(value), '') ===
            '[object Error]';
}

// `class HttpError extends Error {}` has a name that nobody set.
function className(error) {
    const name = text(attempt(() => error.name) ?? 'Error', 'Error');
    const unset = attempt(() => !Object.hasOwn(error, 'name') &&
        !Object.hasOwn(error.constructor.prototype, 'name'), false);
    const subclass = attempt(() => error.constructor.name);
    return unset && typeof subclass === 'string' && subclass !== '' ?
        subclass : name;
}

// Undefined: Error itself.
function builtInOf(error) {
    return BUILT_IN.find((known) =>
        attempt(() => error instanceof known, false))?.name;
}

// The `errors` of an AggregateError; others' are properties like any.
function errorsOf(error) {
    const own = attempt(() =>
        Object.getOwnPropertyDescriptor(error, 'errors'));
    return own !== undefined && !own.enumerable &&
        attempt(() => Array.isArray(own.value), false) ? own.value : undefined;
}

// One copy of one value, with boxes in the place of errors. The structure stays:
// what is met twice is copied once, and cycles are closed again. What holds no
// members that structured clone would copy is left as it is.
class BoxedCopy {
    #native;
    #done = new Map(); // { copy }, or { failed, reason }, by original.
    #open = new Set(); // Originals that are being copied.
    #boxes = new Set();
    #verdicts = new Map(); // Of encodable(), by copy.

    constructor(native) {
        this.#native = native;
    }

    // Throws what a getter throws.
    visit(value) {
        if (typeof value !== 'object' || value === null) {
            return value;
        }
        const known = this.#done.get(value);
        if (known === undefined) {
            return this.#copy(value);
        }
        if (known.failed) {
            throw known.reason;
        }
        return known.copy;
    }

    // The record of something for which isError() is true.
    describe(error, causes) {
        // An error that contains itself is cut there: it has no copy yet.
        this.#done.set(error, { copy: undefined });
        const record = {
            __proto__: null, // Whose setters might be hostile.
            name: className(error),
            message: text(attempt(() => error.message) ?? '', ''),
            stack: attempt(() => trimStack(String(error.stack ?? '')), ''),
        };
        const builtIn = builtInOf(error);
        if (builtIn !== undefined && builtIn !== record.name) {
            record.class = builtIn;
        }
        this.#addCode(record, error);
        this.#addCause(record, error, causes);
        this.#addErrors(record, error);
        this.#addProperties(record, error);
        return record;
    }

    box(error, record) {
        const box = this.#native.box(record);
        this.#boxes.add(box);
        this.#done.set(error, { copy: box });
        return box;
    }

    // Whether the copy can stand in a message that was not made for it.
    canSend(original, copy) {
        if (typeof copy === 'function' || typeof copy === 'symbol') {
            return false;
        }
        // An open one is part of the message already.
        if (typeof copy !== 'object' || copy === null ||
            this.#boxes.has(copy) || this.#open.has(original)) {
            return true;
        }
        if (!this.#verdicts.has(copy)) {
            this.#verdicts.set(copy, this.#native.encodable(copy));
        }
        return this.#verdicts.get(copy);
    }

    #copy(value) {
        if (isProxy(value)) {
            return value;
        }
        if (isNativeError(value)) {
            return this.box(value, this.describe(value, 0));
        }
        if (Array.isArray(value)) {
            return this.#fill(value, [], (copy) => {
                this.#copyMembers(value, copy);
                copy.length = value.length;
            });
        }
        if (isMap(value)) {
            return this.#fill(value, new Map(), (copy) => {
                const entries = [];
                Reflect.apply(mapForEach, value,
                    [(item, key) => entries.push([key, item])]);
                for (const [key, item] of entries) {
                    copy.set(this.visit(key), this.visit(item));
                }
            });
        }
        if (isSet(value)) {
            return this.#fill(value, new Set(), (copy) => {
                const items = [];
                Reflect.apply(setForEach, value, [(item) => items.push(item)]);
                for (const item of items) {
                    copy.add(this.visit(item));
                }
            });
        }
        // Without members it may be one of those built-ins that nobody can
        // tell, and that cannot be cloned.
        if (this.#native.isPlain(value) && Object.keys(value).length > 0) {
            return this.#fill(value, {},
                (copy) => this.#copyMembers(value, copy));
        }
        return value;
    }

    #fill(value, copy, fill) {
        const entry = { copy, failed: false, reason: undefined };
        this.#done.set(value, entry);
        this.#open.add(value);
        try {
            fill(copy);
        } catch (reason) {
            entry.failed = true;
            entry.reason = reason;
            throw reason;
        } finally {
            this.#open.delete(value);
        }
        return copy;
    }

    #copyMembers(value, copy) {
        for (const key of Object.keys(value)) {
            // A getter may have removed it.
            if (Object.hasOwn(value, key)) {
                put(copy, key, this.visit(value[key]));
            }
        }
    }

    #addCode(record, error) {
        const code = attempt(() => error.code);
        if (code !== undefined && code !== null) {
            record.code = typeof code === 'number' ? code : text(code, '');
        }
    }

    #addCause(record, error, causes) {
        if (!attempt(() => 'cause' in error, false)) {
            return;
        }
        const cause = attempt(() => error.cause);
        if (!isError(cause)) {
            record.cause = this.#sendable(cause) ?? this.#asText(cause);
        } else if (causes < CAUSES_MAX) {
            const box = this.#errorInside(cause, causes + 1);
            if (box !== undefined) {
                record.cause = box;
            }
        }
    }

    #addErrors(record, error) {
        const errors = errorsOf(error);
        if (errors === undefined) {
            return;
        }
        record.errors = [];
        for (let i = 0; i < errors.length; i++) {
            const item = attempt(() => errors[i]);
            record.errors.push(isError(item) ?
                this.#errorInside(item, 0) :
                this.#sendable(item) ?? this.#asText(item));
        }
    }

    #addProperties(record, error) {
        const properties = {};
        for (const key of attempt(() => Object.keys(error), [])) {
            const copy = OWN_FIELDS.has(key) ? undefined :
                this.#sendable(attempt(() => error[key]));
            if (copy !== undefined) {
                put(properties, key, copy);
            }
        }
        if (Object.keys(properties).length > 0) {
            record.properties = properties;
        }
    }

    // A copy that can be sent, or undefined.
    #sendable(value) {
        const copy = attempt(() => this.visit(value));
        return attempt(() => this.canSend(value, copy), false) ?
            copy : undefined;
    }

    #asText(value) {
        return value === undefined || value === null ? value : text(value, '');
    }

    // Undefined: it is the one that is being described, or there is no stack
    // left for it.
    #errorInside(error, causes) {
        const known = this.#done.get(error);
        return known !== undefined ? known.copy :
            attempt(() => this.box(error, this.describe(error, causes)));
    }
}

// The boxer: a copy of a value with errors in it.
function boxErrors(value, native) {
    return new BoxedCopy(native).visit(value);
}

function describeError(error, native) {
    const copy = new BoxedCopy(native);
    const record = copy.describe(error, 0);
    const thrown = { error: copy.box(error, record) };
    // What each fits by itself may be too deep or too large together, and goes
    // before the message does.
    for (const extra of ['properties', 'errors', 'cause']) {
        if (native.encodable(thrown)) {
            break;
        }
        delete record[extra];
    }
    return thrown;
}

function describeOther(value, native) {
    const record = { __proto__: null, message: text(value, 'unknown') };
    attempt(() => {
        const copy = boxErrors(value, native);
        if (native.encodable(copy)) {
            record.thrown = copy;
        }
    });
    return record;
}

// What native.fail() and its like get: { error }, a box, or { message, thrown? }
// for what is no Error. Never throws, and C can read the whole of it.
function makeRecord(thrown, native) {
    return attempt(() => isError(thrown) ?
        describeError(thrown, native) : describeOther(thrown, native)) ??
        { message: 'the error cannot be described' };
}
