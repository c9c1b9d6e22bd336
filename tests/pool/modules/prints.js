// What tasks print, in every way in which one can.

const { setTimeout: sleep } = require('timers/promises');

exports.prints = (text) => {
    process.stdout.write(text);
    process.stderr.write(`${text}!`);
};
exports.printsLater = async (text, ms) => {
    await sleep(ms);
    process.stdout.write(text);
    await null;
    process.stdout.write(text);
};
exports.printsAndExits = (text) => {
    process.stdout.write(text);
    process.exit(3);
};
exports.printsBehind = (text) => {
    setImmediate(() => process.stdout.write(text));
};
exports.printsLines = (count) => {
    for (let i = 0; i < count; i++) {
        process.stdout.write(`${'x'.repeat(999)}\n`);
    }
    process.exit(4);
};
exports.nothing = () => {};
