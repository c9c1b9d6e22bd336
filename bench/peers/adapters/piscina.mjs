import { Piscina } from 'piscina';

import { taskFile } from './index.mjs';

export const library = 'piscina';
export const modes = [''];
export const can = { min0: true, concurrency: true, abort: true, heap: true };
export const tuned = { concurrency: 64 };

export function open(mode, options) {
    const pool = new Piscina({
        filename: taskFile(options.broken ? 'broken.mjs' : 'tasks.mjs'),
        minThreads: options.min,
        maxThreads: options.max,
        concurrentTasksPerWorker: options.concurrency ?? 1,
        resourceLimits: options.heapMb === undefined ? undefined
            : { maxOldGenerationSizeMb: options.heapMb },
    });

    pool.on('error', () => {});
    return {
        run(name, argument, { signal } = {}) {
            return pool.run(argument, { name, signal });
        },
        close: () => pool.destroy(),
        killIdle: () => pool.threads[0].terminate(),
    };
}
