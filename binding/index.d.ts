// Types of nwpool. README.md says what it all does.

/// <reference types="node" />

import type { AsyncLocalStorage } from 'async_hooks';
import { EventEmitter } from 'events';
import type { SHARE_ENV } from 'worker_threads';

// -- functions and what becomes of them

/** Any function. */
export type AnyFunction = (...args: any[]) => any;

/** Any module: names and functions are not checked. */
export interface AnyModule {
    [name: string]: AnyFunction;
}

/** Names of the functions that a module exports. */
export type FunctionName<M> = {
    [K in keyof M]: M[K] extends AnyFunction ? K : never;
}[keyof M] & string;

/** `M[K]`, which is known to be a function. */
export type FunctionOf<M, K extends keyof M> =
    M[K] extends AnyFunction ? M[K] : never;

type IsAny<T> = 0 extends 1 & T ? true : false;

/** What a task resolves to that returned an `R`: of a generator what that
 *  returns. */
export type ResultOf<R> = ResultOfValue<Awaited<R>>;

type ResultOfValue<V> =
    IsAny<V> extends true ? any :
    V extends AsyncGenerator<any, infer T, any> ? Awaited<T> :
    V extends Generator<any, infer T, any> ? Awaited<T> :
    V extends AsyncIterable<any> ? unknown :
    V;

/** What a task that returned an `R` yields. What a function that is no generator
 *  sends is not known. */
export type ItemOf<R> = ItemOfValue<Awaited<R>>;

type ItemOfValue<V> =
    IsAny<V> extends true ? any :
    V extends AsyncIterable<infer T> ? T :
    V extends IterableIterator<infer T> ? Awaited<T> :
    any;

/** What a task yields or sends, one by one. To leave it is to cancel the task. */
export interface TaskStream<T, R = any> extends AsyncIterableIterator<T> {
    next(): Promise<IteratorResult<T, R>>;
    return(value?: any): Promise<IteratorResult<T, any>>;
    throw(error?: any): Promise<IteratorResult<T, any>>;
    [Symbol.asyncIterator](): this;
}

// -- options

/** How a task that runs is made to end; see README, "Cancellation". */
export type Cancel = 'ask' | 'interrupt' | 'end';

/** What moves instead of being copied. */
export type TransferList = readonly any[];

export interface TaskOptions {
    /** Cancels the task; the promise is rejected with its reason. */
    signal?: AbortSignal | undefined;
    /** -8 to 7, larger is sooner. Default 0. */
    priority?: number | undefined;
    /** Milliseconds in which it has to start, or it never does. */
    expiry?: number | undefined;
    /** Milliseconds that it may run. */
    runLimit?: number | undefined;
    /** Whether its script may be interrupted without ending the worker. */
    interruptible?: boolean | undefined;
    /** What cancellation begins with. */
    cancel?: Cancel | undefined;
    /** Milliseconds until the next step; Infinity: never. */
    escalation?: number | undefined;
    /** How often it may run again after its worker died, to 100. Default 0. */
    retries?: number | undefined;
    /** What of the arguments moves. */
    transfer?: TransferList | undefined;
    /** For room in a full pool: milliseconds, or true for as long as it takes. */
    wait?: boolean | number | undefined;
    /** Gets what it sends with `nwpool.task.send()`, or yields. */
    onMessage?: ((value: any) => void) | undefined;
}

export interface ResourceLimits {
    maxOldGenerationSizeMb?: number | undefined;
    maxYoungGenerationSizeMb?: number | undefined;
    codeRangeSizeMb?: number | undefined;
    stackSizeMb?: number | undefined;
}

/** Where output goes. */
export interface Output {
    write(chunk: Buffer): unknown;
}

/** Times are in milliseconds, and may be Infinity for none. */
export interface PoolOptions {
    /** A path, absolute or relative to the working directory, a file: URL, or
     *  the name of a package. */
    module: string | URL;
    /** Of its threads. Default "nwpool". */
    name?: string | undefined;

    /** Default: as maxWorkers. */
    minWorkers?: number | undefined;
    /** 1 to 1,024. Default: the CPUs that this process may use. */
    maxWorkers?: number | undefined;
    /** Ready workers that take the place of one that ends. Default 0. */
    spares?: number | undefined;
    /** Tasks at a time on one worker, 1 to 1,024. Default 1. */
    concurrency?: number | undefined;
    /** Until a worker beyond minWorkers ends. Default 60,000. */
    idleTimeout?: number | undefined;

    /** Tasks that are accepted and not over. Default 65,536. */
    queueMax?: number | undefined;
    /** Bytes of their arguments. Default 256 MiB. */
    queueBytesMax?: number | undefined;
    /** In percent of either, for the event. Default 80. */
    highWater?: number | undefined;
    /** Default 50. */
    lowWater?: number | undefined;
    /** What a step of priority is worth. Default 1,000. */
    ageing?: number | undefined;
    /** See TaskOptions, as for the next six. Default: none. */
    expiry?: number | undefined;
    /** Default: none. */
    runLimit?: number | undefined;
    /** Default 100. */
    escalation?: number | undefined;
    /** Default false. */
    interruptible?: boolean | undefined;
    /** Default 'ask'. */
    cancel?: Cancel | undefined;
    /** Default false. */
    wait?: boolean | number | undefined;

    /** Name of the function that is awaited before a worker's first task. */
    setUp?: string | undefined;
    /** Name of the one after its last task. */
    tearDown?: string | undefined;
    /** For loading and set-up together. Default 30,000. */
    setUpTimeout?: number | undefined;
    /** Default 1,000. */
    tearDownTimeout?: number | undefined;
    /** A worker is replaced after so many tasks. */
    recycleTasks?: number | undefined;
    /** A worker is replaced when it is so old. */
    recycleAge?: number | undefined;
    /** A worker is replaced when it has so many bytes of memory. */
    recycleMemory?: number | undefined;

    resourceLimits?: ResourceLimits | undefined;
    env?: NodeJS.Dict<string> | typeof SHARE_ENV | undefined;
    argv?: readonly any[] | undefined;
    execArgv?: readonly string[] | undefined;
    workerData?: any;
    trackUnmanagedFds?: boolean | undefined;
    /** What workers print. Default: process.stdout. */
    stdout?: Output | 'ignore' | false | undefined;
    /** Default: process.stderr. */
    stderr?: Output | 'ignore' | false | undefined;
    /** Its store goes into the worker with each task: `nwpool.context`. */
    context?: AsyncLocalStorage<any> | undefined;
}

export interface MapOptions extends TaskOptions {
    /** Tasks on their way. Default: twice what the workers can run at a time. */
    concurrency?: number | undefined;
    /** As Promise.all or Promise.allSettled. Default 'all'. */
    settle?: 'all' | 'allSettled' | undefined;
}

// -- what a pool tells

export interface Times {
    count: number;
    mean: number;
    p50: number;
    p95: number;
    p99: number;
    p999: number;
    max: number;
}

export interface PoolStats {
    submitted: number;
    done: number;
    failed: number;
    /** Of `failed`, as the next four. */
    thrown: number;
    crashed: number;
    timedOut: number;
    expired: number;
    canceled: number;
    /** Submissions that found no room. */
    refused: number;
    retried: number;
    restarts: number;
    recycled: number;
    eventsLost: number;
    waiting: number;
    waitingBytes: number;
    running: number;
    workers: number;
    spares: number;
    starting: number;
    wedged: number;
    isDegraded: boolean;
    hasFailed: boolean;
    /** From acceptance to start, in milliseconds. */
    waitTimes: Times;
    /** From start to end. */
    runTimes: Times;
}

export interface TaskInfo {
    id: number;
    name: string;
    state: 'queued' | 'assigned' | 'running' | 'ending' | 'finished';
    priority: number;
    /** 0: none. */
    worker: number;
    /** Milliseconds since it was accepted. */
    age: number;
    /** Milliseconds since it was started. */
    runTime: number;
}

export interface PoolEvent {
    /** A sentence, or ''. */
    reason: string;
    worker?: number;
    task?: number;
    error?: PoolError;
}

export interface WorkerEvent extends PoolEvent {
    worker: number;
}

export interface WorkerExitedEvent extends WorkerEvent {
    exitCode: number;
}

export interface WorkerReplacedEvent extends WorkerEvent {
    replacement: number;
}

export interface TaskEvent extends PoolEvent {
    task: number;
}

/** What workers print. */
export interface OutputEvent {
    fd: 1 | 2;
    chunk: Buffer;
    task: number | undefined;
}

/** Events that also come as 'event'. */
export interface PoolEvents {
    workerStarted: WorkerEvent;
    workerReady: WorkerEvent;
    workerExited: WorkerExitedEvent;
    workerReplaced: WorkerReplacedEvent;
    workerRecycled: WorkerEvent;
    workerWedged: WorkerEvent;
    degraded: PoolEvent;
    recovered: PoolEvent;
    failed: PoolEvent;
    highWater: PoolEvent;
    lowWater: PoolEvent;
    reloaded: PoolEvent;
    reloadFailed: PoolEvent;
    taskRetried: TaskEvent;
    taskQuarantined: TaskEvent;
}

/** Any of them with its name. */
export type TypedPoolEvent = {
    [K in keyof PoolEvents]: { type: K } & PoolEvents[K];
}[keyof PoolEvents];

export interface PoolListeners extends PoolEvents {
    output: OutputEvent;
    event: TypedPoolEvent;
}

/** What `tracing:nwpool.task` publishes. */
export interface TaskTrace {
    pool: Pool;
    name: string;
    task: number | undefined;
    result?: any;
    error?: any;
}

// -- pools

type FirstOf<P extends any[]> = P extends [] ? undefined : P[0];

/** What comes behind a name: nothing, or one argument, and options. A function
 *  that needs more is for apply(). */
export type RunArguments<F extends AnyFunction> =
    Parameters<F> extends [] ? [argument?: undefined, options?: TaskOptions] :
    [] extends Parameters<F> ?
        [argument?: FirstOf<Parameters<F>>, options?: TaskOptions] :
    [FirstOf<Parameters<F>>] extends Parameters<F> ?
        [argument: FirstOf<Parameters<F>>, options?: TaskOptions] :
    [argument: never, options?: never];

/** A pool. `new Pool<typeof import('./tasks.mjs')>(...)` knows its functions. */
export class Pool<M extends object = AnyModule> extends EventEmitter {
    constructor(options: PoolOptions);

    /** Calls a function of the module with one argument. */
    run<K extends FunctionName<M>>(name: K,
        ...rest: RunArguments<FunctionOf<M, K>>):
        Promise<ResultOf<ReturnType<FunctionOf<M, K>>>>;

    /** The same with any number of arguments. */
    apply<K extends FunctionName<M>>(name: K,
        args?: Parameters<FunctionOf<M, K>>, options?: TaskOptions):
        Promise<ResultOf<ReturnType<FunctionOf<M, K>>>>;

    /** What a generator yields, or a task sends. */
    stream<K extends FunctionName<M>>(name: K,
        ...rest: RunArguments<FunctionOf<M, K>>):
        TaskStream<ItemOf<ReturnType<FunctionOf<M, K>>>,
            ResultOf<ReturnType<FunctionOf<M, K>>>>;

    streamApply<K extends FunctionName<M>>(name: K,
        args?: Parameters<FunctionOf<M, K>>, options?: TaskOptions):
        TaskStream<ItemOf<ReturnType<FunctionOf<M, K>>>,
            ResultOf<ReturnType<FunctionOf<M, K>>>>;

    /** On each worker there is, once. */
    runOnEach<K extends FunctionName<M>>(name: K,
        argument?: Parameters<FunctionOf<M, K>>[0]):
        Promise<ResultOf<ReturnType<FunctionOf<M, K>>>[]>;

    /** For each item; results in the order of the items. */
    map<K extends FunctionName<M>>(name: K,
        items: Items<Parameters<FunctionOf<M, K>>[0]>,
        options: MapOptions & { settle: 'allSettled' }):
        Promise<PromiseSettledResult<
            ResultOf<ReturnType<FunctionOf<M, K>>>>[]>;
    map<K extends FunctionName<M>>(name: K,
        items: Items<Parameters<FunctionOf<M, K>>[0]>,
        options?: MapOptions & { settle?: 'all' | undefined }):
        Promise<ResultOf<ReturnType<FunctionOf<M, K>>>[]>;

    /** Resolves when so many workers are ready; by default all that it has
     *  without a load. */
    ready(workers?: number): Promise<void>;

    /** undefined: it has ended. */
    stats(): PoolStats | undefined;

    /** The tasks that are not over, at most 1,024 of them. */
    tasks(): TaskInfo[];

    /** Loads the module anew, or another one, into fresh workers. */
    reload(module?: string | URL): Promise<void>;

    /** Finishes what was accepted, then ends. */
    close(): Promise<void>;

    /** Ends now: tasks fail with NW_ECANCELED. */
    destroy(): Promise<void>;

    /** close() */
    [Symbol.asyncDispose](): Promise<void>;

    /** As it was given. */
    readonly maxWorkers: number | undefined;

    /** close() or destroy() was called. */
    readonly isClosed: boolean;

    on<E extends keyof PoolListeners>(event: E,
        listener: (event: PoolListeners[E]) => void): this;
    once<E extends keyof PoolListeners>(event: E,
        listener: (event: PoolListeners[E]) => void): this;
    off<E extends keyof PoolListeners>(event: E,
        listener: (event: PoolListeners[E]) => void): this;
    addListener<E extends keyof PoolListeners>(event: E,
        listener: (event: PoolListeners[E]) => void): this;
    removeListener<E extends keyof PoolListeners>(event: E,
        listener: (event: PoolListeners[E]) => void): this;
    prependListener<E extends keyof PoolListeners>(event: E,
        listener: (event: PoolListeners[E]) => void): this;
    prependOnceListener<E extends keyof PoolListeners>(event: E,
        listener: (event: PoolListeners[E]) => void): this;
}

type Items<T> = Iterable<T> | AsyncIterable<T>;

// -- errors

export type PoolErrorCode = 'NW_EINVAL' | 'NW_ENOMEM' | 'NW_EFULL' |
    'NW_ECLOSED' | 'NW_ENOENT' | 'NW_EBUSY' | 'NW_ECRASHED' | 'NW_ETIMEDOUT' |
    'NW_ECANCELED' | 'NW_ETHROWN' | 'NW_ECLONE' | 'NW_EMODULE' | 'NW_EFAILED' |
    'NW_EALREADY' | 'NW_ESTOPPED' | 'NW_EFORKED' | 'NW_ENODE' | 'NW_EPROTO' |
    'NW_ETYPE' | 'NW_ELIMIT' | 'NW_EIO' | 'NW_EWEDGED' | 'NW_EEXPIRED' |
    'NW_EVENT';

/** What went wrong with a task that is not an error of its own. */
export class PoolError extends Error {
    constructor(message: string, code: PoolErrorCode, details?: object);
    name: 'PoolError';
    code: PoolErrorCode;
    task?: number;
    worker?: number;
    /** NW_ECRASHED: of the worker. */
    exitCode?: number;
    /** NW_ECRASHED: workers that died while they ran it. */
    crashes?: number;
    cause?: any;
}

// -- poolify

/** How a function that runs on a pool is called, and what else it has. */
export interface Pooled<A extends any[], R> {
    readonly name: string;
    /** Its pool, which is made for the first who asks. */
    readonly pool: Pool;
    /** What it yields or sends, one by one. */
    stream(...args: A): TaskStream<ItemOf<R>, ResultOf<R>>;
}

/** A function that gives a promise. */
export interface PooledFunction<A extends any[], R> extends Pooled<A, R> {
    (...args: A): Promise<ResultOf<R>>;
    /** The same function with options for its tasks. */
    with(options: TaskOptions): PooledFunction<A, R>;
}

/** A generator that was given as a function: it gives an iterator. */
export interface PooledGenerator<A extends any[], R> extends Pooled<A, R> {
    (...args: A): TaskStream<ItemOf<R>, ResultOf<R>>;
    with(options: TaskOptions): PooledGenerator<A, R>;
}

export type Poolified<F extends AnyFunction> =
    IsAny<ReturnType<F>> extends true ?
        PooledFunction<Parameters<F>, ReturnType<F>> :
    ReturnType<F> extends AsyncGenerator | Generator ?
        PooledGenerator<Parameters<F>, ReturnType<F>> :
    PooledFunction<Parameters<F>, ReturnType<F>>;

/** The functions of a module. Its generators give promises of what they return
 *  when they are called; stream() gives what they yield. */
export type PoolifiedModule<M> = {
    readonly [K in keyof M as M[K] extends AnyFunction ? K : never]:
        M[K] extends AnyFunction ?
            PooledFunction<Parameters<M[K]>, ReturnType<M[K]>> : never;
};

/** A pool that is there, or options for one of its own. */
export type PoolChoice = { pool: Pool<any> } |
    (Omit<PoolOptions, 'module' | 'name'> & { pool?: undefined });

/** A function by its source: it has to be self-contained. `name` is its label. */
export function poolify<F extends AnyFunction>(action: F,
    options?: PoolChoice & { name?: string | undefined }): Poolified<F>;

/** An export of a module, by default the default one. The type of the function
 *  may be given: `poolify<typeof resize>(url)`. */
export function poolify<F extends AnyFunction = AnyFunction>(
    module: string | URL,
    options?: PoolChoice & { name?: string | undefined }):
    PooledFunction<Parameters<F>, ReturnType<F>>;

/** All exports of a module:
 *  `poolifyAll<typeof import('./tasks.mjs')>(url)`. */
export function poolifyAll<M extends object = AnyModule>(module: string | URL,
    options?: PoolChoice): PoolifiedModule<M>;

/** Marks a value, or what is listed of it, as one that moves instead of being
 *  copied. What comes back is a mark that only a pool understands; it has the
 *  type of the value so that it fits where that belongs. */
export function transfer<T>(value: T, list?: TransferList): T;

// -- in a worker

/** The task that runs. */
export interface Task {
    readonly id: number;
    /** Fires when it is to end. */
    readonly signal: AbortSignal;
    /** Before its result. Resolves when there is room for the next. */
    send(value: any, transferList?: TransferList): Promise<void>;
}

/** In a worker, inside of a task. */
export const task: Task | undefined;

/** In a worker: the store of the pool's `context` where the task was
 *  submitted. */
export const context: any;

/** The global `nwpool` of a worker. */
export interface WorkerGlobal {
    readonly task: Task | undefined;
    readonly context: any;
    /** As transfer(), without importing anything. */
    transfer<T>(value: T, list?: TransferList): T;
}

declare global {
    /** In workers only. */
    var nwpool: WorkerGlobal;
}
