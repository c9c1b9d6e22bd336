import Tinypool from 'tinypool';

import { taskFile } from './index.mjs';

export const library = 'tinypool';
export const modes = ['thread', 'process'];
export const can = { min0: true, concurrency: true, abort: true, heap: true };
export const tuned = { concurrency: 64 };

function heapOptions(mode, heapMb) {
    if (heapMb === undefined) {
        return {};
    }
    return mode === 'thread'
        ? { resourceLimits: { maxOldGenerationSizeMb: heapMb } }
        : { execArgv: [`--max-old-space-size=${heapMb}`] };
}

export function open(mode, options) {
    const pool = new Tinypool({
        filename: taskFile(options.broken ? 'broken.mjs' : 'tasks.mjs'),
        runtime: mode === 'thread' ? 'worker_threads' : 'child_process',
        minThreads: options.min,
        maxThreads: options.max,
        concurrentTasksPerWorker: options.concurrency ?? 1,
        ...heapOptions(mode, options.heapMb),
    });

    pool.on('error', () => {});
    return {
        run(name, argument, { signal } = {}) {
            return pool.run(argument, { name, signal });
        },
        close: () => pool.destroy(),
        killIdle: mode === 'thread'
            ? () => pool.threads[0].thread.terminate() : undefined,
    };
}
