// Tasks that get and give ports.

'use strict';

const { MessageChannel } = require('worker_threads');

exports.say = (port, text) => {
    port.postMessage(text);
    port.close();
    return 'said';
};

exports.give = () => {
    const { port1, port2 } = new MessageChannel();

    port2.postMessage('from give');
    port2.on('message', (m) => port2.postMessage(['echo', m]));
    return nwpool.transfer(port1, [port1]);
};
