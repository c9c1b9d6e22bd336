#!/bin/bash
# Goal: a job or a command line that is wrong is refused with status 2 before
# anything happens, in words that name the place and the way out.
. "$NW_SOURCE_DIR/tests/cli/lib.sh" || exit 1

# refuse TEXT...: run and check refuse job.json, and say all of this.
refuse()
{
    local command text

    for command in run check; do
        run "$command" job.json
        expect_status 2
        expect_empty out
        for text; do
            expect_line err "$text"
        done
    done
}

case_is "a syntax error has its place"
printf '{\n  "module": "./m.js"\n  "input": {}\n}\n' >job.json
refuse "job.json:3:3: ',' or '}' is expected near '\"input\"'"

case_is "a value of the wrong type has its place"
job echo '{"values": []}' '
  "workers": "4"'
refuse 'job.json:2:14: "workers" must be an integer from 1 to 1024, got a string'

case_is "all problems are told at once"
printf '{"wokers": 1,\n "modul": 2,\n "queue": 0}\n' >job.json
refuse 'job.json:1:2: unknown key "wokers", did you mean "workers"?' \
    'job.json:2:2: unknown key "modul", did you mean "module"?' \
    'job.json:3:11: "queue" must be an integer from 1 to 1000000, got 0' \
    'job.json:1:1: "module" is missing' 'job.json:1:1: "input" is missing'

case_is "a key that is there twice"
printf '{"module": "a",\n "module": "b"}\n' >job.json
refuse "job.json:2:2: duplicate key near '\"module\"'"

case_is "a module that is not there"
printf '{"module": "./nope.js", "input": {"values": [1]}, "output": "o"}' \
    >job.json
refuse "job.json:1:12: \"module\": there is no file $PWD/nope.js"
[ ! -e o ] || failed "the output was created"

case_is "a module without its extension"
touch there.mjs
printf '{"module": "./there", "input": {"values": [1]}}' >job.json
refuse "did you mean $PWD/there.mjs?"

case_is "lines that are not there"
job echo '{"lines": "nope.jsonl"}'
refuse "\"lines\": cannot read $PWD/nope.jsonl: No such file or directory"

case_is "a pattern without a match"
job echo '{"files": "*.nope"}'
refuse "no file matches \"*.nope\" in $PWD"

case_is "an output that cannot be created"
job echo '{"values": []}' '"output": "nodir/out"'
refuse "\"output\": cannot create a file in $PWD/nodir: No such file"

case_is "an output that is an input"
echo 1 >in.jsonl
job echo '{"lines": "in.jsonl"}' '"output": "./in.jsonl"'
refuse 'these are the input lines, which must not be overwritten'
expect_text in.jsonl 1
job echo '{"files": "*.jsonl"}' '"output": "in.jsonl"'
refuse 'this is one of the input files, which must not be overwritten'
run run --output job.json job.json
expect_status 2
expect_line err '--output: '
expect_line err 'this is the job file, which must not be overwritten'

case_is "a job file that is not there"
rm -f job.json
refuse 'job.json: cannot read the job file: No such file or directory'

case_is "check says what would run"
touch a.txt b.txt
job echo '{"files": "*.txt"}'
run check job.json
expect_status 0
expect_text out "job.json: ok (2 inputs, module $tests/tasks.js, function \"echo\")"
job echo '{"values": [1]}'
run check job.json
expect_line out 'job.json: ok (1 input, '
job echo '{"lines": "-"}'
run check job.json </dev/null
expect_line out 'job.json: ok (inputs from <stdin>, '

case_is "check reads every line of a file"
printf '1\n\n2\n' >in.jsonl
job echo '{"lines": "in.jsonl"}'
run check job.json
expect_status 0
expect_line out 'ok (2 inputs'
printf '1\n{\n3 4\n' >in.jsonl
run check job.json
expect_status 2
expect_line err 'in.jsonl:2:2: '
expect_line err 'in.jsonl:3:3: '

case_is "check runs no JavaScript and creates nothing"
echo 'require("fs").writeFileSync("ran", "");' >m.js
printf '{"module": "./m.js", "input": {"values": [1]}, "output": "o"}' \
    >job.json
run check job.json
expect_status 0
[ ! -e ran ] || failed "the module was run"
[ ! -e o ] || failed "the output was created"

# usage TEXT ARGUMENT...
usage()
{
    local text=$1

    shift
    run "$@"
    expect_status 2
    expect_line err "$text"
    expect_empty out
}

case_is "bad usage"
job echo '{"values": [1]}'
usage 'no job file is given' run
usage 'more than one job file' run job.json job.json
usage 'unknown option --wrokers' run --wrokers 2 job.json
usage 'unknown option -x' run -x job.json
usage '--workers needs a value' run job.json --workers
usage '--workers must be an integer from 1 to 1024, got "0"' \
    run --workers 0 job.json
usage 'got "2x"' run --workers 2x job.json
usage 'got "1025"' run --workers 1025 job.json
usage '--quiet=1 takes no value' run --quiet=1 job.json
usage '--trace needs the name of a file' run --trace - job.json
usage '--trace: ./x is where the results go' \
    run --trace ./x --output x job.json
usage '--output needs the name of a file' run --output '' job.json
usage 'unknown command "rnu", did you mean "run"?' rnu job.json
usage 'unknown option --verbose' --verbose
usage 'unknown option --workers' check --workers 2 job.json
run
expect_status 2
expect_line err 'nwpool run [OPTIONS] FILE'

case_is "help and version"
for arguments in --help -h help 'help help'; do
    # shellcheck disable=SC2086 # Two words are two arguments.
    run $arguments
    expect_status 0
    expect_line out 'nwpool run [OPTIONS] FILE'
done
for arguments in 'help run' 'run --help' 'run -h'; do
    # shellcheck disable=SC2086
    run $arguments
    expect_status 0
    expect_line out '--workers N'
done
for arguments in 'help check' 'check --help'; do
    # shellcheck disable=SC2086
    run $arguments
    expect_status 0
    expect_line out 'Usage: nwpool check FILE'
done
run --version
expect_status 0
grep -qE '^nwpool [0-9]+\.[0-9]+\.[0-9]+ \(Node\.js v18\.' out ||
    failed "the version looks odd" "$(cat out)"
"$NWPOOL" --help >/dev/full 2>err
status=$?
expect_status 5

finish
