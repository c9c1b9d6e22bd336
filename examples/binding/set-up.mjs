import { Pool } from 'nwpool';

const pool = new Pool({
    module: new URL('./database.mjs', import.meta.url),
    maxWorkers: 1,
    workerData: { url: 'db://example' },
    setUp: 'connect', // Before a worker's first task ...
    tearDown: 'disconnect', // ... and after its last one.
    setUpTimeout: 5000,
    tearDownTimeout: 5000,
});

console.log(await pool.run('query', 'rows'));
await pool.close();
