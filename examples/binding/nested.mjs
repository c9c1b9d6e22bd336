import { poolify } from 'nwpool';

const sum = poolify(new URL('./sum.mjs', import.meta.url), { maxWorkers: 2 });

console.log(await sum(Array.from({ length: 100 }, (_, i) => i)));
console.log(sum.pool.stats().done); // Tasks.
