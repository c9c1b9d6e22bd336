// Shared by all scripts, which it is put in front of.
//
// Objects of Node.js that travel beside a message (src/host.h).

const { MessagePort, receiveMessageOnPort } = require('worker_threads');

// Whether an object can be cloned and whether it can be transferred. Node's own
// marks of that are symbols on the prototype chain; ports are native and have
// none.
function waysOf(object) {
    const ways = { clones: false, moves: object instanceof MessagePort };
    for (let holder = object; holder !== null;
        holder = Object.getPrototypeOf(holder)) {
        for (const symbol of Object.getOwnPropertySymbols(holder)) {
            ways.clones ||= symbol.description === 'messaging_clone_symbol';
            ways.moves ||= symbol.description === 'messaging_transfer_symbol';
        }
    }
    return ways;
}

function canMove(value) {
    return typeof value === 'object' && value !== null &&
        attempt(() => waysOf(value).moves, false);
}

function mustMove(object) {
    const { clones, moves } = waysOf(object);
    return moves && !clones;
}

// What C has to know: for each object its class name and its flags.
function describeHosts(objects) {
    const { KEPT } = native;
    return objects.flatMap((object) => [
        attempt(() => String(object.constructor.name), 'Object'),
        (object instanceof MessagePort ? KEPT.PORT : 0) |
            (mustMove(object) ? KEPT.MUST_MOVE : 0),
    ]);
}
