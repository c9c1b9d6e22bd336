import { Pool } from 'nwpool';

const pool = new Pool({
    module: new URL('./tasks.mjs', import.meta.url),
    maxWorkers: 1,
});
const order = [];

async function add(label, priority) {
    await pool.run('wait', 1, { priority });
    order.push(label);
}

const busy = pool.run('wait', 100);
await Promise.all([busy, add('usual', 0), add('low', -8),
    add('usual too', 0), add('urgent', 7)]);
console.log(order.join(', '));
await pool.close();
