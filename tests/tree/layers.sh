#!/bin/bash
# Who may include whom: include <- src <- pool, trace listens to src/hooks.h,
# batch is a user like any other, and only src/engine/ knows V8 and node.h.
set -euo pipefail
cd "$1"

problems=0

# No line in FILES may match PATTERN, but for lines that match EXCEPT.
forbid() { # files pattern except why
    local found
    found=$(git grep -nE "^#include ($2)" -- $1 | grep -vE "$3" || true)
    if [ -n "$found" ]; then
        printf '%s:\n%s\n' "$4" "$found"
        problems=$((problems + 1))
    fi
}

none='^$'
forbid 'include' '"|<(uv|node|v8)' "$none" \
    "public headers include public headers and C's own"
forbid 'src' '"(pool|trace|batch)/' "$none" "src/ includes only src/"
forbid 'pool' '"(trace|batch)/' "$none" "pool/ does not know trace/ or batch/"
forbid 'trace' '"(src|pool|batch)/' '"src/(hooks|common|options)\.h"' \
    "trace/ knows the hook table and nothing else"
forbid 'batch' '"(src|pool|trace)/' "$none" "batch/ uses the public headers"
forbid '*.c *.h *.cc' '<(node|v8)[a-z-]*\.h>' '^src/engine/' \
    "only src/engine/ includes node.h or v8.h"
forbid 'pool trace batch' '<(node_api|uv)\.h>' "$none" \
    "only src/ touches JavaScript"

[ "$problems" = 0 ]
