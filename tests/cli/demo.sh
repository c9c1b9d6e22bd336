#!/bin/bash
# Goal: the demo writes one line for every file, the same with one and with two
# workers, and acorn's own error for a file that it rejects.
. "$NW_SOURCE_DIR/tests/cli/lib.sh" || exit 1

parse=$NW_SOURCE_DIR/examples/parse

case_is "one line for every file below /usr/share/nodejs"
run run --workers 2 --output two.jsonl "$parse/jobs.json"
if [ "$status" -gt 1 ]; then
    failed "exit status $status" "$(tail -n 5 err)"
fi
expect_text <(sed 's/.*"input":"\([^"]*\)".*/\1/' two.jsonl) \
    "$(find /usr/share/nodejs -name '*.js' -type f | sort)"

case_is "the same figures with one worker"
run run --workers 1 --output one.jsonl "$parse/jobs.json"
cmp one.jsonl ../1/two.jsonl || failed "the outputs differ"

# parse NAME: writes the line of that file to out.
parse()
{
    printf '{"module": "%s/parse.js", "function": "parse", "input": {"files": "./%s"}}' \
        "$parse" "$1" >job.json
    run run job.json
}

case_is "figures that were counted by hand"
printf '#!/usr/bin/env node\nconst f = (a) => a;\nclass C { m() { return f(1); } }\n' \
    >a.js
parse a.js
expect_status 0
expect_line out "\"result\":{\"path\":\"$PWD/a.js\",\"bytes\":73,\"tokens\":24,\"functions\":2,\"depth\":9}"

case_is "a file that acorn rejects fails with acorn's message and position"
printf 'let x = 1;\nlet y = ;\n' >bad.js
parse bad.js
expect_status 1
expect_line out '"status":"NW_ETHROWN","task":1,"error":{"name":"SyntaxError","message":"Unexpected token (2:8)"'
expect_line out '"pos":19'
expect_line out '"loc":{"line":2,"column":8}'

case_is "scripts and modules, whatever the package says"
printf 'return 1;\n' >a.js
parse a.js
expect_status 0
printf 'import x from "y"; await x;\n' >a.js
parse a.js
expect_status 0
printf '{"type": "module"}\n' >package.json
printf 'var await = 1; with (a) b();\n' >a.js
parse a.js
expect_status 0

case_is "the error is that of the kind the file was meant to be"
printf 'import x from "y";\nlet x;\n' >a.js
parse a.js
expect_line out "Identifier 'x' has already been declared (2:4)"

case_is "code that nests very deep"
{
    printf 'x = 0'
    for _ in $(seq 3000); do
        printf ' + (() => [[1]])()'
    done
} >deep.js
parse deep.js
expect_status 0
# Program, statement, assignment, 3000 sums, the sum's left 0; the right-hand
# sides of the first sums are deeper: a call, a function, two arrays, a number.
expect_line out '"functions":3000,"depth":3008'

finish
