// Checks a trace file of nwpool against the rules that Perfetto, DevTools and
// speedscope together ask for, see docs/tracing.md.
//
//   node check.js FILE [--tasks N]
//
// Prints what it counted and exits 0; or prints what is wrong and exits 1.
// --tasks demands N tasks, each with all of its slices and both of its pairs.
// All times are compared in whole nanoseconds, which a double holds exactly
// for the first 104 days of uptime.

'use strict';

const fs = require('fs');

const PHASES = new Set(['M', 'X', 's', 't', 'f', 'b', 'e', 'i', 'C']);
const NEED_ID = new Set(['s', 't', 'f', 'b', 'e', 'C']);
const HEX = /^0x(0|[1-9a-f][0-9a-f]*)$/;

class Invalid extends Error {}

function demand(condition, what, event) {
  if (!condition) {
    throw new Invalid(event ? `${what}: ${JSON.stringify(event)}` : what);
  }
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// Microseconds with at most three decimals, as nanoseconds.
function toNs(us, what, event) {
  demand(typeof us === 'number' && us >= 0 && Number.isFinite(us),
         `${what} is no time`, event);
  const ns = Math.round(us * 1000);
  demand(Math.abs(us * 1000 - ns) <= us * 1e-12 + 1e-6,
         `${what} has more than three decimals`, event);
  return ns;
}

function groupBy(items, key) {
  const groups = new Map();
  for (const item of items) {
    const name = key(item);
    if (!groups.has(name)) {
      groups.set(name, []);
    }
    groups.get(name).push(item);
  }
  return groups;
}

const rowOf = (event) => `${event.pid}/${event.tid}`;

// -- one event on its own

function checkEvent(event) {
  demand(isObject(event), 'an event is no object', event);
  demand(PHASES.has(event.ph), 'unknown ph', event);
  for (const key of ['pid', 'tid']) {
    demand(Number.isInteger(event[key]) && event[key] > 0,
           `${key} is no positive integer`, event);
  }
  demand(typeof event.name === 'string' && event.name !== '', 'no name', event);
  event.ns = toNs(event.ts, 'ts', event);
  if (event.ph !== 'M') {
    demand(typeof event.cat === 'string' && event.cat !== '', 'no cat', event);
  }
  if (NEED_ID.has(event.ph) || 'id' in event) {
    demand(typeof event.id === 'string' && HEX.test(event.id),
           'id is no hex string', event);
  }
  demand(!('args' in event) || isObject(event.args), 'args is no object',
         event);
}

// -- metadata

function checkMetadata(events) {
  const metadata = events.filter((event) => event.ph === 'M');
  const names = (name) => new Map(
    metadata.filter((event) => event.name === name)
      .map((event) => [rowOf(event), event]));
  const processes = metadata.filter((event) => event.name === 'process_name');
  const threads = names('thread_name');
  const sorted = names('thread_sort_index');

  for (const event of metadata) {
    demand(event.ts === 0, 'metadata with a ts', event);
    if (event.name === 'thread_sort_index') {
      demand(Number.isInteger(event.args.sort_index), 'no sort_index', event);
    } else {
      demand(typeof event.args.name === 'string' && event.args.name !== '',
             'no args.name', event);
    }
  }
  const named = new Set(processes.map((event) => event.pid));
  for (const event of events) {
    demand(named.has(event.pid), 'no process_name for the pid of', event);
    if (event.ph !== 'M') {
      demand(threads.has(rowOf(event)), 'no thread_name for the tid of', event);
      demand(sorted.has(rowOf(event)), 'no thread_sort_index for the tid of',
             event);
    }
  }
  return threads.size;
}

// -- slices

function checkSlices(events) {
  const slices = events.filter((event) => event.ph === 'X');

  for (const slice of slices) {
    slice.endNs = slice.ns + toNs(slice.dur, 'dur', slice);
    demand(isObject(slice.args) && HEX.test(slice.args.task),
           'a slice without args.task', slice);
  }
  for (const row of groupBy(slices, rowOf).values()) {
    const open = [];

    row.sort((a, b) => a.ns - b.ns || b.endNs - a.endNs);
    for (const slice of row) {
      while (open.length > 0 && open[open.length - 1].endNs <= slice.ns) {
        open.pop();
      }
      const outer = open[open.length - 1];
      demand(!outer || slice.endNs <= outer.endNs,
             `a slice does not nest in ${JSON.stringify(outer)}`, slice);
      open.push(slice);
    }
  }
  return slices;
}

// The slice's place in the life of its task.
function stageOf(slice) {
  if (slice.name.startsWith('submit ')) {
    return 0;
  }
  return slice.name.startsWith('result ') ? 2 : 1;
}

// -- flows

// One chain per task, through all of its slices in the order of their stages,
// which is that of the file too. DevTools takes an arrow to be for the first
// event of the file that has the flow event's place, whatever that is.
function checkFlows(events, slices) {
  const placeOf = (event) => `${rowOf(event)}/${event.ns}/${event.cat}`;
  const byPlace = groupBy(
    events.filter((event) => !'stf'.includes(event.ph)), placeOf);
  const chains = groupBy(
    events.filter((event) => 'stf'.includes(event.ph)),
    (event) => `${event.cat}/${event.name}/${event.id}`);
  const chainOf = new Map();

  for (const chain of chains.values()) {
    const at = (event) => {
      const [first] = byPlace.get(placeOf(event)) || [{}];
      demand(first.ph === 'X', 'a flow event without a slice at its place',
             event);
      demand(first.args.task === event.id, 'an arrow to another task', event);
      return first;
    };

    for (const event of chain) {
      event.stage = stageOf(at(event));
      demand(event.ph !== 'f' || event.bp === 'e', 'f without bp "e"', event);
    }
    const phases = chain.map((event) => event.ph).join('');
    demand(/^st*f$/.test(phases), `a flow goes ${phases}`, chain[0]);
    for (let i = 1; i < chain.length; i++) {
      demand(chain[i].ns >= chain[i - 1].ns &&
             chain[i].stage > chain[i - 1].stage, 'a flow goes backwards',
             chain[i]);
    }
    demand(!chainOf.has(chain[0].id), 'two flows of one task', chain[0]);
    chainOf.set(chain[0].id, chain);
  }
  for (const [task, own] of groupBy(slices, (slice) => slice.args.task)) {
    const chain = chainOf.get(task);
    const stages = own.map(stageOf).sort().join();
    demand(new Set(own.map(stageOf)).size === own.length,
           'two slices of one kind for a task', own[0]);
    demand(own.length < 2 || chain, 'no flow for a task', own[0]);
    demand(!chain || chain.map((event) => event.stage).join() === stages,
           'a flow misses a slice of its task', own[0]);
  }
  return chainOf;
}

// -- async pairs

// In the order of the file, which must be that of time: viewers sort by time,
// and keep the order where times are equal.
function checkPairs(events) {
  const pairs = groupBy(
    events.filter((event) => event.ph === 'b' || event.ph === 'e'),
    (event) => `${event.pid}/${event.cat}/${event.id}`);
  let count = 0;
  let open = 0;

  for (const group of pairs.values()) {
    const stack = [];
    let last = 0;

    for (const event of group) {
      demand(event.ns >= last, 'async events out of order', event);
      last = event.ns;
      if (event.ph === 'b') {
        stack.push(event);
        continue;
      }
      const begin = stack.pop();
      demand(begin, 'e without b', event);
      demand(begin.name === event.name,
             `pairs cross: e after ${JSON.stringify(begin)}`, event);
      count++;
      open += stack.length === 0 && event.args && event.args.open ? 1 : 0;
    }
    demand(stack.length === 0, 'b without e', stack[0]);
  }
  return { count, open, byId: pairs };
}

// -- the rest

function checkDropped(trace, events) {
  let dropped = 0;

  demand(Number.isInteger(trace.otherData.dropped), 'no otherData.dropped');
  for (const event of events.filter((each) => each.ph === 'C')) {
    const values = Object.values(event.args || {});
    demand(values.length > 0 && values.every(Number.isFinite),
           'a counter without numbers', event);
    if (event.name === 'nwpool_trace_dropped') {
      dropped += event.args.dropped;
    }
  }
  demand(dropped <= trace.otherData.dropped,
         'counters say more was dropped than otherData');
  return trace.otherData.dropped;
}

function checkInstants(events) {
  for (const event of events.filter((each) => each.ph === 'i')) {
    demand(event.s === 't', 'an instant that is not of its thread', event);
  }
}

// Returns counts, or throws Invalid.
function check(trace) {
  demand(isObject(trace), 'the file is no object');
  demand(trace.displayTimeUnit === 'ns', 'displayTimeUnit is not "ns"');
  demand(isObject(trace.otherData), 'no otherData');
  demand(Array.isArray(trace.traceEvents), 'no traceEvents');

  const events = trace.traceEvents;
  events.forEach(checkEvent);
  const threads = checkMetadata(events);
  const slices = checkSlices(events);
  const flows = checkFlows(events, slices);
  const pairs = checkPairs(events);
  const dropped = checkDropped(trace, events);
  checkInstants(events);

  const tasks = groupBy(slices, (slice) => slice.args.task);
  const whole = [...tasks].filter(([id, own]) =>
    own.length === 3 && flows.has(id) &&
    (pairs.byId.get(`${own[0].pid}/nwpool/${id}`) || []).length === 4);
  return {
    events: events.length,
    threads,
    slices: slices.length,
    flows: flows.size,
    pairs: pairs.count,
    tasks: tasks.size,
    whole: whole.length,
    open: pairs.open,
    dropped,
  };
}

function main(argv) {
  const at = argv.indexOf('--tasks');
  const expected = at < 0 ? null : Number(argv.splice(at, 2)[1]);

  if (argv.length !== 1 || Number.isNaN(expected)) {
    console.error('usage: node check.js FILE [--tasks N]');
    return 1;
  }
  try {
    const counts = check(JSON.parse(fs.readFileSync(argv[0], 'utf8')));
    console.log(Object.keys(counts).map((key) => `${key} ${counts[key]}`)
      .join(', '));
    demand(expected === null ||
           (counts.tasks === expected && counts.whole === expected),
           `${counts.tasks} tasks, ${counts.whole} of them whole, ` +
           `instead of ${expected}`);
  } catch (error) {
    console.error(`${argv[0]}: ${error.message}`);
    return 1;
  }
  return 0;
}

module.exports = { check, Invalid };

if (require.main === module) {
  process.exitCode = main(process.argv.slice(2));
}
