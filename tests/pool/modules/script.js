// CommonJS, as `.js` is without a package that says otherwise.

'use strict';

exports.form = () => 'commonjs';
exports.count = (...values) => values.length;
exports.names = function () {
    return [this === undefined, typeof require, typeof exports];
};
exports.sum = (...values) => values.reduce((sum, value) => sum + value, 0);
exports.größe = () => 'größe';
exports['名前'] = () => '名前';
exports['with space'] = () => 'with space';
exports.toString = () => 'my own';
exports.text = 'not a function';
exports.nothing = null;

// -- ways to give a result

exports.plain = () => 1;
exports.later = async () => 2;
exports.promise = () => Promise.resolve(Promise.resolve(3));
exports.thenable = () => ({ then: (resolve) => resolve(4) });
exports.slowThenable = () => ({
    then: (resolve) => setTimeout(resolve, 1, 5),
});
exports.functionThenable = () =>
    Object.assign(() => {}, { then: (resolve) => resolve(6) });
exports.rejectingThenable = () => ({
    then: (resolve, reject) => reject(new Error('no')),
});
exports.throwingThen = () => ({
    then() {
        throw new Error('then threw');
    },
});
exports.throwingGetter = () => ({
    get then() {
        throw new Error('the getter threw');
    },
});
exports.twice = () => ({
    then(resolve) {
        resolve(7);
        resolve(8);
        throw new Error('too late');
    },
});
exports.notThenable = () => ({ then: 9 });
