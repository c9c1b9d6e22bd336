import { poolify } from 'nwpool';

const sum = poolify(async function sum(numbers) {
    let total = 0;
    for (const [i, n] of numbers.entries()) {
        total += n;
        await nwpool.task.send(`${i + 1} of ${numbers.length}`);
    }
    return total;
});

const watched = sum.with({ onMessage: (text) => console.log(text) });
console.log(await watched([10, 20, 30]));
