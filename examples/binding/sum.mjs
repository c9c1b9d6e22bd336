// What nested.mjs runs.

import { poolify } from 'nwpool';

const sumOf = poolify(import.meta.url); // Of this module, as over there.

export default async function sum(numbers) {
    if (numbers.length < 3) {
        return numbers.reduce((total, n) => total + n, 0);
    }
    const middle = numbers.length >> 1;
    const [left, right] = await Promise.all([
        sumOf(numbers.slice(0, middle)),
        sumOf(numbers.slice(middle)),
    ]);
    return left + right;
}
