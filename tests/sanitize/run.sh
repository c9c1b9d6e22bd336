#!/bin/bash
# Build everything again under a sanitizer and run a part of the tests there.
#
#   run.sh SOURCE BUILD SANITIZERS CTEST_REGEX [CMAKE_OPTION...]
set -euo pipefail

source=$1
build=$2
sanitizers=$3
regex=$4
shift 4

# Suppressions, each with its reason in the file.
export LSAN_OPTIONS=suppressions=$source/tests/sanitize/leak.supp
export TSAN_OPTIONS=suppressions=$source/tests/sanitize/thread.supp

mkdir -p "$build"
if ! cmake -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=Debug \
    -DNW_SANITIZE="$sanitizers" -DNW_EXAMPLES=OFF "$@" \
    >"$build/build.log" 2>&1 ||
    ! cmake --build "$build" --parallel "$(nproc)" \
        >>"$build/build.log" 2>&1; then
    tail -n 50 "$build/build.log"
    exit 1
fi

# Marked, so that nobody takes them for lines of the run this one is a test of.
run_tests()
{
    ctest --test-dir "$build" --output-on-failure --parallel "$(nproc)" "$@" |
        sed -u 's/^/    | /'
}

# Criterion's own runner leaks a few bytes now and then, and its tests look for
# leaks themselves, before they end; the plain programs do so at their exit.
plain='^(soak\.|script\.|fuzz\.|engine\.guard\.|trace\.sample$)'
LSAN_OPTIONS=$LSAN_OPTIONS:leak_check_at_exit=0 \
    run_tests -R "$regex" -E "$plain"
run_tests -R "$plain"
