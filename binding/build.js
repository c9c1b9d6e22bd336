#!/usr/bin/env node
// Builds nwpool.node, the addon that this package loads, with the system's C
// and C++ compilers and nothing else.
//
//   node build.js [--headers DIR] [--modules N] [--output DIR] [--testing]
//
// For the Node.js that runs it, or for the one of module version N, whose
// headers are in DIR. The addon is DIR/nwpool.node, by default in
// build/<module version>/ here. It takes Node's, V8's and libuv's symbols from
// the program that loads it and is linked to none of them: a second copy of V8
// in one process ends it.
//
// What is compiled is binding/*.c and what src/CMakeLists.txt and
// pool/CMakeLists.txt list, but for what starts a Node.js of its own, which
// binding/runtime.c stands in for. With --testing it has what tests/binding/
// asks for, too.

'use strict';

const { spawn } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

// The C sources: of the package, or of the repository.
const root = [path.join(__dirname, 'native'), path.dirname(__dirname)]
    .find((directory) => fs.existsSync(path.join(directory, 'src')));

// JSON by jansson is for C alone.
const left_out = ['src/json.c', 'src/runtime.c', 'src/engine/engine.cc'];

const common = ['-O2', '-fPIC', '-fvisibility=hidden',
    '-fno-omit-frame-pointer', '-ffunction-sections', '-fdata-sections',
    '-D_GNU_SOURCE', '-Wall', '-Wextra'];
const c_flags = ['-std=gnu11', ...common];
// Node.js has no type information for the classes that we derive from.
const cxx_flags = [...common, '-fno-rtti', '-fno-exceptions',
    '-Wno-unused-parameter'];
const link_flags = ['-shared', '-Wl,-z,now', '-Wl,-z,nodelete',
    '-Wl,--as-needed', '-Wl,--gc-sections', '-static-libstdc++', '-pthread'];

class Problem extends Error {}

// -- which Node.js

function parseArguments() {
    const given = { modules: process.versions.modules };
    const list = process.argv.slice(2);

    while (list.length > 0) {
        const name = list.shift().replace(/^--/, '');
        if (name === 'testing') {
            given.testing = true;
            continue;
        }
        if (!['headers', 'modules', 'output'].includes(name) ||
            list.length === 0) {
            throw new Problem(
                'usage: build.js [--headers DIR] [--modules N] [--output DIR] ' +
                '[--testing]');
        }
        given[name] = list.shift();
    }
    return given;
}

function readVersion(directory) {
    try {
        const text =
            fs.readFileSync(path.join(directory, 'node_version.h'), 'utf8');
        const number = (name) =>
            new RegExp(`#define ${name} (\\d+)`).exec(text)?.[1];
        return { major: Number(number('NODE_MAJOR_VERSION')),
            modules: number('NODE_MODULE_VERSION') };
    } catch {
        return undefined;
    }
}

function headerDirectories(given) {
    if (given.headers !== undefined) {
        return [given.headers];
    }
    const nodedir = process.env.npm_config_nodedir;
    const bin = path.dirname(fs.realpathSync(process.execPath));
    return [
        ...(nodedir ? [path.join(nodedir, 'include/node')] : []),
        path.join(bin, '../include/node'),
        path.join(bin, 'include/node'),
        path.join(os.homedir(), '.cache/node-gyp', process.versions.node,
            'include/node'),
        '/usr/include/node',
    ];
}

function findHeaders(given) {
    const looked = [];

    for (const directory of headerDirectories(given)) {
        const version = readVersion(directory);
        if (version?.modules === given.modules) {
            return { directory, ...version };
        }
        looked.push(version === undefined ? `${directory} (none)` :
            `${directory} (module version ${version.modules})`);
    }
    throw new Problem(`the headers of Node.js with module version ${
        given.modules} are needed and were not found in ${looked.join(', ')}; ` +
        'install them, or name their directory with --headers or ' +
        'npm_config_nodedir');
}

// Another layout of V8's objects, of which the module version says nothing.
function checkConfiguration(headers) {
    let text = '';

    try {
        text = fs.readFileSync(path.join(headers.directory, 'config.gypi'),
            'utf8');
    } catch {
        return; // Not all have it.
    }
    if (/v8_enable_(pointer_compression|sandbox)['"]: *1/.test(text)) {
        throw new Problem('this Node.js was built with V8\'s pointer ' +
            'compression or sandbox, with which nwpool does not work');
    }
}

// -- what to compile

function listedSources(directory) {
    const list =
        fs.readFileSync(path.join(root, directory, 'CMakeLists.txt'), 'utf8');

    return /nw_sources\(([^)]*)\)/.exec(list)[1].trim().split(/\s+/)
        .map((file) => `${directory}/${file}`);
}

function sources(given) {
    const own = fs.readdirSync(path.join(root, 'binding'))
        .filter((file) => file.endsWith('.c')).map((file) => `binding/${file}`);

    return [...listedSources('src'), ...listedSources('pool'), ...own,
        ...(given.testing ? ['tests/binding/testing.c'] : [])]
        .filter((file) => !left_out.includes(file));
}

function hexLines(bytes) {
    const lines = [];

    for (let at = 0; at < bytes.length; at += 16) {
        lines.push([...bytes.subarray(at, at + 16)].join(',') + ',\n');
    }
    return lines.join('');
}

// As cmake/EmbedScripts.cmake does.
function embedScripts(output) {
    const directory = path.join(root, 'src/js');
    const list = fs.readFileSync(path.join(directory, 'scripts.list'), 'utf8')
        .split('\n').filter((line) => /^[a-z]/.test(line));
    const text = ['#include "src/js/scripts.h"\n'];

    for (const line of list) {
        const [name, ...files] = line.trim().split(/\s+/);
        const script = Buffer.concat([
            Buffer.from('(function () {\'use strict\';\n'),
            ...files.map((file) => fs.readFileSync(path.join(directory, file))),
            Buffer.from(`})();\n//# sourceURL=nwpool:${name}\n`),
        ]);
        text.push(`const char nw__script_${name}[] = {\n`, hexLines(script),
            '0};\n');
    }
    fs.writeFileSync(output, text.join(''));
}

// -- running compilers

function run(command, args) {
    return new Promise((resolve, reject) => {
        const child = spawn(command, args, { cwd: root,
            stdio: ['ignore', 'inherit', 'inherit'] });

        child.on('error', (error) => reject(new Problem(
            `nwpool is built from C and C++ and needs "${command}", which ` +
            `cannot be run (${error.code}): install a compiler (on Debian the ` +
            'packages gcc and g++), or name one with CC and CXX')));
        child.on('exit', (code, signal) => code === 0 ? resolve() :
            reject(new Problem(`"${command}" failed (${signal ?? code}) with ${
                args.at(-1)}`)));
    });
}

// The words of an environment variable that names a program.
function program(name, otherwise) {
    return (process.env[name] || otherwise).split(/\s+/).filter(Boolean);
}

async function runAll(commands) {
    const waiting = [...commands];

    async function work() {
        while (waiting.length > 0) {
            await run(...waiting.shift());
        }
    }
    await Promise.all(Array.from({ length: os.cpus().length || 1 }, work));
}

async function build() {
    const given = parseArguments();
    const headers = findHeaders(given);
    const output = path.resolve(
        given.output ?? path.join(__dirname, 'build', headers.modules));
    const objects = path.join(output, 'objects');
    const generated = path.join(objects, 'scripts.c');
    const addon = path.join(output, 'nwpool.node');
    const cc = program('CC', 'cc');
    const cxx = program('CXX', 'c++');
    const includes = ['-I.', '-Iinclude', '-isystem',
        path.resolve(headers.directory),
        ...(given.testing ? ['-DNW_TESTING'] : [])];
    const linked = [];

    checkConfiguration(headers);
    fs.mkdirSync(objects, { recursive: true });
    embedScripts(generated);
    const commands = [...sources(given), generated].map((file) => {
        const object =
            path.join(objects, path.basename(file, '.c').replace('.cc', '_cc') +
                `-${linked.length}.o`);
        linked.push(object);
        return file.endsWith('.cc') ?
            [cxx[0], [...cxx.slice(1),
                headers.major < 22 ? '-std=gnu++17' : '-std=gnu++20',
                ...cxx_flags, ...includes, '-o', object, '-c', file]] :
            [cc[0], [...cc.slice(1), ...c_flags, ...includes, '-o', object,
                '-c', file]];
    });
    await runAll(commands);
    // In one step: whoever loads it meanwhile has the old one or the new one.
    const map = path.join(root, 'binding/addon.map');
    await run(cxx[0], [...cxx.slice(1), ...link_flags,
        `-Wl,--version-script=${map}`, ...linked, '-o', `${addon}.new`]);
    fs.renameSync(`${addon}.new`, addon);
    fs.rmSync(objects, { recursive: true });
    return addon;
}

build().then((addon) => console.log(addon), (error) => {
    console.error(`nwpool: ${
        error instanceof Problem ? error.message : error.stack}`);
    process.exitCode = 1;
});
