// What lib/load.js says of an addon that is missing, of another Node.js, or no
// addon at all, and what the addon says itself: one sentence each, no crash.
//
//   node load.js ADDON

'use strict';

const assert = require('assert');
const fs = require('fs');
const os = require('os');
const path = require('path');

const addon = process.argv[2];
const { modules } = process.versions;
const home = fs.mkdtempSync(path.join(os.tmpdir(), 'nwpool-load-'));
const loader = path.join(home, 'lib/load.js');

// As if this Node.js were one of that module version.
function as(version, action) {
    const { versions } = process;

    Object.defineProperty(process, 'versions', {
        value: { ...versions, modules: version }, configurable: true,
    });
    delete require.cache[loader];
    try {
        return action(require(loader));
    } finally {
        Object.defineProperty(process, 'versions', {
            value: versions, configurable: true,
        });
    }
}

function put(version, copy) {
    const directory = path.join(home, 'prebuilds',
        `${process.platform}-${process.arch}-${version}`);

    fs.mkdirSync(directory, { recursive: true });
    copy(path.join(directory, 'nwpool.node'));
}

function testAll() {
    fs.mkdirSync(path.dirname(loader));
    fs.copyFileSync(path.join(__dirname, '../../binding/lib/load.js'), loader);

    as(modules, ({ load }) => assert.throws(load, (error) =>
        error.code === 'ERR_DLOPEN_FAILED' &&
        /^nwpool has no addon for Node\.js .*: build it with "node .*"$/
            .test(error.message)));

    put('7', (file) => fs.writeFileSync(file, 'no addon'));
    as('7', ({ load }) =>
        assert.throws(load, /nwpool\.node cannot be loaded by Node\.js v.*: /));

    put('8', (file) => fs.copyFileSync(addon, file));
    as('8', ({ load }) => assert.throws(load, new RegExp(
        `was built for Node\\.js with module version ${modules} and cannot ` +
        'be loaded by Node\\.js v.* \\(module version 8\\) on .*: build it')));
    as('8', () => assert.throws(() => require(addon), {
        code: 'ERR_DLOPEN_FAILED',
        message: 'nwpool was built for Node.js with module version ' +
            `${modules}, but this one has 8`,
    }));

    put(modules, (file) => fs.copyFileSync(addon, file));
    as(modules, ({ load }) => assert.strictEqual(load().encodable(1), true));
}

try {
    testAll();
} finally {
    fs.rmSync(home, { recursive: true });
}
