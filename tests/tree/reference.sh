#!/bin/bash
# What docs/reference.md names is there: each function, field and constant in
# the public headers, each test in the program that CTest runs under that name.
# And each row of its tables has a test, or says why it has none.
set -euo pipefail
cd "$1"
page=docs/reference.md

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

problems=0
say() {
    echo "$page:$*"
    problems=$((problems + 1))
}

# Words of the headers without their comments, fields as STRUCT.FIELD, and the
# statuses, which a macro makes.
identifiers() {
    cat include/nwpool/*.h | awk '
        {
            # Comments are blanked, also those of several lines.
            line = $0
            if (comment && !sub(/^.*\*\//, "", line)) {
                next
            }
            while (match(line, /\/\*([^*]|\*+[^*\/])*\*\//)) {
                line = substr(line, 1, RSTART - 1) " " \
                    substr(line, RSTART + RLENGTH)
            }
            comment = sub(/\/\*.*$/, "", line)
            $0 = line
        }
        match($0, /^ *X\([A-Z]+, -?[0-9]+,/) {
            name = substr($0, index($0, "(") + 1)
            print "NW_" substr(name, 1, index(name, ",") - 1)
        }
        /^(typedef )?struct [a-z_]+ \{/ {
            struct = $1 == "typedef" ? $3 : $2
        }
        /^\}/ { struct = "" }
        {
            gsub(/[^A-Za-z0-9_]+/, " ")
            for (i = 1; i <= NF; i++) {
                print $i
                if (struct != "") {
                    print struct "." $i
                }
            }
        }' | sort -u
}

# "CTEST: TEST" for the Criterion tests of each CTest test, and "CTEST" alone.
# A macro NAME_CASE(test) makes a test as well.
tests() {
    if ! "${CMAKE:-cmake}" -P tests/tree/ctests.cmake "$PWD" \
        > "$scratch/ctests" 2>&1; then
        sed -n '/^CMake Error/,$p' "$scratch/ctests" >&2
        return 1
    fi
    awk '
        function tests_of(file, line, text, n, parts, i) {
            while ((getline line < file) > 0) {
                text = text line " "
            }
            close(file)
            gsub(/ParameterizedTest\([^,]*,/, "Test(", text)
            n = split(text, parts, /[^A-Za-z_]Test\( *[a-z_]+, */)
            for (i = 2; i <= n; i++) {
                found[file] = found[file] " " first_word(parts[i])
            }
            n = split(text, parts, /[A-Z]_CASE\(/)
            for (i = 2; i <= n; i++) {
                found[file] = found[file] " " first_word(parts[i])
            }
            read[file] = 1
        }
        function first_word(text) {
            return match(text, /^[A-Za-z0-9_]+/) ? substr(text, 1, RLENGTH) : ""
        }
        {
            print $1
            for (i = 2; i <= NF; i++) {
                if ($i !~ /\/tests\/.*\.c$/) {
                    continue
                }
                if (!read[$i]) {
                    tests_of($i)
                }
                n = split(found[$i], names, " ")
                for (k = 1; k <= n; k++) {
                    print $1 ": " names[k]
                }
            }
        }' "$scratch/ctests" | sort -u
}

# "LINE NAME" of all names in backticks that match, or of the tests in tables.
named() { # pattern
    grep -noE '`[^`]+`' "$page" | sed -E 's/^([0-9]+):`(.*)`$/\1 \2/' |
        grep -E "^[0-9]+ $1\$" || true
}

named_in_tables() {
    awk -F ' *\\| *' '/^\|/ && $4 ~ /`/ {
        count = split($4, parts, "`")
        for (i = 2; i <= count; i += 2) {
            print FNR " " parts[i]
        }
    }' "$page"
}

missing() { # names-file why
    while read -r line name; do
        say "$line: $name $2"
    done < <(awk 'NR == FNR { known[$0] = 1; next }
        { name = $0; sub(/^[0-9]+ /, "", name) }
        !(name in known)' "$1" - | sort -u | sort -n)
}

identifiers > "$scratch/identifiers"
tests > "$scratch/tests"

missing "$scratch/identifiers" "is not in include/nwpool/" \
    < <(named '(nw|NW|nwpool)_[A-Za-z0-9_.]+')
missing "$scratch/tests" "is no test of this tree" \
    < <(named '[a-z]+\.[a-z_]+: .*'; named_in_tables)

# The four cells of a row: member, in C, test, note.
while IFS= read -r problem; do
    say "$problem"
done < <(awk -F ' *\\| *' '
    /^\|/ && NF != 6 { print FNR ": a row has four cells"; next }
    !/^\|/ || $2 ~ /^(member|what the page says|---)$/ { next }
    $3 == "" { print FNR ": " $2 ": nothing below \"in C\"" }
    $3 == "–" && $5 == "" { print FNR ": " $2 ": does not say why" }
    $4 == "" && $5 == "" { print FNR ": " $2 ": neither a test nor a reason" }
    $4 != "" && $4 !~ /^`[^`]+`(, `[^`]+`)*$/ {
        print FNR ": " $2 ": tests are `CTEST: TEST`, or `CTEST`"
    }' "$page")

[ "$problems" = 0 ]
