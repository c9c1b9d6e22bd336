// Makes the npm package: stages it outside of git and runs `npm pack`.
//
//   node pack.js [--output DIR] [NODE...]
//
// With one prebuilt addon for each Node.js given, programs with their headers
// beside them; by default for the one that runs this and for those that
// tests/oracle/nodes.sh keeps. The package is in DIR, by default build-npm/ in
// the repository, as nwpool-<version>.tgz.

'use strict';

const { execFileSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

const binding = path.dirname(__dirname);
const repository = path.dirname(binding);

function cachedNodes() {
    const cache = path.join(
        process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'),
        'nwpool/nodes');

    if (!fs.existsSync(cache)) {
        return [];
    }
    return fs.readdirSync(cache).sort()
        .map((version) => path.join(cache, version))
        .filter((home) => fs.existsSync(path.join(home, 'include/node')))
        .map((home) => path.join(home, 'node'));
}

function parseArguments() {
    const list = process.argv.slice(2);
    let output = path.join(repository, 'build-npm');

    if (list[0] === '--output' && list.length > 1) {
        output = path.resolve(list[1]);
        list.splice(0, 2);
    }
    if (list.some((argument) => argument.startsWith('-'))) {
        console.error('usage: pack.js [--output DIR] [NODE...]');
        process.exit(2);
    }
    return { output,
        nodes: list.length > 0 ? list : [process.execPath, ...cachedNodes()] };
}

function copy(from, to, isWanted = () => true) {
    fs.cpSync(from, to, { recursive: true, filter: (source) =>
        fs.statSync(source).isDirectory() || isWanted(source) });
}

// All that build.js reads, where it looks for it in a package.
function stageSources(native) {
    const isSource = (file) => /\.(c|cc|h|js|list|map)$/.test(file) ||
        path.basename(file) === 'CMakeLists.txt';

    for (const directory of ['src', 'pool', 'include']) {
        copy(path.join(repository, directory), path.join(native, directory),
            isSource);
    }
    fs.mkdirSync(path.join(native, 'binding'));
    for (const file of fs.readdirSync(binding)) {
        if (/\.(c|h|map)$/.test(file)) {
            fs.copyFileSync(path.join(binding, file),
                path.join(native, 'binding', file));
        }
    }
}

function stage(directory) {
    for (const file of fs.readdirSync(binding)) {
        if (/\.(m?js|m?ts|json|md)$/.test(file)) {
            fs.copyFileSync(path.join(binding, file),
                path.join(directory, file));
        }
    }
    copy(path.join(binding, 'lib'), path.join(directory, 'lib'));
    fs.mkdirSync(path.join(directory, 'scripts'));
    fs.copyFileSync(path.join(__dirname, 'install.js'),
        path.join(directory, 'scripts/install.js'));
    for (const file of ['LICENSE', 'README.md']) {
        if (!fs.existsSync(path.join(directory, file))) {
            fs.copyFileSync(path.join(repository, file),
                path.join(directory, file));
        }
    }
    stageSources(path.join(directory, 'native'));
}

// With the build script of the package, so that it is known to work there. One
// for each module version.
function prebuild(directory, node) {
    const name = execFileSync(node, ['-p',
        '`${process.platform}-${process.arch}-${process.versions.modules}`'],
    { encoding: 'utf8' }).trim();
    const output = path.join(directory, 'prebuilds', name);

    if (!fs.existsSync(output)) {
        execFileSync(node,
            [path.join(directory, 'build.js'), '--output', output],
            { stdio: ['ignore', 'ignore', 'inherit'] });
        console.log(`prebuilt for ${name}`);
    }
}

const { output, nodes } = parseArguments();
const directory = path.join(output, 'package');

fs.rmSync(directory, { recursive: true, force: true });
fs.mkdirSync(directory, { recursive: true });
stage(directory);
for (const node of nodes) {
    prebuild(directory, node);
}
execFileSync('npm', ['pack', '--silent', '--pack-destination', output],
    { cwd: directory, stdio: ['ignore', 'inherit', 'inherit'] });
