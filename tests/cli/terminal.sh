#!/bin/bash
# Goal: on a terminal a line shows how far the run is and is gone at the end;
# anywhere else there is none.
. "$NW_SOURCE_DIR/tests/cli/lib.sh" || exit 1

# on_terminal ARGUMENT...: standard error is a terminal of 60 columns, what it
# received is in the file terminal.
on_terminal()
{
    local command

    command=$(printf '%q ' "$NWPOOL" "$@")
    script -qefc "stty cols 60; $command >out" terminal </dev/null >/dev/null
    status=$?
}

# The last state of each line, as somebody in front of the terminal sees it.
screen()
{
    awk 'BEGIN { RS = "\n" }
        /^Script (started|done)/ { next }
        {
            gsub(/\r+$/, "")
            count = split($0, part, "\r")
            shown = ""
            for (i = 1; i <= count; i++) {
                shown = part[i] substr(shown, length(part[i]) + 1)
            }
            sub(/ +$/, "", shown)
            print shown
        }' terminal
}

case_is "the line counts and is gone at the end"
job uneven '{"lines": "in"}' '"workers": 2'
seq 100 >in
on_terminal run job.json
expect_status 0
expect_count out 100 '"ok":true'
grep -qE $'\r[0-9]+ done  [0-9]+%  (ETA [0-9:]+( s)?  )?[0-9,.]+/s  [0-2] running' \
    terminal || failed "no progress line" "$(cat -v terminal)"
screen >screen
expect_no_line screen running
expect_line screen '100 inputs in'

case_is "it does not reach the last column"
job failOdd '{"lines": "-"}' '"workers": 2'
mkfifo in
command=$(printf '%q run job.json' "$NWPOOL")
script -qefc "stty cols 23; $command <in >out" terminal </dev/null >/dev/null &
pid=$!
exec 9>in
seq 10000 >&9
# With how many failed it would have 23 characters.
wait_until has_text terminal $'\r10000 done'
exec 9>&-
end "$pid"
awk 'BEGIN { RS = "[\r\n]" } /^[0-9]+ done/ && length($0) > 22' terminal >long
expect_empty long
expect_no_line terminal '10000 done  5000 failed'

case_is "--no-progress keeps the summary"
job uneven '{"lines": "in"}' '"workers": 2'
seq 100 >in
on_terminal run --no-progress job.json
expect_status 0
expect_no_line terminal running
expect_line terminal '100 inputs in'

case_is "--quiet keeps nothing"
job uneven '{"lines": "in"}' '"workers": 2'
seq 100 >in
on_terminal run -q job.json
expect_status 0
expect_no_line terminal running
expect_no_line terminal 'inputs in'

case_is "a pipe is no terminal"
job uneven '{"lines": "in"}' '"workers": 2'
seq 100 >in
run run job.json
expect_status 0
expect_no_line err running
expect_count err 0 $'\r'

finish
