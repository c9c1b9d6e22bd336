// A small run of leaks.mjs.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { test } from 'node:test';

import { here } from './tools.mjs';

test('what pools take comes back', { timeout: 300_000 }, async () => {
    const child = spawn(process.execPath, ['--expose-gc',
        path.join(here, 'leaks.mjs'), '--tasks', '40000', '--pools', '40',
        '--workers', '40'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (chunk) => {
            text += chunk;
        });
    }
    const [code, signal] = await once(child, 'close');
    assert.deepEqual([code, signal], [0, null], text);
});
