// What the types say to a program that imports the package. It is only compiled:
// where an error is expected there has to be one, and nowhere else.

import { AsyncLocalStorage } from 'async_hooks';
import { MessageChannel, SHARE_ENV } from 'worker_threads';
import type { MessagePort } from 'worker_threads';

import nwpool, { Pool, PoolError, poolify, poolifyAll, transfer } from 'nwpool';
import type { PoolErrorCode, PoolOptions, PoolStats, Task, TaskInfo,
    TaskOptions, TaskStream } from 'nwpool';

type Tasks = typeof import('./tasks.js');

// Neither is any, and both are the same.
type Same<A, B> = (<T, >() => T extends A ? 1 : 2) extends
    (<T, >() => T extends B ? 1 : 2) ? true : false;
function expectType<T>() {
    return <V, >(_value: V, _same: Same<V, T>) => {};
}

// -- poolify() of functions

const add = poolify((a: number, b: number) => a + b);
expectType<Promise<number>>()(add(1, 2), true);
// @ts-expect-error Parameters are the function's.
add(1, '2');
// @ts-expect-error All of them.
add(1);
expectType<Promise<number>>()(add.with({ priority: 1 })(1, 2), true);
// @ts-expect-error It has no such option.
add.with({ prio: 1 });
expectType<string>()(add.name, true);
expectType<Pool>()(add.pool, true);

const later = poolify(async (text: string, limit?: number) =>
    ({ text, limit }));
expectType<Promise<{ text: string; limit: number | undefined }>>()(
    later('x'), true);

const range = poolify(function* range(to: number) {
    for (let i = 0; i < to; i++) {
        yield i;
    }
    return 'done';
});
expectType<TaskStream<number, string>>()(range(3), true);
expectType<TaskStream<number, string>>()(range.with({ runLimit: 9 })(3), true);
const items: AsyncIterableIterator<number> = range(3);
for await (const item of poolify(async function* () {
    yield 'x';
})()) {
    expectType<string>()(item, true);
}
const step = await range(1).next();
if (step.done) {
    expectType<string>()(step.value, true);
} else {
    expectType<number>()(step.value, true);
}

const untyped = poolify((x: any): any => x);
expectType<Promise<any>>()(untyped(1), true);

// @ts-expect-error Not a function, and no place of a module.
poolify(5);
poolify(() => 1, { maxWorkers: 2, name: 'one' });
poolify(() => 1, { pool: add.pool, name: 'one' });
// @ts-expect-error With a pool there are no options of one.
poolify(() => 1, { pool: add.pool, maxWorkers: 2 });
// @ts-expect-error Functions have no module.
poolify(() => 1, { module: './x.mjs' });

// -- poolify() of modules

const url = new URL('./tasks.mjs', import.meta.url);
const greet = poolify<Tasks['default']>(url);
expectType<Promise<string>>()(greet('x'), true);
const rows = poolify<Tasks['rows']>('./tasks.mjs', { name: 'rows' });
expectType<Promise<number>>()(rows('x'), true);
expectType<TaskStream<string[], number>>()(rows.stream('x'), true);
expectType<Promise<any>>()(poolify(url, { name: 'add' })(1, 'anything'), true);

const tasks = poolifyAll<Tasks>(url, { maxWorkers: 2 });
expectType<Promise<string>>()(tasks.default('x'), true);
expectType<Promise<number>>()(tasks.add(1, 2), true);
expectType<Promise<Uint8Array>>()(tasks.load('x'), true);
expectType<Promise<number>>()(tasks.rows('x'), true);
expectType<TaskStream<string[], number>>()(tasks.rows.stream('x'), true);
expectType<TaskStream<number, string>>()(tasks.count.stream(1), true);
expectType<Promise<string>>()(tasks.count(1), true);
expectType<Promise<void>>()(tasks.nothing(), true);
// @ts-expect-error Parameters are the function's.
tasks.add('1', 2);
// @ts-expect-error It exports no such function.
tasks.subtract;
// @ts-expect-error That is no function.
tasks.version;
// @ts-expect-error That is a class.
tasks.Thing;
expectType<Promise<any>>()(poolifyAll(url)['anything']!(1, 2), true);

// -- pools

const options: PoolOptions = {
    module: url,
    name: 'types',
    minWorkers: 0,
    maxWorkers: 4,
    spares: 1,
    concurrency: 2,
    idleTimeout: Infinity,
    queueMax: 10,
    queueBytesMax: 2 ** 40,
    highWater: 80,
    lowWater: 50,
    ageing: 10,
    expiry: 10,
    runLimit: 10,
    escalation: 10,
    interruptible: true,
    cancel: 'interrupt',
    wait: 100,
    setUp: 'open',
    tearDown: 'close',
    setUpTimeout: 10,
    tearDownTimeout: 10,
    recycleTasks: 10,
    recycleAge: 10,
    recycleMemory: 10,
    resourceLimits: { maxOldGenerationSizeMb: 100, stackSizeMb: 4 },
    env: { A: 'b' },
    argv: ['a', 1],
    execArgv: ['--no-warnings'],
    workerData: { any: 'thing' },
    trackUnmanagedFds: false,
    stdout: process.stdout,
    stderr: 'ignore',
    context: new AsyncLocalStorage<number>(),
};
// @ts-expect-error A pool needs a module.
new Pool({});
// @ts-expect-error There is no such option.
new Pool({ module: url, maxThreads: 2 });
new Pool({ module: url, env: SHARE_ENV });

const any = new Pool(options);
expectType<Promise<any>>()(any.run('anything', { a: 1 }), true);
expectType<Promise<any>>()(any.apply('anything', [1, 2]), true);
any.run('nothing');
const { signal } = new AbortController();
const all: TaskOptions = { signal, priority: -8, expiry: 1, runLimit: 1,
    interruptible: true, cancel: 'ask', escalation: Infinity, retries: 1,
    transfer: [new ArrayBuffer(1)], wait: true, onMessage: () => {} };
any.run('anything', undefined, all);
// @ts-expect-error It has no such option.
any.run('anything', 1, { timeout: 5 });
// @ts-expect-error It is 'ask', 'interrupt' or 'end'.
any.run('anything', 1, { cancel: 'kill' });

const pool = new Pool<Tasks>({ module: url });
expectType<Promise<string>>()(pool.run('default', 'x'), true);
expectType<Promise<Uint8Array>>()(
    pool.run('load', 'x', { signal }), true);
expectType<Promise<number>>()(pool.apply('add', [1, 2]), true);
expectType<Promise<void>>()(pool.run('nothing'), true);
// @ts-expect-error It exports no such function.
pool.run('subtract', 1);
// @ts-expect-error It needs two arguments: apply().
pool.run('add', 1);
// @ts-expect-error It needs one.
pool.run('load');
// @ts-expect-error Of that type.
pool.run('load', 5);
// @ts-expect-error Two numbers.
pool.apply('add', [1, '2']);
expectType<TaskStream<string[], number>>()(pool.stream('rows', 'x'), true);
expectType<TaskStream<number, string>>()(
    pool.streamApply('count', [1], { runLimit: 1 }), true);
expectType<TaskStream<any, unknown>>()(pool.stream('read', 'x'), true);
expectType<Promise<string[]>>()(pool.runOnEach('default', 'x'), true);
expectType<Promise<string[]>>()(
    pool.map('default', new Set(['x']), { concurrency: 2, signal }), true);
expectType<Promise<PromiseSettledResult<string>[]>>()(
    pool.map('default', ['x'], { settle: 'allSettled' }), true);
// @ts-expect-error Items are the function's argument.
pool.map('default', [1]);

expectType<Promise<void>>()(pool.ready(2), true);
expectType<PoolStats | undefined>()(pool.stats(), true);
expectType<number | undefined>()(pool.stats()?.runTimes.p99, true);
expectType<TaskInfo[]>()(pool.tasks(), true);
await pool.reload();
await pool.reload(url);
await pool.close();
await pool.destroy();
{
    await using scoped = new Pool<Tasks>({ module: url });
    await scoped.run('default', 'x');
}

pool.on('workerExited', ({ worker, exitCode, reason, error }) => {
    expectType<number>()(worker, true);
    expectType<number>()(exitCode, true);
    expectType<string>()(reason, true);
    expectType<PoolError | undefined>()(error, true);
}).once('workerReplaced', ({ replacement }) =>
    expectType<number>()(replacement, true));
pool.on('output', ({ fd, chunk }) => {
    expectType<1 | 2>()(fd, true);
    expectType<Buffer>()(chunk, true);
});
pool.on('event', (event) => {
    if (event.type === 'taskRetried') {
        expectType<number>()(event.task, true);
    }
});
// @ts-expect-error There is no such event.
pool.on('error', () => {});

// -- errors

try {
    await pool.run('default', 'x');
} catch (error) {
    if (error instanceof PoolError) {
        expectType<PoolErrorCode>()(error.code, true);
        expectType<number | undefined>()(error.exitCode, true);
        // @ts-expect-error There is no such code.
        error.code === 'NW_ENONE';
    }
}

// -- transfer, and what a worker has

expectType<Promise<Uint8Array<ArrayBuffer>>>()(poolify((bytes: Uint8Array) =>
    nwpool.transfer(new Uint8Array(bytes)))(transfer(new Uint8Array(1))), true);
expectType<{ port: MessagePort }>()(
    transfer({ port: new MessageChannel().port1 }, []), true);
expectType<Task | undefined>()(nwpool.task, true);
expectType<Promise<void> | undefined>()(globalThis.nwpool.task?.send(1), true);
expectType<any>()(nwpool.context, true);
// @ts-expect-error A member of the default export alone: it changes.
import { task } from 'nwpool';
export { items, task };
