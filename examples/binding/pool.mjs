import { Pool } from 'nwpool';

const pool = new Pool({ module: new URL('./tasks.mjs', import.meta.url) });

console.log(await pool.run('square', 12)); // One argument.
console.log(await pool.apply('add', [1, 2])); // Any number of them.
console.log(await pool.run('default', 'pool'));
await pool.close();
