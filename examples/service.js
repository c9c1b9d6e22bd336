'use strict';

// How many primes there are up to `limit`: some work for a worker.
exports.countPrimes = (limit) => {
    if (!(limit >= 0)) throw new RangeError(`${limit} is no limit`);

    const composite = new Uint8Array(limit + 1);
    let count = 0;
    for (let n = 2; n <= limit; n++) {
        if (composite[n]) continue;
        count++;
        for (let m = n * n; m <= limit; m += n) composite[m] = 1;
    }
    return { limit, count };
};
