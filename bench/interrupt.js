// Tasks that are interrupted at any moment. Each returns its own token, and a
// wrong one when it finds traces of another.

const { AsyncLocalStorage } = require('async_hooks');

const storage = new AsyncLocalStorage();
const words = Array.from({ length: 200 }, (_, i) => ({ i, text: `word ${i}` }));

const now = () => performance.now();
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function burn(ms) {
    for (const end = now() + ms; now() < end;);
}

function nest(depth, ms) {
    if (depth === 0) {
        burn(ms);
        return 0;
    }
    return 1 + nest(depth - 1, ms);
}

function repeat(ms, action) {
    for (const end = now() + ms; now() < end;) {
        action();
    }
}

// By number.
const kinds = [
    burn,
    (ms) => nest(100, ms),
    (ms) => repeat(ms, () => JSON.parse(JSON.stringify(words))),
    (ms) => repeat(ms, () => /^(a+)+$/.test('aaaaaaaaaaaab')),
    (ms) => storage.run('mine', burn, ms),
    (ms) => {
        try {
            burn(ms / 2);
        } catch {
            burn(1000);
        } finally {
            burn(ms / 2);
        }
    },
    (ms) => repeat(ms, () => [...words].sort((a, b) => b.i - a.i)),
    async (ms) => {
        burn(ms / 2);
        await undefined;
        burn(ms / 2);
    },
    async (ms) => {
        burn(ms / 3);
        await pause(ms / 3);
        burn(ms / 3);
    },
    (ms) => storage.run('mine', async () => {
        burn(ms / 2);
        await pause(0);
        burn(ms / 2);
        if (storage.getStore() !== 'mine') {
            throw new Error('the store is lost');
        }
    }),
];

module.exports = {
    KINDS: kinds.length,
    spin() {
        for (;;);
    },
    next: (token) => token,
    // The token at the end, whatever the kind.
    work(kind, ms, token) {
        if (storage.getStore() !== undefined) {
            return -1;
        }
        const result = kinds[kind](ms);
        return result instanceof Promise ? result.then(() => token) : token;
    },
};
