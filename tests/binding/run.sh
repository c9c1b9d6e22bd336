#!/bin/bash
# Builds the addon for a Node.js and runs what is here in it.
#
#   run.sh MAJOR OUTPUT [HEADERS]
#
# HEADERS is tried when the Node.js has none of its own. Exits with 77, which
# CTest shows as skipped, where there is no such Node.js, or no headers.
set -euo pipefail

major=$1 output=$2 headers=${3-}
here=$(cd "$(dirname "$0")" && pwd)
build=$here/../../binding/build.js

node=$("$here/../oracle/nodes.sh" "$major")
log=$output.log
mkdir -p "$output"
if ! "$node" "$build" --testing --output "$output" >"$log" 2>&1; then
    if ! grep -q 'headers of Node.js' "$log"; then
        cat "$log" >&2
        exit 1
    fi
    "$node" "$build" --testing --output "$output" \
        ${headers:+--headers "$headers"} >"$log" 2>&1 || {
        cat "$log" >&2
        ! grep -q 'headers of Node.js' "$log" || exit 77
        exit 1
    }
fi
"$node" "$here/codec.js" "$output/nwpool.node"
"$node" "$here/load.js" "$output/nwpool.node"
