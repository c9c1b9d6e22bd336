// Run by npm once the package is unpacked: a prebuilt addon that fits is all it
// takes, else the addon is built from the sources beside it.

'use strict';

const { spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');

const { candidates, load, loadFile } = require('../lib/load.js');

// Of a C library that is too old for it, or another one, it cannot be loaded.
function hasPrebuilt() {
    if (process.env.npm_config_build_from_source ||
        !fs.existsSync(candidates[0])) {
        return false;
    }
    try {
        loadFile(candidates[0]);
        return true;
    } catch (error) {
        console.error(`nwpool: ${error.message}`);
        fs.rmSync(candidates[0]); // What is built would not be found.
        return false;
    }
}

// False: it has said why not.
function buildFromSource() {
    return spawnSync(process.execPath, [path.join(__dirname, '../build.js')],
        { stdio: 'inherit' }).status === 0;
}

try {
    if (!hasPrebuilt()) {
        if (buildFromSource()) {
            load();
        } else {
            process.exitCode = 1;
        }
    }
} catch (error) {
    console.error(`nwpool: ${error.message}`);
    process.exitCode = 1;
}
