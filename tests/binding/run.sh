#!/bin/bash
# Builds the addon for a Node.js and runs what is here in it: what the addon
# itself has to do, then the package as its users see it.
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

# A project as users have it, with this addon.
package=$output/project/node_modules/nwpool
addons=$package/prebuilds/$("$node" -p \
    '`${process.platform}-${process.arch}-${process.versions.modules}`')
rm -rf "$output/project"
mkdir -p "$addons"
cp -r "$here"/../../binding/{package.json,index.js,index.mjs,lib} "$package"
cp "$output/nwpool.node" "$addons"
"$node" "$here/run.mjs" --node "$node" --project "$output/project"
"$node" "$here/readme.mjs" "$output/project"
