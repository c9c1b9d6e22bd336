#!/bin/bash
# Goal: the output has one line for each input, in the order that was asked
# for, and nothing else; where it cannot be written, that is said.
. "$NW_SOURCE_DIR/tests/cli/lib.sh" || exit 1

case_is "a file beside the job"
mkdir sub
job increment '{"values": [1]}' '"output": "out.jsonl"'
mv job.json sub
run run sub/job.json
expect_status 0
expect_empty out
expect_text sub/out.jsonl '{"index":0,"ok":true,"input":1,"result":2}'
expect_line err "results in $PWD/sub/out.jsonl"

case_is "--output is seen from the working directory and wins"
mkdir sub
job increment '{"values": [1]}' '"output": "out.jsonl"'
mv job.json sub
run run --output mine.jsonl sub/job.json
expect_status 0
expect_count mine.jsonl 1 '"result":2'
[ ! -e sub/out.jsonl ] || failed "the other output was created"
run run sub/job.json --output -
expect_count out 1 '"result":2'

case_is "an old output is replaced"
seq 1000 >out.jsonl
job increment '{"values": [1]}' '"output": "out.jsonl"'
run run job.json
expect_text out.jsonl '{"index":0,"ok":true,"input":1,"result":2}'

case_is "lines are in the order of the inputs"
job uneven '{"lines": "-"}' '"workers": 2'
seq 200 >in
run run job.json <in
expect_status 0
expect_text <(sed 's/.*"result":\(.*\)}/\1/' out) "$(seq 200)"

case_is "or in the order of completion"
job uneven '{"lines": "-"}' '"workers": 2, "order": "completion"'
seq 200 >in
run run job.json <in
expect_status 0
sed 's/.*"result":\(.*\)}/\1/' out >results
expect_text <(sort -n results) "$(seq 200)"
if diff -q results in >/dev/null; then
    failed "no line came before its turn"
fi

case_is "one and two workers write the same bytes"
job failOdd '{"lines": "in"}'
seq 500 >in
run run --workers 1 --output one job.json
expect_status 1
run run --workers 2 --output two job.json
expect_status 1
cmp one two || failed "the outputs differ"

case_is "what tasks print does not get between the results"
job print '{"values": [1, 2]}'
run run job.json
expect_status 0
expect_count out 2
expect_count out 2 '"ok":true'
expect_line err 'printed by a task'

case_is "--quiet leaves only the results"
job failOdd '{"values": [1, 2]}'
run run --quiet job.json
expect_status 1
expect_count out 2
expect_empty err

case_is "every line is JSON, whatever comes back"
printf '%s\n' '"\u0000\u001f\u007f\u2028\"\\"' '[1e300,-0,5e-324,12345678901234567890]' \
    '{"":{"\u0000":null}}' '"\ud83d\ude00"' 'nonsense' '"\ud800"' >in
job echo '{"lines": "in"}' '"output": "out.jsonl"'
run run job.json
expect_status 1
printf '{"module": "%s/tasks.js", "function": "countLines", "input": {"values": ["%s/out.jsonl"]}}' \
    "$tests" "$PWD" >job.json
run run job.json
expect_status 0
expect_line out '"result":6'

case_is "a device that is full"
job increment '{"lines": "-"}'
seq 100000 >in
run run --output /dev/full job.json <in
expect_status 5
expect_line err 'cannot write to /dev/full: No space left on device; 0 of '
"$NWPOOL" run job.json <in >/dev/full 2>err
status=$?
expect_status 5
expect_line err 'cannot write to standard output: No space left on device'

case_is "a file that may not grow keeps whole lines"
job increment '{"lines": "in"}' '"output": "out.jsonl"'
seq 100000 >in
(
    ulimit -f 8
    trap '' XFSZ
    exec "$NWPOOL" run job.json
) 2>err
status=$?
expect_status 5
expect_line err 'File too large'
lines=$(wc -l <out.jsonl)
if [ "$lines" -lt 100 ] || [ "$(tail -c 1 out.jsonl | od -An -c)" != '  \n' ]
then
    failed "$lines lines, the last one $(tail -n 1 out.jsonl)"
fi
expect_line err "; $lines of "

case_is "a reader that has gone ends it quietly, as any tool in a pipe"
job increment '{"lines": "-"}'
seq 200000 >in
{
    "$NWPOOL" run job.json <in 2>err
    echo $? >status
} | head -n 1 >out
status=$(cat status)
expect_status 141
expect_count out 1
expect_empty err

case_is "standard output that is closed"
job increment '{"values": [1]}'
"$NWPOOL" run job.json 2>err >&-
status=$?
expect_status 5
expect_line err 'cannot write to standard output: Bad file descriptor'

finish
