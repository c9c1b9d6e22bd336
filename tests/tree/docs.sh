#!/bin/bash
# What the pages show is what the tree has: a code block below a comment
# <!-- FILE --> is that file, and every relative link leads somewhere.
set -euo pipefail
cd "$1"

problems=0
say() {
    echo "$*"
    problems=$((problems + 1))
}

block_of() { # page file
    awk -v mark="<!-- $2 -->" '
        $0 == mark { wanted = 1; next }
        wanted && /^```/ && !inside { inside = 1; next }
        inside && /^```/ { exit }
        inside
    ' "$1"
}

while IFS= read -r page; do
    directory=$(dirname "$page")
    while IFS= read -r file; do
        if ! diff -u "$file" <(block_of "$page" "$file"); then
            say "$page: the block below <!-- $file --> is not that file"
        fi
    done < <(sed -nE 's/^<!-- ([^ ]+\.[a-z]+) -->$/\1/p' "$page")
    while IFS= read -r link; do
        if [ ! -e "$directory/$link" ]; then
            say "$page: link to $link, which does not exist"
        fi
    done < <(grep -oE '\]\([^)#:]+\)' "$page" | sed -E 's/^\]\(//; s/\)$//')
done < <(git ls-files '*.md')

[ "$problems" = 0 ]
