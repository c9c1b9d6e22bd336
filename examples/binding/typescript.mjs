// Needs Node.js 22.18, which strips types by itself.

import { poolifyAll } from 'nwpool';

// With an older one add a loader: `execArgv: ['--import', 'tsx']`.
const module = new URL('./typescript-tasks.ts', import.meta.url);
const tasks = poolifyAll(module, { maxWorkers: 1 });

console.log(await tasks.twice(21));
