// Goal: the checker accepts a trace as nwpool writes it, and each single thing
// that can be wrong with one is found. A checker that accepts everything would
// make every test that uses it pass.

'use strict';

const assert = require('assert');
const { check, Invalid } = require('./check.js');

function metadata(tid, name, args) {
  return { ph: 'M', pid: 7, tid, ts: 0, name, args };
}

// One task that ran, and a second that only waits.
function good() {
  const slice = (tid, ts, dur, name) =>
    ({ ph: 'X', pid: 7, tid, ts, dur, cat: 'nwpool', name,
       args: { task: '0x1f' } });
  const flow = (ph, tid, ts) =>
    ({ ph, pid: 7, tid, ts, cat: 'nwpool', name: 'task', id: '0x1f',
       ...(ph === 'f' ? { bp: 'e' } : {}) });
  const pair = (ph, ts, name, id) =>
    ({ ph, pid: 7, tid: 7, ts, cat: 'nwpool', name, id });

  return {
    displayTimeUnit: 'ns',
    otherData: { dropped: 3 },
    traceEvents: [
      metadata(7, 'process_name', { name: 'host' }),
      metadata(7, 'thread_name', { name: 'main' }),
      metadata(7, 'thread_sort_index', { sort_index: 0 }),
      metadata(8, 'thread_name', { name: 'worker 1 (nwpool)' }),
      metadata(8, 'thread_sort_index', { sort_index: 1 }),
      slice(7, 10, 2.5, 'submit f'), flow('s', 7, 10),
      slice(8, 13.125, 4, 'f'), flow('t', 8, 13.125),
      slice(7, 18, 1, 'result f'), flow('f', 7, 18),
      pair('b', 10, 'f', '0x1f'), pair('b', 12.5, 'wait', '0x1f'),
      pair('e', 13.125, 'wait', '0x1f'), pair('e', 18, 'f', '0x1f'),
      pair('b', 20, 'g', '0x20'), pair('e', 30, 'g', '0x20'),
      { ph: 'C', pid: 7, tid: 8, ts: 1, cat: 'nwpool', id: '0x8',
        name: 'nwpool_trace_dropped', args: { dropped: 3 } },
      { ph: 'i', pid: 7, tid: 8, ts: 30, cat: 'nwpool', s: 't',
        name: 'worker exit', args: { exit_code: 0 } },
    ],
  };
}

const find = (trace, ph, name) => trace.traceEvents.find(
  (event) => event.ph === ph && (!name || event.name === name));

function remove(trace, ph, name) {
  const events = trace.traceEvents;
  events.splice(events.indexOf(find(trace, ph, name)), 1);
}

// What is broken, how, and what the checker must say.
const BROKEN = [
  ['no events', (t) => { delete t.traceEvents; }, /traceEvents/],
  ['no unit', (t) => { t.displayTimeUnit = 'us'; }, /displayTimeUnit/],
  ['no dropped', (t) => { delete t.otherData.dropped; }, /otherData.dropped/],
  ['wrong dropped', (t) => { t.otherData.dropped = 2; }, /counters/],
  ['no ph', (t) => { delete find(t, 'X').ph; }, /unknown ph/],
  ['no ts', (t) => { delete find(t, 'M').ts; }, /ts is no time/],
  ['no tid', (t) => { delete find(t, 'b').tid; }, /tid/],
  ['no pid', (t) => { find(t, 'X').pid = '7'; }, /pid/],
  ['no cat', (t) => { delete find(t, 'X').cat; }, /no cat/],
  ['four decimals', (t) => { find(t, 'X').dur = 2.5001; }, /decimals/],
  ['number as id', (t) => { find(t, 'b').id = 31; }, /hex/],
  ['decimal id', (t) => { find(t, 'b').id = '31'; }, /hex/],
  ['upper-case id', (t) => { find(t, 's').id = '0x1F'; }, /hex/],
  ['no process name', (t) => remove(t, 'M', 'process_name'), /process_name/],
  ['no thread name', (t) => remove(t, 'M', 'thread_name'), /thread_name/],
  ['no sort index', (t) => remove(t, 'M', 'thread_sort_index'), /sort_index/],
  ['overlap', (t) => { find(t, 'X').dur = 8.5; }, /nest/],
  ['no dur', (t) => { delete find(t, 'X').dur; }, /dur/],
  ['slice of no task', (t) => { find(t, 'X').args = {}; }, /args.task/],
  ['flow inside the slice', (t) => { find(t, 's').ts = 11; }, /slice at its/],
  ['flow on another row', (t) => { find(t, 's').tid = 8; }, /slice at its/],
  ['flow of another cat', (t) => { find(t, 't').cat = 'x'; }, /slice at its/],
  ['pair before the slice', (t) => {
    t.traceEvents.unshift(find(t, 'b', 'f'));
    t.traceEvents.splice(t.traceEvents.lastIndexOf(t.traceEvents[0]), 1);
  }, /slice at its/],
  ['flow to another task', (t) => {
    find(t, 'X', 'f').args.task = '0x20';
  }, /another task/],
  ['flow out of order', (t) => {
    const events = t.traceEvents;
    events.push(events.splice(events.indexOf(find(t, 't')), 1)[0]);
  }, /a flow goes sft/],
  ['flow back in time', (t) => {
    find(t, 'X', 'result f').ts = find(t, 'f').ts = 13;
  }, /backwards/],
  ['no bp', (t) => { delete find(t, 'f').bp; }, /bp/],
  ['no s', (t) => remove(t, 's'), /a flow goes tf/],
  ['no t', (t) => remove(t, 't'), /misses a slice/],
  ['no f', (t) => remove(t, 'f'), /a flow goes st/],
  ['no flow', (t) => 'stf'.split('').forEach((ph) => remove(t, ph)),
   /no flow for a task/],
  ['b without e', (t) => remove(t, 'e', 'g'), /b without e/],
  ['e without b', (t) => remove(t, 'b', 'g'), /e without b/],
  ['crossing pairs', (t) => {
    const events = t.traceEvents;
    const at = events.indexOf(find(t, 'e', 'wait'));
    [events[at].name, events[at + 1].name] = ['f', 'wait'];
  }, /pairs cross/],
  ['pair back in time', (t) => { find(t, 'e', 'g').ts = 19; }, /out of order/],
  ['instant of the process', (t) => { find(t, 'i').s = 'p'; }, /instant/],
];

assert.deepStrictEqual(check(good()), {
  events: 19, threads: 2, slices: 3, flows: 1, pairs: 3, tasks: 1, whole: 1,
  open: 0, dropped: 3,
});
for (const [what, spoil, message] of BROKEN) {
  const trace = good();
  spoil(trace);
  assert.throws(() => check(trace), (error) => {
    assert(error instanceof Invalid, `${what}: ${error.stack}`);
    assert.match(error.message, message, what);
    return true;
  }, `not found: ${what}`);
}
console.log(`check.js finds all of ${BROKEN.length} faults`);
