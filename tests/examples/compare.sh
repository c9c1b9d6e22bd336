#!/bin/bash
# Run a program that must print what its source says and nothing else, on stderr
# neither, and end with 0.
#
#   compare.sh SOURCE PROGRAM [ARGUMENT...]
#
# The source says it in the lines "//   ..." that follow "// Prints:".
set -euo pipefail

source=$1
shift

# With the exit code behind it, which also shows a newline that is missing.
expected() {
    awk '
        /^\/\/ Prints:$/ { inside = 1; next }
        inside && !/^\/\/   / { exit }
        inside { print substr($0, 6) }
    ' "$source"
    echo "exit code 0"
}

run() {
    local code=0
    "$@" 2>&1 || code=$?
    echo "exit code $code"
}

if ! grep -q '^// Prints:$' "$source"; then
    echo "$source does not say what it prints"
    exit 1
fi
diff -u --label "$source" --label printed <(expected) <(run "$@")
