// Shared by all scripts, which it is put in front of.
//
// Hands what is printed to C, which writes it to the host's stdout or stderr or
// reports it; `native` is of the script behind. In a worker this replaces Node's own way, a message port to the
// parent, which loses what was printed just before the end.

const { Writable } = require('stream');
// As they are now: a script may put clocks of its own in their place.
const { setTimeout: later, clearTimeout: never } = require('timers');

const RETRY_MS = 10; // When too much is waiting to be written.

const outputTasks = new WeakMap(); // Chunk to id of the task that printed it.

// What a stream writes to. It gets one chunk at a time; the stream keeps the
// others and slows whoever prints.
class Output {
    #fd;
    #chunk; // Not taken by C yet.
    #done;
    #timer;
    #force = false;

    constructor(fd) {
        this.#fd = fd;
    }

    write(chunk, done) {
        this.#chunk = chunk;
        this.#done = done;
        this.#send();
    }

    // The environment ends: from now on C takes everything, what the stream
    // kept included.
    flush() {
        this.#force = true;
        if (this.#timer !== undefined) {
            never(this.#timer);
            this.#send();
        }
    }

    #send() {
        const task = outputTasks.get(this.#chunk) ?? 0;
        if (native.output(this.#fd, this.#chunk, this.#force, task)) {
            this.#timer = undefined;
            this.#done();
        } else {
            this.#timer = later(() => this.#send(), RETRY_MS);
        }
    }
}

function outputStream(fd) {
    const output = new Output(fd);
    return new Writable({
        decodeStrings: true,
        write(chunk, encoding, done) {
            output.write(chunk, done);
        },
    });
}

// Remembers, at the call, which task prints: by the time a chunk is sent another
// one may be running.
function noteTasks(stream, taskOf) {
    const { write } = stream;
    stream.write = function(chunk, encoding, done) {
        if (typeof encoding === 'function') {
            done = encoding;
            encoding = undefined;
        }
        const copy = attempt(() => Buffer.from(chunk, encoding), chunk);
        if (copy !== chunk) {
            outputTasks.set(copy, taskOf());
        }
        return write.call(this, copy, done);
    };
}

// For a worker: its streams stay, as Node's own messages call them; only where
// they write to changes. `taskOf`, which may be left out, tells the id of the
// task that runs.
function redirectOutputs(taskOf) {
    const outputs = [];
    for (const [stream, fd] of [[process.stdout, 1], [process.stderr, 2]]) {
        const output = new Output(fd);
        outputs.push(output);
        stream._writev = null;
        stream._write = (chunk, encoding, done) => {
            output.write(Buffer.isBuffer(chunk) ? chunk :
                Buffer.from(chunk, encoding), done);
        };
        if (taskOf !== undefined) {
            noteTasks(stream, taskOf);
        }
    }
    process.on('exit', () => outputs.forEach((output) => output.flush()));
}
