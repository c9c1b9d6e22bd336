#!/bin/bash
# run.sh ORACLE MAJOR: the oracle against Node.js of that version. Exits with 77
# where there is none.
set -euo pipefail

node=$("$(dirname "$0")/nodes.sh" "$2") || exit
"$node" -p '`Node.js ${process.version}, V8 ${process.versions.v8}`'
exec "$1" "$node"
