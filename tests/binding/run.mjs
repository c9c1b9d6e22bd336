#!/usr/bin/env node
// Runs the tests of the npm package with one Node.js, as its users have it: by the
// name `nwpool`, from a project outside of the repository.
//
//   node run.mjs [--node NODE] [--project DIR | --addon FILE | --no-build]
//       [TEST...]
//
// NODE is by default the one that runs this. In DIR the package is installed. Else
// a project is made, with the scripts of binding/ and the addon that FILE is, or
// with a link to binding/, for which the addon is built before, or has been. TESTs
// are names of files here; by default all.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = path.dirname(fileURLToPath(import.meta.url));
const binding = path.join(here, '../../binding');

const { values: given, positionals } = parseArgs({
    allowPositionals: true,
    options: {
        node: { type: 'string', default: process.execPath },
        project: { type: 'string' },
        addon: { type: 'string' },
        'no-build': { type: 'boolean', default: false },
    },
});

const isTest = (file) => /\.test\.[cm]js$/.test(file);

// False: it has said why not.
function run(args, options) {
    const env = { ...process.env };
    delete env.NODE_OPTIONS;
    const { status, error } = spawnSync(given.node, args,
        { stdio: 'inherit', env, ...options });
    if (error !== undefined) {
        console.error(String(error));
    }
    return status === 0;
}

function modulesOf(node) {
    return spawnSync(node, ['-p', 'process.versions.modules'],
        { encoding: 'utf8' }).stdout.trim();
}

function makePackage(directory) {
    const build = path.join(directory, 'build', modulesOf(given.node));
    fs.mkdirSync(build, { recursive: true });
    fs.symlinkSync(path.resolve(given.addon), path.join(build, 'nwpool.node'));
    for (const file of ['index.js', 'index.mjs', 'package.json', 'lib']) {
        fs.cpSync(path.join(binding, file), path.join(directory, file),
            { recursive: true });
    }
    return true;
}

function install(project) {
    const directory = path.join(project, 'node_modules/nwpool');
    fs.mkdirSync(path.dirname(directory));
    if (given.addon !== undefined) {
        return makePackage(directory);
    }
    fs.symlinkSync(fs.realpathSync(binding), directory);
    return given['no-build'] || run([path.join(binding, 'build.js')]);
}

// Copies: Node.js looks for packages where a file really is.
function copyTests(project) {
    const directory = fs.mkdtempSync(path.join(project, 'tests-'));
    for (const file of fs.readdirSync(here)) {
        if (/\.[cm]js$/.test(file) || file === 'tasks') {
            fs.cpSync(path.join(here, file), path.join(directory, file),
                { recursive: true });
        }
    }
    return directory;
}

function runTests(directory) {
    const files = positionals.length > 0 ?
        positionals.map((file) => path.basename(file)) :
        fs.readdirSync(directory).filter(isTest).sort();
    return run(['--test', '--test-reporter=spec', ...files],
        { cwd: directory });
}

function main() {
    const project = given.project !== undefined ? path.resolve(given.project) :
        fs.mkdtempSync(path.join(os.tmpdir(), 'nwpool-project-'));
    let directory;
    try {
        if (given.project === undefined && !install(project)) {
            return false;
        }
        directory = copyTests(project);
        return runTests(directory);
    } finally {
        fs.rmSync(given.project === undefined ? project : directory ?? '',
            { recursive: true, force: true });
    }
}

process.exitCode = main() ? 0 : 1;
