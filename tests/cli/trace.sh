#!/bin/bash
# Goal: --trace writes a file that parses and has every task in it.
. "$NW_SOURCE_DIR/tests/cli/lib.sh" || exit 1

# expect_tasks NUMBER: so many in trace.json.
expect_tasks()
{
    printf '{"module": "%s/tasks.js", "function": "readTrace", "input": {"values": ["%s/trace.json"]}}' \
        "$tests" "$PWD" >check.json
    run run check.json
    expect_status 0
    expect_line out "\"result\":{\"ids\":$1,\"begun\":$1,\"ended\":$1,\"runs\":$1}"
}

case_is "every task is in the trace"
job increment '{"lines": "in"}' '"workers": 2'
seq 300 >in
run run --trace trace.json job.json
expect_status 0
expect_count out 300 '"ok":true'
expect_tasks 300
[ ! -e trace.json.tmp ] || failed "trace.json.tmp is left"

case_is "failed tasks too"
job failOdd '{"lines": "in"}' '"workers": 2'
seq 50 >in
run run --trace trace.json job.json
expect_status 1
expect_tasks 50

case_is "a trace that cannot be written"
job increment '{"values": [1]}'
run run --trace nodir/trace.json job.json
expect_status 5
expect_line err 'cannot write the trace nodir/trace.json: No such file'
expect_empty out

case_is "a pool that cannot work leaves no half a trace"
echo 'throw new Error("boom");' >m.js
printf '{"module": "./m.js", "input": {"values": [1]}}' >job.json
run run --trace trace.json job.json
expect_status 4
[ ! -e trace.json.tmp ] || failed "trace.json.tmp is left"

finish
