// Heaps that are full: step by step, or at once where V8 knows no way out.

'use strict';

exports.inc = (n) => n + 1;

exports.fill = () => {
    const kept = [];
    for (;;) {
        kept.push({ a: kept.length, b: [kept.length] });
    }
};

exports.bigArray = () => new Array(2 ** 27).fill(1.5).length;

exports.bigJson = () =>
    JSON.parse(`[${'{"a":[1,2,3]},'.repeat(4e6)}1]`).length;
