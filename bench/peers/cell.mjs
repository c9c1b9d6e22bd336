// One cell of the matrix, in a process of its own: cell.mjs COLUMN ROW. The
// answer goes to descriptor 3 as JSON, as tasks and libraries may print, and as
// an IPC channel would make workerpool believe that it is in a worker.

import { writeSync } from 'node:fs';

import { loadColumns } from './adapters/index.mjs';
import { rows } from './rows.mjs';

const { columns } = await loadColumns([process.argv[2]]);
const row = rows[Number(process.argv[3])];
const [column] = columns;

const pool = column.open({ min: 1, max: 1, ...row.pool });
const outcome = await row.run(pool, column.can);

writeSync(3, JSON.stringify(outcome));
if (!row.open) {
    process.exit();
}
