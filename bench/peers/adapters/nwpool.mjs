import { Pool } from 'nwpool';

import { taskFile } from './index.mjs';

export const library = 'nwpool';
export const modes = [''];
export const can = { min0: true, concurrency: true, abort: true,
    runLimit: true, heap: true };

export function open(mode, options) {
    const pool = new Pool({
        module: taskFile(options.broken ? 'broken.mjs' : 'tasks.mjs'),
        minWorkers: options.min,
        maxWorkers: options.max,
        concurrency: options.concurrency ?? 1,
        resourceLimits: options.heapMb === undefined ? undefined
            : { maxOldGenerationSizeMb: options.heapMb },
    });

    return {
        run: (name, argument, rest) => pool.run(name, argument, rest),
        close: () => pool.destroy(),
    };
}
