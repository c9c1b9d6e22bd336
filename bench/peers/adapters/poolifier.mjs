import { DynamicThreadPool, FixedThreadPool } from 'poolifier';

import { taskFile } from './index.mjs';

export const library = 'poolifier';
export const modes = [''];
export const can = { min0: true, concurrency: true, abort: true, heap: true };
export const tuned = { queue: false };

export function open(mode, options) {
    const file = taskFile(options.broken ? 'broken.mjs' : 'poolifier.mjs');
    const poolOptions = {
        enableTasksQueue: options.queue ?? true,
        tasksQueueOptions: { concurrency: options.concurrency ?? 1 },
        workerOptions: options.heapMb === undefined ? {} : {
            resourceLimits: { maxOldGenerationSizeMb: options.heapMb },
        },
    };
    const pool = options.min < options.max
        ? new DynamicThreadPool(options.min, options.max, file, poolOptions)
        : new FixedThreadPool(options.max, file, poolOptions);

    pool.emitter.on('error', () => {});
    return {
        run(name, argument, { signal } = {}) {
            return pool.execute(argument, name, signal);
        },
        close: () => pool.destroy(),
    };
}
