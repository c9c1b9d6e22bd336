#!/bin/bash
# Goal: what goes wrong in JavaScript fails the task that did it, with the
# reason, and nothing else; a module that cannot run at all stops the run.
. "$NW_SOURCE_DIR/tests/cli/lib.sh" || exit 1

case_is "a task that throws"
job failOdd '{"values": [2, 3, 4]}'
run run job.json
expect_status 1
expect_count out 3
expect_line out '{"index":0,"ok":true,"input":2,"result":2}'
expect_line out '{"index":1,"ok":false,"input":3,"status":"NW_ETHROWN","task":2,"error":{"name":"RangeError","message":"odd: 3","code":"EODD","stack":"RangeError: odd: 3\n    at '
expect_line err '3 inputs in'
expect_line err '2 ok, 1 failed'
expect_line err '1 failed with NW_ETHROWN'
expect_line err 'input 1, 3: RangeError: odd: 3'

case_is "process.exit(3) in the middle of a thousand fails alone"
job exitAt500 '{"lines": "-"}' '"workers": 2'
seq 0 999 >in
run run job.json <in
expect_status 1
expect_count out 999 '"ok":true'
expect_count out 1 '"ok":false'
expect_line out '{"index":500,"ok":false,"input":500,"status":"NW_ECRASHED","task":501,"exit_code":3,'
expect_text <(sed 's/.*"input":\([0-9]*\),.*/\1/' out) "$(seq 0 999)"

case_is "a result that cannot be cloned, and one that JSON cannot express"
job returnFunction '{"values": [1]}'
run run job.json
expect_status 1
expect_line out '"status":"NW_ECLONE"'
job returnItself '{"values": [1]}'
run run job.json
expect_status 1
expect_line out '"status":"NW_ETYPE"'
expect_line out 'the result contains itself'

# stops_with TEXT...: nothing can be run, so not all inputs are tried.
stops_with()
{
    local text

    seq 1000 >in
    run run job.json <in
    expect_status 4
    expect_line err 'the rest of the input was not run. The reason:'
    for text; do
        expect_line err "$text"
    done
    if [ "$(wc -l <out)" -ge 1000 ]; then
        failed "every input was tried"
    fi
    expect_no_line out '"ok":true'
    # The reason is told once, however many tasks it failed.
    expect_count err 1 "$1"
}

case_is "a module that throws while it is loaded"
echo 'throw new Error("boom at load");' >m.js
printf '{"module": "./m.js", "input": {"lines": "-"}}' >job.json
stops_with 'boom at load' "cannot run $PWD/m.js" "m.js:1:7"
expect_no_line err 'node:internal'

case_is "a module that is no JavaScript"
echo 'let x = ;' >m.js
printf '{"module": "./m.js", "input": {"lines": "-"}}' >job.json
stops_with 'SyntaxError' "m.js:1"

case_is "a module that ends its worker while it is loaded"
echo 'process.exit(7);' >m.js
printf '{"module": "./m.js", "input": {"lines": "-"}}' >job.json
stops_with 'exited with code 7'

case_is "a function that the module does not have"
job incremnt '{"lines": "-"}'
stops_with 'exports no function "incremnt"'

case_is "a package that is not installed"
printf '{"module": "no-such-package", "input": {"lines": "-"}}' >job.json
stops_with 'Error: there is no module "no-such-package"' "cannot run no-such-package"

case_is "a package beside the job, wherever it is run from"
mkdir -p project/jobs project/node_modules/doubles
echo 'module.exports = (n) => 2 * n;' >project/node_modules/doubles/index.js
printf '{"module": "doubles", "input": {"values": [4]}}' >project/jobs/job.json
run run project/jobs/job.json
expect_status 0
expect_line out '"result":8'
cd project || exit 1
run run jobs/job.json
expect_status 0
expect_line out '"result":8'

case_is "an ES module, its default export, and one of Node.js itself"
echo 'export default async (n) => n * 2;' >m.mjs
printf '{"module": "m.mjs", "input": {"values": [4]}}' >job.json
run run job.json
expect_status 0
expect_line out '"result":8'
printf '{"module": "node:path", "function": "basename", "input": {"values": ["/a/b"]}}' \
    >job.json
run run job.json
expect_status 0
expect_line out '"result":"b"'

finish
