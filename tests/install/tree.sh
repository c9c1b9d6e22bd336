#!/bin/bash
# Goal: what `cmake --install` puts down is complete and usable by itself.
#
# `tree.sh install` makes the tree; the other arguments each check one thing
# about it. The build directory is never on any path that is used here.
set -euo pipefail

tree=$NW_SCRATCH/tree
example=$NW_SOURCE_DIR/examples/hello.c

fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

library()
{
    find "$tree" -name libnwpool.so
}

# Runs a program that was built against the tree.
run_consumer()
{
    LD_LIBRARY_PATH=$(dirname "$(library)") "$@" </dev/null ||
        fail "$1 ended with status $?"
}

# Installed in one place and moved to another, as a package may be.
check_install()
{
    local path

    rm -rf "$NW_SCRATCH"
    mkdir -p "$NW_SCRATCH"
    "$CMAKE" --install "$NW_BUILD_DIR" --prefix "$NW_SCRATCH/first" >/dev/null
    mv "$NW_SCRATCH/first" "$tree"

    for path in bin/nwpool 'lib*/libnwpool.so.0' 'lib*/pkgconfig/nwpool.pc' \
        'lib*/cmake/nwpool/nwpoolConfig.cmake' \
        'lib*/cmake/nwpool/nwpoolConfigVersion.cmake' \
        'lib*/cmake/nwpool/nwpoolTargets.cmake'; do
        [ -n "$(find "$tree" -path "$tree/$path")" ] ||
            fail "$path is not installed"
    done
    diff <(cd "$NW_SOURCE_DIR/include" && find . -name '*.h' | sort) \
        <(cd "$tree/include" && find . -name '*.h' | sort) ||
        fail "the installed headers are not those of include/"
}

# Each public header alone, twice, as C99 and as C++17; jansson only in json.h.
check_headers()
{
    local header foreign

    for header in $(cd "$tree/include" && echo nwpool/*.h); do
        printf '#include <%s>\n#include <%s>\nextern int not_empty;\n' \
            "$header" "$header" >"$NW_SCRATCH/header.c"
        "$CC" -x c -std=c99 -Wall -Wextra -pedantic -Werror -fsyntax-only \
            -I "$tree/include" "$NW_SCRATCH/header.c" ||
            fail "$header is not C99 by itself"
        "$CXX" -x c++ -std=c++17 -Wall -Wextra -pedantic -Werror \
            -fsyntax-only -I "$tree/include" "$NW_SCRATCH/header.c" ||
            fail "$header is not C++17 by itself"
    done
    foreign=$(cd "$tree/include" && grep -nE \
        '#\s*include\s*[<"](uv|uv/.*|node.*|v8.*|jansson)\.h' nwpool/*.h |
        grep -v '^nwpool/json.h:.*jansson') || true
    [ -z "$foreign" ] || fail "a public header needs more than C: $foreign"
}

# The library exports what nwpool.map lists, no less and no more.
check_exports()
{
    "$NM" -D --defined-only "$(library)" |
        awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
        sort >"$NW_SCRATCH/exported"
    sed -E 's|/\*[^*]*\*/||g; s|#.*||' "$NW_SOURCE_DIR/nwpool.map" |
        awk 'BEGIN { RS = "[;{}]" }
            { gsub(/[ \t\n]+/, "") }
            sub(/^global:/, "") || /^local:/ { global = !/^local:/ }
            global && /^[^:]+$/' |
        sort >"$NW_SCRATCH/listed"
    diff -U 0 --label nwpool.map "$NW_SCRATCH/listed" \
        --label "${tree##*/}/libnwpool.so" "$NW_SCRATCH/exported" ||
        fail "what is exported is not what nwpool.map lists"
    [ -s "$NW_SCRATCH/exported" ] || fail "nothing is exported"
    if grep -vE '^(nw|nwpool)_[a-z0-9]' "$NW_SCRATCH/exported"; then
        fail "these names are neither nw_ nor nwpool_"
    fi
}

# The soname is right and nothing points back into the build directory.
check_runpath()
{
    local file

    "$READELF" -d "$(library)" | grep -q 'SONAME.*\[libnwpool\.so\.0\]' ||
        fail "the soname is not libnwpool.so.0"
    for file in "$(library)" "$tree/bin/nwpool"; do
        if "$READELF" -d "$file" | grep -F "$NW_BUILD_DIR"; then
            fail "$file looks for libraries in the build directory"
        fi
    done
    "$tree/bin/nwpool" --version ||
        fail "the installed command does not find its libraries"
    if grep -rIlF "$NW_BUILD_DIR" "$tree/include" "$(dirname "$(library)")"
    then
        fail "these files name the build directory"
    fi
}

check_cmake()
{
    local build=$NW_SCRATCH/cmake

    "$CMAKE" -S "$NW_SOURCE_DIR/tests/install/consumer" -B "$build" \
        -DCMAKE_PREFIX_PATH="$tree" -DCMAKE_C_COMPILER="$CC" \
        -DEXAMPLE="$example"
    "$CMAKE" --build "$build"
    run_consumer "$build/consumer"
}

check_pkgconfig()
{
    local flags

    flags=$(PKG_CONFIG_PATH=$(dirname "$(library)")/pkgconfig \
        "$PKG_CONFIG" --cflags --libs nwpool)
    # pkg-config quotes for the shell.
    eval "flags=($flags)"
    "$CC" -Wall -Wextra -Werror -o "$NW_SCRATCH/consumer" "$example" \
        "${flags[@]}"
    run_consumer "$NW_SCRATCH/consumer"
}

"check_$1"
