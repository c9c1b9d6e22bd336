// Finds the addon that fits this Node.js and loads it. What comes with the
// package is in prebuilds/, what was built here in build/.

'use strict';

const fs = require('fs');
const path = require('path');

const { modules } = process.versions;
const home = path.dirname(__dirname);

// In the order in which they are tried.
const candidates = [
    path.join(home, 'prebuilds',
        `${process.platform}-${process.arch}-${modules}`, 'nwpool.node'),
    path.join(home, 'build', modules, 'nwpool.node'),
];

const thisNode = `Node.js ${process.version} (module version ${modules}) on ${
    process.platform}-${process.arch}`;

const wayOut = `build it with "node ${path.join(home, 'build.js')}"`;

function fail(message, cause) {
    const error = new Error(message);

    error.code = 'ERR_DLOPEN_FAILED';
    if (cause !== undefined) {
        error.cause = cause;
    }
    throw error;
}

// The module version that the addon was built for, see addon.c. Only asked once
// it could not be loaded.
function builtFor(file) {
    try {
        return /nwpool was built for Node\.js with module version (\d+)/
            .exec(fs.readFileSync(file, 'latin1'))?.[1];
    } catch {
        return undefined;
    }
}

// Loads one file, or throws one sentence.
function loadFile(file) {
    try {
        return require(file);
    } catch (error) {
        const built = builtFor(file);
        return fail(built !== undefined && built !== modules ?
            `${file} was built for Node.js with module version ${
                built} and cannot be loaded by ${thisNode}: ${wayOut}` :
            `${file} cannot be loaded by ${thisNode}: ${error.message}`,
        error);
    }
}

function load() {
    const file = candidates.find((candidate) => fs.existsSync(candidate));

    return file !== undefined ? loadFile(file) :
        fail(`nwpool has no addon for ${thisNode}, neither ${
            candidates.join(' nor ')}: ${wayOut}`);
}

module.exports = { candidates, load, loadFile };
