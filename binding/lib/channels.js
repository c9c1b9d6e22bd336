// diagnostics_channel: tracing:nwpool.task:start, :end, :asyncStart, :asyncEnd and
// :error, as a TracingChannel publishes them.

'use strict';

const { channel } = require('diagnostics_channel');

const names = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'];
const channels = Object.fromEntries(
    names.map((name) => [name, channel(`tracing:nwpool.task:${name}`)]));

function isWatched() {
    return channels.start.hasSubscribers || channels.end.hasSubscribers ||
        channels.asyncStart.hasSubscribers ||
        channels.asyncEnd.hasSubscribers || channels.error.hasSubscribers;
}

// The context of a task that is about to be submitted, for all its messages.
function begin(task, details) {
    task.trace = details;
    channels.start.publish(details);
}

function submitted(task) {
    channels.end.publish(task.trace);
}

function end(task, resolve, value, isFailure) {
    const { trace } = task;
    if (isFailure) {
        channels.error.publish(trace);
    } else {
        trace.result = value;
    }
    channels.asyncStart.publish(trace);
    task.runInAsyncScope(resolve, undefined, value);
    channels.asyncEnd.publish(trace);
}

module.exports = { isWatched, begin, submitted, end };
