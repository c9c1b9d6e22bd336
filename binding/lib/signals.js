// One listener on an AbortSignal for all tasks that it aborts: of more than ten
// Node.js warns as of a leak.

'use strict';

const listened = new WeakMap(); // By signal: { actions, stop }.

function listen(signal) {
    const actions = new Set();
    const listener = () => {
        for (const action of [...actions]) {
            action();
        }
    };
    signal.addEventListener('abort', listener, { once: true });
    return { actions,
        stop: () => signal.removeEventListener('abort', listener) };
}

// Calls `action` once the signal is aborted. What is returned takes that back, and
// is to be called once.
function onAbort(signal, action) {
    const entry = listened.get(signal) ?? listen(signal);
    listened.set(signal, entry);
    entry.actions.add(action);
    return () => {
        entry.actions.delete(action);
        if (entry.actions.size === 0) {
            entry.stop();
            listened.delete(signal);
        }
    };
}

module.exports = { onAbort };
