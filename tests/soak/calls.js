// Calls the C functions of calls.c, and dies now and then with calls open.

exports.turn = async (count, dies) => {
    const { add, later } = nwpool.functions;
    const promises = [];
    for (let i = 0; i < count; i++) {
        promises.push(later(add(i, 1)));
    }
    if (dies) {
        await promises[0];
        process.exit(1);
    }
    return (await Promise.all(promises)).reduce((a, b) => a + b, 0);
};
