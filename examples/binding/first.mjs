import { poolify } from 'nwpool';

const fib = poolify(function fib(n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
});

// On as many threads as there are CPUs.
console.log(await Promise.all([25, 26, 27].map((n) => fib(n))));
