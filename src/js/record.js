// Shared by glue.js and bootstrap.js, which it is put in front of.
//
// Turns whatever was thrown into an error record (src/error_record.h): a plain
// object that structured clone keeps whole. Everything it touches may be
// hostile, a getter or a proxy, so every access is guarded on its own, and what
// cannot be had is left out. `encodable` says whether C can read a value.

const CAUSES_MAX = 16;
const OWN_FIELDS = new Set(['name', 'message', 'stack', 'code', 'cause']);

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

// The frames of our own trampoline, and what is below them, tell a user
// nothing: the call came from C.
function trimStack(stack) {
    const lines = stack.split('\n');
    const ours = lines.findIndex((line) =>
        /^ +at .*\[worker eval\]/.test(line));
    return ours < 0 ? stack : lines.slice(0, ours).join('\n');
}

function ownProperties(error, encodable) {
    const properties = {};
    let count = 0;
    for (const key of attempt(() => Object.keys(error), [])) {
        if (OWN_FIELDS.has(key)) {
            continue;
        }
        const value = attempt(() => error[key]);
        if (value !== undefined && encodable(value)) {
            properties[key] = value;
            count++;
        }
    }
    return count > 0 ? properties : undefined;
}

function isError(value) {
    return attempt(() => value instanceof Error, false) ||
        attempt(() => Object.prototype.toString.call(value), '') ===
            '[object Error]';
}

function describe(thrown, encodable, depth) {
    if (!isError(thrown)) {
        const message = text(thrown, 'unknown');
        const record = { name: '', message, stack: '' };
        if (encodable(thrown)) {
            record.thrown = thrown;
        }
        return record;
    }
    const record = {
        name: text(attempt(() => thrown.name, 'Error'), 'Error'),
        message: text(attempt(() => thrown.message, ''), ''),
        stack: attempt(() => trimStack(String(thrown.stack ?? '')), ''),
    };
    const code = attempt(() => thrown.code);
    if (code !== undefined && code !== null) {
        record.code = text(code, '');
    }
    const properties = ownProperties(thrown, encodable);
    if (properties !== undefined) {
        record.properties = properties;
    }
    if (depth < CAUSES_MAX && attempt(() => 'cause' in thrown, false)) {
        const cause = attempt(() => thrown.cause);
        record.cause = describe(cause, encodable, depth + 1);
    }
    return record;
}

// Never throws, and C can read the whole of it: what each fits by itself may
// be too deep or too large together, and goes before the message does.
function makeRecord(thrown, encodable) {
    const record = attempt(() => describe(thrown, encodable, 0), {
        name: 'Error', message: 'the error cannot be described', stack: '',
    });
    for (const extra of ['properties', 'thrown', 'cause']) {
        if (encodable(record)) {
            break;
        }
        delete record[extra];
    }
    return record;
}
