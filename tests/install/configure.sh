#!/bin/bash
# Goal: when something that nwpool is built from is missing or does not fit,
# the configure step says so in one sentence that names the way out.
set -euo pipefail

scratch=$NW_SCRATCH.configure
rm -rf "$scratch"
mkdir -p "$scratch/empty"
cd "$scratch"

cat >CMakeLists.txt <<END
cmake_minimum_required(VERSION 3.25)
project(scratch C)
set(NW_TESTS ON)
include("$NW_SOURCE_DIR/cmake/NwpoolDependencies.cmake")
END

# make_node <prefix> <module version of the headers> <of the library>
make_node()
{
    mkdir -p "$1/include/node" "$1/lib"
    echo "#define NODE_MODULE_VERSION $2" >"$1/include/node/node_version.h"
    touch "$1/lib/libnode.so.$3"
    ln -s "libnode.so.$3" "$1/lib/libnode.so"
}

# Configures and sets said to all that was said, on one line: CMake wraps it.
configure()
{
    rm -rf build
    said=$("$CMAKE" -S . -B build -DCMAKE_C_COMPILER="$CC" "$@" 2>&1) &&
        result=configured || result=refused
    said=$(tr -s ' \n' ' ' <<<"$said")
}

# expect <configured|refused> <text>...
expect()
{
    local text

    if [ "$result" != "$1" ]; then
        echo "FAILED: $result, not $1: $said" >&2
        exit 1
    fi
    shift
    for text; do
        if [[ $said != *"$text"* ]]; then
            echo "FAILED: nothing says \"$text\": $said" >&2
            exit 1
        fi
    done
}

unset NWPOOL_NODE_PREFIX
make_node "$scratch/same" 108 108
make_node "$scratch/mixed" 115 108
make_node "$scratch/newer" 115 115

configure -DNWPOOL_NODE_PREFIX="$scratch/same"
expect configured "Using $scratch/same/lib/libnode.so.108"

configure -DNWPOOL_NODE_PREFIX="$scratch/mixed"
expect refused "the Node.js headers in $scratch/mixed/include/node have module \
version 115, but the library $scratch/mixed/lib/libnode.so.108 has 108" \
    "libnode-dev" "scripts/deps"

# Paths that are given by hand are checked as well.
configure -DNWPOOL_NODE_INCLUDE_DIR="$scratch/newer/include/node" \
    -DNWPOOL_NODE_LIBRARY="$scratch/same/lib/libnode.so"
expect refused "$scratch/newer/include/node have module version 115" \
    "$scratch/same/lib/libnode.so.108 has 108"

configure -DNWPOOL_NODE_PREFIX="$scratch/newer"
expect refused "libnode.so.115 has module version 115" "Node.js 18"

configure -DNWPOOL_NODE_PREFIX="$scratch/empty"
expect refused "libnode of Node.js 18 was not found in $scratch/empty:" \
    "libnode-dev" "scripts/deps"

# Several missing things are told at once.
PKG_CONFIG_LIBDIR=$scratch/empty PKG_CONFIG_PATH='' \
    configure -DNWPOOL_NODE_PREFIX="$scratch/same"
expect refused "install Debian's libuv1-dev" "install Debian's libjansson-dev" \
    "install Debian's libcriterion-dev" "scripts/deps"
