import { Pool } from 'nwpool';

const module = new URL('./tasks.mjs', import.meta.url);

// close(): what was accepted is finished, nothing else is.
const orderly = new Pool({ module });
const accepted = orderly.run('wait', 50);
const closed = orderly.close();
console.log(await orderly.run('wait', 50).catch(({ code }) => code));
console.log(await accepted);
await closed;

// destroy(): now.
const sudden = new Pool({ module });
const lost = sudden.run('spin').catch(({ code }) => code);
await sudden.destroy();
console.log(await lost);

// A pool that is idle, and was not closed, lets the process exit.
console.log(await new Pool({ module }).run('square', 7));
