#!/usr/bin/env bash
# step-fuzz.sh DURATION runs every fuzz target for that long. What it finds is stored under testdata/fuzz: commit it.
set -euo pipefail
cd "$(dirname "$0")/.."
found=0
while IFS=: read -r file _ line; do
	name=${line#func }
	name=${name%%(*}
	found=1
	(cd "$(dirname "$file")" && go test -run '^$' -fuzz "^$name\$" -fuzztime "$1" .)
done < <(grep -rn --include='*_test.go' '^func Fuzz' . || true)
[[ $found == 1 ]] || { echo "There is no fuzz target." >&2; exit 1; }
