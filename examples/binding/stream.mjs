import { Pool, poolify } from 'nwpool';

const pool = new Pool({ module: new URL('./tasks.mjs', import.meta.url) });

for await (const line of pool.stream('lines', 3)) {
    console.log(line);
}

// To leave the loop is to cancel the task: `finally` blocks run over there.
for await (const line of pool.stream('lines', Infinity)) {
    console.log(`${line} is enough`);
    break;
}

// A generator that is sent by its source gives an iterator at once.
const countdown = poolify(function* countdown(from) {
    for (let n = from; n > 0; n--) {
        yield n;
    }
});
for await (const n of countdown(2)) {
    console.log(n);
}
await pool.close();
