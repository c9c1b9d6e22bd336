import workerpool from 'workerpool';

import { taskFile } from './index.mjs';

export const library = 'workerpool';
export const modes = ['thread', 'process'];
export const can = { min0: true, abort: true, runLimit: true, heap: true };

function heapOptions(mode, heapMb) {
    if (heapMb === undefined) {
        return {};
    }
    return mode === 'thread'
        ? { workerThreadOpts: {
            resourceLimits: { maxOldGenerationSizeMb: heapMb },
        } }
        : { forkOpts: { execArgv: [`--max-old-space-size=${heapMb}`] } };
}

export function open(mode, options) {
    const script = taskFile(options.broken ? 'broken.mjs' : 'workerpool.mjs');
    const pool = workerpool.pool(script, {
        workerType: mode,
        minWorkers: options.min,
        maxWorkers: options.max,
        ...heapOptions(mode, options.heapMb),
    });

    return {
        run(name, argument, { signal, runLimit } = {}) {
            let promise = pool.exec(name, [argument]);

            if (runLimit !== undefined) {
                promise = promise.timeout(runLimit);
            }
            // The braces matter: an EventTarget throws what a promise that its
            // listener returns rejects with.
            signal?.addEventListener('abort', () => {
                promise.cancel();
            });
            return promise;
        },
        close: () => pool.terminate(true),
    };
}
