#!/bin/bash
# Goal: the first SIGINT or SIGTERM lets what runs finish and writes it; the
# second ends the process at once.
. "$NW_SOURCE_DIR/tests/cli/lib.sh" || exit 1

# Starts a command in the background; sets pid. Without job control the shell
# would make it ignore SIGINT; with it, it would tell how the command ended.
background()
{
    set -m
    "$@" >out 2>err &
    pid=$!
    set +m
}

# Starts a run of a hundred tasks on two workers, which wait at a gate.
start()
{
    job wait '{"lines": "in"}' '"workers": 2'
    for _ in $(seq 100); do
        echo "{\"started\": \"$PWD/started\", \"gate\": \"$PWD/gate\"}"
    done >in
    background "$NWPOOL" run job.json
    wait_until has_lines started 2
}

for signal in INT:130 TERM:143; do
    case_is "the first SIG${signal%:*} finishes what runs"
    start
    kill -"${signal%:*}" "$pid"
    wait_until has_text err 'interrupted: finishing 2 tasks'
    touch gate
    end "$pid"
    expect_status "${signal#*:}"
    expect_count out 2
    expect_count out 2 '"result":"through"'
    expect_line err '2 inputs in'
    expect_line err "interrupted by SIG${signal%:*}; the rest of the input was not run"

    case_is "the second SIG${signal%:*} ends at once"
    start
    kill -"${signal%:*}" "$pid"
    wait_until has_text err 'interrupted: finishing 2 tasks'
    kill -"${signal%:*}" "$pid"
    end "$pid"
    expect_status "${signal#*:}"
    expect_empty out
done

case_is "slow tasks are not submitted far ahead, whatever was fast before"
job slowAfter300 '{"lines": "in"}' '"workers": 2'
for n in $(seq 2000); do
    echo "{\"n\": $n, \"ended\": \"$PWD/ended\"}"
done >in
background "$NWPOOL" run job.json
# By then those that were submitted while all was fast are through.
wait_until has_lines ended 500
kill -TERM "$pid"
end "$pid"
expect_status 143
left=$(sed -n 's/.*finishing \([0-9]*\) tasks.*/\1/p' err)
if [ "${left:-1000}" -gt 30 ]; then
    failed "${left:-no number of} tasks were under way"
fi

case_is "a signal while standard input is waited for"
job increment '{"lines": "-"}'
mkfifo in
# Opened for both, so that neither side waits for the other to open it.
exec 9<>in
background "$NWPOOL" run job.json <in
echo 1 >&9
wait_until has_text out '"result":2'
kill -TERM "$pid"
end "$pid"
exec 9>&-
expect_status 143
expect_count out 1

case_is "a signal that was ignored from the start stays ignored"
job wait '{"lines": "in"}' '"workers": 1'
echo "{\"started\": \"$PWD/started\", \"gate\": \"$PWD/gate\"}" >in
background bash -c 'trap "" INT; exec "$0" run job.json' "$NWPOOL"
wait_until has_lines started 1
kill -INT "$pid"
kill -INT "$pid"
touch gate
end "$pid"
expect_status 0
expect_count out 1 '"result":"through"'

finish
