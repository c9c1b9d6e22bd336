import { Pool, Worker, spawn } from 'threads';

export const library = 'threads';
export const modes = [''];
export const can = { concurrency: true, heap: true };
export const tuned = { concurrency: 64 };

// The path is relative to this file: an absolute one is joined to it.
export function open(mode, options) {
    const path = `../tasks/${options.broken ? 'broken' : 'threads'}.mjs`;
    const start = () => spawn(new Worker(path,
        options.heapMb === undefined ? {} : {
            resourceLimits: { maxOldGenerationSizeMb: options.heapMb },
        }));
    const pool = Pool(start, {
        size: options.max,
        concurrency: options.concurrency ?? 1,
    });

    return {
        run(name, argument) {
            // What queue() gives has a then() and is no promise.
            return Promise.resolve(
                pool.queue((worker) => worker[name](argument)));
        },
        close: () => pool.terminate(true),
    };
}
