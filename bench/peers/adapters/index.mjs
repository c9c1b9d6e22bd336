// One small interface in front of every library.
//
// An adapter exports
//   library  its name on npm, which is how an installed one is found
//   modes    the names of its columns after the library's, [''] for only one
//   can      what it has, of
//              min0         a pool without a worker while there is no task
//              concurrency  several tasks on one worker
//              abort        an end of one running task from outside
//              runLimit     a limit of the time that one task runs
//              heap         a limit of a worker's heap
//   open(mode, options)  a pool of options.max workers, started or not
//   tuned    optional: options of a second line of throughput.mjs, for what is
//            faster than the defaults
//
// options: { min, max, concurrency, broken, heapMb }; broken asks for the
// module that throws at load. What open() gives has
//   run(name, argument, { signal, runLimit })  a promise; it may also throw
//   close()     ends the pool, whatever its state; may give a promise
//   killIdle()  optional: ends one worker, where a timer that is left behind
//               cannot do it because the worker's loop stands still in between
//
// An adapter adds nothing that its library does not do: no retry, no time-out,
// no second error. It listens to the 'error' event that a pool of piscina,
// tinypool or poolifier emits, as their users have to: without a listener the
// death of a worker that runs no task ends the whole process.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NAMES = ['nwpool', 'piscina', 'tinypool', 'workerpool', 'poolifier',
    'threads', 'jest-worker'];

const tasks = dirname(fileURLToPath(import.meta.resolve('../tasks/tasks.mjs')));

export function taskFile(name) {
    return join(tasks, name);
}

// undefined when it is not installed. The version is in the package.json above
// the file that an import would load.
export function installedVersion(library) {
    let entry;

    try {
        entry = fileURLToPath(import.meta.resolve(library));
    } catch {
        return undefined;
    }
    for (let at = dirname(entry); at !== dirname(at); at = dirname(at)) {
        try {
            const found = JSON.parse(readFileSync(join(at, 'package.json')));
            if (found.name === library) {
                return found.version;
            }
        } catch {
            // No package.json here, or there is nothing at all here.
        }
    }
    return undefined;
}

// The columns that there are, and the names of what is not installed. `only`
// holds libraries or columns; without it, all.
export async function loadColumns(only) {
    const columns = [];
    const missing = [];

    for (const library of NAMES) {
        const version = installedVersion(library);
        if (version === undefined) {
            missing.push(library);
            continue;
        }
        const adapter = await import(`./${library}.mjs`);
        for (const mode of adapter.modes) {
            columns.push({
                name: mode === '' ? library : `${library} ${mode}`,
                library, version, mode, can: adapter.can, tuned: adapter.tuned,
                open: (options) => adapter.open(mode, options),
            });
        }
    }
    return {
        columns: columns.filter((column) => only === undefined
            || only.includes(column.library) || only.includes(column.name)),
        missing,
    };
}
