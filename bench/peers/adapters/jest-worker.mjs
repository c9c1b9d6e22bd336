import { Worker } from 'jest-worker';

import { taskFile } from './index.mjs';
import * as tasks from '../tasks/tasks.mjs';

export const library = 'jest-worker';
export const modes = ['thread', 'process'];
export const can = { heap: true };

function heapOptions(mode, heapMb) {
    if (heapMb === undefined) {
        return {};
    }
    return mode === 'thread'
        ? { resourceLimits: { maxOldGenerationSizeMb: heapMb } }
        : { forkOptions: { execArgv: [`--max-old-space-size=${heapMb}`] } };
}

export function open(mode, options) {
    const file = taskFile(options.broken ? 'broken.mjs' : 'tasks.mjs');
    const pool = new Worker(file, {
        enableWorkerThreads: mode === 'thread',
        exposedMethods: Object.keys(tasks),
        numWorkers: options.max,
        ...heapOptions(mode, options.heapMb),
    });

    return {
        run: (name, argument) => pool[name](argument),
        close: () => pool.end(),
    };
}
