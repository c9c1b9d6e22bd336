#!/bin/bash
# Goal: every kind of input reaches the function, and each input has its line.
. "$NW_SOURCE_DIR/tests/cli/lib.sh" || exit 1

case_is "values"
job increment '{"values": [1, 2.5, -3]}'
run run job.json
expect_status 0
expect_text out '{"index":0,"ok":true,"input":1,"result":2}
{"index":1,"ok":true,"input":2.5,"result":3.5}
{"index":2,"ok":true,"input":-3,"result":-2}'

case_is "every type of value arrives and comes back"
job echo '{"values": [null, true, "\u00e9\n", [], {"a": {"b": [0.1]}}]}'
run run job.json
expect_status 0
expect_text out '{"index":0,"ok":true,"input":null,"result":null}
{"index":1,"ok":true,"input":true,"result":true}
{"index":2,"ok":true,"input":"é\n","result":"é\n"}
{"index":3,"ok":true,"input":[],"result":[]}
{"index":4,"ok":true,"input":{"a":{"b":[0.1]}},"result":{"a":{"b":[0.1]}}}'

case_is "lines of a file beside the job"
mkdir sub
printf '1\n\n  \n[2, 3]\r\n"four"' >sub/in.jsonl
job echo '{"lines": "in.jsonl"}'
mv job.json sub
run run sub/job.json
expect_status 0
expect_text out '{"index":0,"ok":true,"input":1,"result":1}
{"index":1,"ok":true,"input":[2, 3],"result":[2,3]}
{"index":2,"ok":true,"input":"four","result":"four"}'

case_is "lines of standard input"
job increment '{"lines": "-"}'
seq 3 >in
run run job.json <in
expect_status 0
expect_count out 3 '"ok":true'

case_is "a line that is no JSON is a failed task, not the end"
job echo '{"lines": "in.jsonl"}'
printf '1\n\n{"a": tru}\n2\n' >in.jsonl
run run job.json
expect_status 1
expect_count out 3
expect_line out "{\"index\":1,\"ok\":false,\"input\":null,\"status\":\"BAD_INPUT\""
expect_line out "in.jsonl:3:7: no JSON value near 'tru'"
expect_line out '"line":3,"column":7,"text":"{\"a\": tru}"'
expect_line out '{"index":2,"ok":true,"input":2,"result":2}'
expect_line err '1 failed with BAD_INPUT'

case_is "an input that is nested too deep to be sent"
job echo '{"lines": "in.jsonl"}'
deep=$(printf '[%.0s' $(seq 1500))$(printf ']%.0s' $(seq 1500))
printf '1\n%s\n2\n' "$deep" >in.jsonl
run run job.json
expect_status 1
expect_count out 2 '"ok":true'
expect_line out ',"status":"NW_ELIMIT","task":null,'

case_is "no input at all is no failure"
job echo '{"lines": "-"}'
run run job.json </dev/null
expect_status 0
expect_empty out
expect_line err '0 inputs in'

case_is "file patterns, relative to the job, in byte order, each file once"
mkdir -p data/deep
touch data/b.txt data/a.txt data/deep/c.txt data/skip.md
ln -s ../data data/deep/loop
job echo '{"files": ["data/**/*.txt", "data/a.*"]}'
run run job.json
expect_status 0
expect_text <(sed 's/.*"result":"//; s/"}$//' out) "$PWD/data/a.txt
$PWD/data/b.txt
$PWD/data/deep/c.txt"

case_is "the job from standard input, seen from the working directory"
touch a.txt
job echo '{"files": "*.txt"}'
run run - <job.json
expect_status 0
expect_count out 1 "\"result\":\"$PWD/a.txt\""

case_is "job and lines cannot both be standard input"
job echo '{"lines": "-"}'
run run - <job.json
expect_status 2
expect_line err 'standard input cannot be both the job and its input lines'

case_is "many lines through a small queue"
job increment '{"lines": "-"}' '"queue": 3, "workers": 2'
seq 5000 >in
run run job.json <in
expect_status 0
expect_text <(sed 's/.*"result":\(.*\)}/\1/' out) "$(seq 2 5001)"

case_is "a result comes while its input is still being written"
job increment '{"lines": "-"}'
mkfifo in
"$NWPOOL" run job.json <in >out 2>err &
pid=$!
exec 9>in
echo 1 >&9
wait_until has_text out '"result":2'
echo 2 >&9
wait_until has_text out '"result":3'
exec 9>&-
end "$pid"
expect_status 0
expect_count out 2

case_is "lines are not all read ahead of the tasks"
job wait '{"lines": "-"}' '"queue": 4, "workers": 2'
line="{\"started\":\"$PWD/started\",\"gate\":\"$PWD/gate\"}"
# Nobody can have written all of it until the command has read all but what a
# pipe holds, 64 KiB, and its buffer.
for _ in $(seq 3000); do
    echo "$line"
done >in
{
    cat in
    touch all-written
} | "$NWPOOL" run job.json >out 2>err &
pid=$!
wait_until has_lines started 2
for _ in $(seq 30); do
    sleep 0.01
    if [ -e all-written ]; then
        failed "all 3000 lines were read while two tasks ran"
        break
    fi
done
touch gate
end "$pid"
expect_status 0
expect_count out 3000 '"result":"through"'

finish
