import { AsyncLocalStorage } from 'node:async_hooks';

import { poolify } from 'nwpool';

const request = new AsyncLocalStorage();
const handle = poolify(function handle(n) {
    return `request ${nwpool.context.id}: ${n * n}`; // The store, over there.
}, { context: request });

const serve = (id) => request.run({ id }, () => handle(id));
console.log(await Promise.all([serve(1), serve(2)]));

// Here it follows a task into `await`, `.then` and callbacks, as any other.
await request.run({ id: 3 }, () =>
    handle(3).then(() => console.log(request.getStore())));
