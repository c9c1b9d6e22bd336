// Types of index.mjs. `task` and `context` change, so they are members of the
// default export alone.

import * as commonjs from './index.js';

export { Pool, PoolError, poolify, poolifyAll, transfer } from './index.js';
export type {
    AnyFunction, AnyModule, Cancel, FunctionName, FunctionOf, ItemOf,
    MapOptions, Output, OutputEvent, PoolChoice, PoolErrorCode, PoolEvent,
    PoolEvents, PoolListeners, PoolOptions, PoolStats, Pooled, PooledFunction,
    PooledGenerator, Poolified, PoolifiedModule, ResourceLimits, ResultOf,
    RunArguments, Task, TaskEvent, TaskInfo, TaskOptions, TaskStream,
    TaskTrace, Times, TransferList, TypedPoolEvent, WorkerEvent,
    WorkerExitedEvent, WorkerGlobal, WorkerReplacedEvent,
} from './index.js';

declare const nwpool: typeof commonjs;
export default nwpool;
