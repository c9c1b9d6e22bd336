# shellcheck shell=bash
# What the command tests share. Sourced; expects NWPOOL and NW_SOURCE_DIR.
#
# A case begins with `case_is NAME` in an empty directory of its own, calls
# `nwpool` through `run` and then says what it expects. Each expectation that
# is not met prints what was expected and what came instead; `finish` fails if
# there was one.

set -u
export LC_ALL=C
unset NODE_OPTIONS

tests=$NW_SOURCE_DIR/tests/cli
scratch=$(mktemp -d "${TMPDIR:-/tmp}/nwpool-cli-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' TERM INT

name=none
cases=0
failures=0

case_is()
{
    name=$1
    cases=$((cases + 1))
    mkdir "$scratch/$cases"
    cd "$scratch/$cases" || exit 1
}

failed()
{
    failures=$((failures + 1))
    echo "FAILED: $name: $1" >&2
    shift
    printf '    %s\n' "$@" >&2
}

finish()
{
    if [ "$failures" -gt 0 ]; then
        echo "$failures failed expectations in $cases cases" >&2
        exit 1
    fi
    echo "$cases cases"
}

# Sets status; what was said is in the files out and err.
run()
{
    "$NWPOOL" "$@" >out 2>err
    status=$?
}

# job FUNCTION INPUT [KEYS]: writes job.json, which calls one of tasks.js.
job()
{
    printf '{"module": "%s/tasks.js", "function": "%s", "input": %s%s}\n' \
        "$tests" "$1" "$2" "${3:+, $3}" >job.json
}

expect_status()
{
    if [ "$status" != "$1" ]; then
        failed "exit status $status, not $1" "$(tail -n 5 err)"
    fi
}

# expect_text FILE TEXT: the file is just that.
expect_text()
{
    if ! diff <(printf '%s\n' "$2") "$1" >difference; then
        failed "$1 is not what was expected (<)" "$(head -n 10 difference)"
    fi
}

expect_empty()
{
    if [ -s "$1" ]; then
        failed "$1 is not empty" "$(head -n 10 "$1")"
    fi
}

# expect_line FILE TEXT: some line of the file contains the text.
expect_line()
{
    if ! grep -qF -- "$2" "$1"; then
        failed "no line of $1 contains: $2" "$(head -n 10 "$1")"
    fi
}

expect_no_line()
{
    if grep -qF -- "$2" "$1"; then
        failed "a line of $1 contains: $2" "$(head -n 10 "$1")"
    fi
}

# expect_count FILE NUMBER [TEXT]: so many lines, or lines with that text.
expect_count()
{
    local count

    count=$(grep -cF -- "${3-}" "$1")
    if [ "$count" != "$2" ]; then
        failed "$1 has $count lines, not $2${3:+, with: $3}"
    fi
}

# wait_until COMMAND...: runs it again and again until it succeeds; gives up
# after ten seconds.
wait_until()
{
    local tries=0

    until "$@"; do
        tries=$((tries + 1))
        if [ "$tries" -gt 1000 ]; then
            failed "waited in vain for: $*"
            return 1
        fi
        sleep 0.01
    done
}

is_over()
{
    ! kill -0 "$1" 2>/dev/null
}

# end PID: sets status to how that background command ended; it is not waited
# for without a bound.
# shellcheck disable=SC2034 # Whoever sources this reads it.
end()
{
    wait_until is_over "$1" || kill -KILL "$1"
    wait "$1" 2>/dev/null
    status=$?
}

has_lines()
{
    [ -e "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]
}

has_text()
{
    grep -qsF -- "$2" "$1"
}
