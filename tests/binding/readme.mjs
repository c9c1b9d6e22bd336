// What binding/README.md shows is what examples/binding/ has, and each example
// prints what the README says: the block below its own.
//
//   node readme.mjs [--update] [PROJECT]
//
// The examples run in a copy, in PROJECT, a directory with the package
// installed, or in one with a link to binding/, where the addon has to be built:
// without it the exit status is 77. --update writes the blocks anew instead of
// comparing them.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const TIMEOUT_MS = 60_000;

const root = fileURLToPath(new URL('../..', import.meta.url));
const readme = path.join(root, 'binding/README.md');
const examples = path.join(root, 'examples/binding');

// A mark, a block, and perhaps a block of what that prints.
const SHOWN = new RegExp('<!-- examples/binding/(\\S+) -->\\n' +
    '```(\\w+)\\n([^]*?)```\\n(?:\\n```text\\n([^]*?)```\\n)?', 'g');

let problems = 0;

function say(text) {
    console.log(text);
    problems++;
}

function makeProject() {
    const project = fs.mkdtempSync(path.join(os.tmpdir(), 'nwpool-readme-'));
    fs.mkdirSync(path.join(project, 'node_modules'));
    fs.symlinkSync(path.join(root, 'binding'),
        path.join(project, 'node_modules/nwpool'));
    return project;
}

// "// Needs Node.js 22.18, ..." on the first line.
function isForThisNode(source) {
    const [, major, minor = 0] =
        /^\/\/ Needs Node\.js (\d+)(?:\.(\d+))?/.exec(source) ?? [, 0];
    const [ours, oursMinor] = process.versions.node.split('.').map(Number);
    return ours > Number(major) ||
        (ours === Number(major) && oursMinor >= Number(minor));
}

function run(file) {
    const { status, signal, stdout, stderr } = spawnSync(process.execPath,
        ['--no-warnings', file], { encoding: 'utf8', timeout: TIMEOUT_MS });
    if (status !== 0 || stderr !== '') {
        say(`${path.basename(file)}: ${signal ?? status}\n${stderr}`);
    }
    return stdout;
}

function check(name, block, output) {
    const file = path.join(examples, name);
    if (!fs.existsSync(file)) {
        say(`${name} is not in examples/binding/`);
        return;
    }
    const source = fs.readFileSync(file, 'utf8');
    if (block !== source) {
        say(`${name} is not what the README shows`);
    }
    if (output === undefined) {
        return; // A module of another example.
    }
    if (!isForThisNode(source)) {
        console.log(`${name}: not in this Node.js`);
        return;
    }
    const printed = run(path.join(copy, name));
    if (printed !== output) {
        say(`${name} prints\n${printed}and should\n${output}`);
    }
}

function update(whole, name, language, block, output) {
    const source = fs.readFileSync(path.join(examples, name), 'utf8');
    const printed = output === undefined || !isForThisNode(source) ? output :
        run(path.join(copy, name));
    return `<!-- examples/binding/${name} -->\n\`\`\`${language}\n${source}` +
        `\`\`\`\n${printed === undefined ? '' :
            `\n\`\`\`text\n${printed}\`\`\`\n`}`;
}

const args = process.argv.slice(2);
const updates = args[0] === '--update' && args.shift() !== undefined;
const [given] = args;
if (given === undefined && !fs.existsSync(
    path.join(root, 'binding/build', process.versions.modules))) {
    console.log('the addon is not built: node binding/build.js');
    process.exit(77);
}
const project = given === undefined ? makeProject() : path.resolve(given);
const copy = fs.mkdtempSync(path.join(project, 'examples-'));
fs.cpSync(examples, copy, { recursive: true });

try {
    const text = fs.readFileSync(readme, 'utf8');
    if (updates) {
        fs.writeFileSync(readme, text.replace(SHOWN, update));
    } else {
        const shown = [...text.matchAll(SHOWN)];
        for (const [, name, , block, output] of shown) {
            check(name, block, output);
        }
        for (const name of fs.readdirSync(examples)) {
            if (!shown.some((match) => match[1] === name)) {
                say(`the README does not show ${name}`);
            }
        }
        console.log(`${shown.length} blocks, ${problems} problems`);
    }
} finally {
    fs.rmSync(given === undefined ? project : copy, { recursive: true });
}
process.exitCode = problems > 0 ? 1 : 0;
