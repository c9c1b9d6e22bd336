// The module of limits.c.

exports.spin = () => {
    for (;;) ;
};

exports.count = async () => {
    const { send, signal } = nwpool.task;
    for (let i = 0; ; i++) {
        signal.throwIfAborted();
        await send(i);
    }
};

exports.quick = () => 'done';
