import { writeFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { Pool } from 'nwpool';

const directory = await mkdtemp(path.join(tmpdir(), 'reload-'));
const module = path.join(directory, 'version.mjs');
const write = (text) => writeFile(module, text);

await write('export const version = () => 1;');
const pool = new Pool({ module, maxWorkers: 2 });
console.log(await pool.run('version'));

await write('export const version = () => 2;');
await pool.reload(); // Tasks go on meanwhile; none is lost or refused.
console.log(await pool.run('version'));

await write('export const version = () => ;');
await pool.reload().catch(({ message }) => console.log(message.split(':')[0]));
console.log(await pool.run('version')); // The old workers stay.

await pool.close();
await rm(directory, { recursive: true });
