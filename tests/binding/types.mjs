// The package's types with `tsc --strict`: what has to compile does, what has to
// be an error is one. TypeScript is installed into a scratch directory.
//
//   node types.mjs [PACKAGE]
//
// PACKAGE is an unpacked package, by default binding/. Exits with 77 where
// TypeScript cannot be installed.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const given = path.resolve(process.argv[2] ??
    path.join(here, '../../binding'));
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'nwpool-types-'));

function run(command, ...args) {
    return spawnSync(command, args,
        { cwd: scratch, stdio: ['ignore', 'inherit', 'inherit'] }).status;
}

function test() {
    fs.cpSync(path.join(here, 'types'), scratch, { recursive: true });
    if (run('npm', 'ci', '--no-audit', '--no-fund') !== 0) {
        return 77;
    }
    fs.symlinkSync(given, path.join(scratch, 'node_modules/nwpool'));
    // As installed: the types it needs are looked for beside it.
    return run(process.execPath, 'node_modules/typescript/bin/tsc',
        '--preserveSymlinks', '--project', '.');
}

try {
    process.exitCode = test();
} finally {
    fs.rmSync(scratch, { recursive: true });
}
