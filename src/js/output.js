// Shared by glue.js and bootstrap.js, which it is put in front of.
//
// Hands what is printed to C, which writes it to the host's stdout or stderr.
// In a worker this replaces Node's own way, a message port to the parent, which
// loses what was printed just before the end.

const { Writable } = require('stream');

const RETRY_MS = 10; // When too much is waiting to be written.

function send(fd, chunk, done) {
    if (native.output(fd, chunk)) {
        done();
    } else {
        setTimeout(send, RETRY_MS, fd, chunk, done);
    }
}

function outputStream(fd) {
    return new Writable({
        decodeStrings: true,
        write(chunk, encoding, done) {
            send(fd, chunk, done);
        },
    });
}

// For a worker: its streams stay, as Node's own messages call them; only where
// they write to changes.
function redirectOutputs() {
    for (const [stream, fd] of [[process.stdout, 1], [process.stderr, 2]]) {
        stream._writev = null;
        stream._write = (chunk, encoding, done) => {
            send(fd, Buffer.from(chunk, encoding), done);
        };
    }
}
