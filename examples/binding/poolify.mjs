import { poolify, poolifyAll } from 'nwpool';

const module = new URL('./tasks.mjs', import.meta.url);
const greet = poolify(module); // The default export.
const add = poolify(module, { name: 'add' });
const tasks = poolifyAll(module);
const urgent = tasks.square.with({ priority: 7, runLimit: 1000 });

console.log(await greet('world'));
console.log(await add(1, 2));
console.log(await tasks.square(3), await urgent(4));
console.log(greet.pool === tasks.square.pool); // One for each module.

const factor = 3;
const scale = poolify(function scale(n) {
    return n * factor;
});
await scale(2).catch((error) => console.log(error.message));
