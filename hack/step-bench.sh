#!/usr/bin/env bash
# step-bench.sh prints one figure a row: name, value, unit, measured on what. The raw output is kept in .rig/bench.txt;
# with BASE=FILE, raw output of another time, benchstat says whether a difference is more than noise.
set -euo pipefail
cd "$(dirname "$0")/.."
state=${RIG:-$PWD/.rig}
mkdir -p "$state"
mapfile -t packages < <(go list ./internal/... | grep -v /integration)
go test -run '^$' -bench . -benchmem -count "${COUNT:-1}" "${packages[@]}" >"$state/bench.txt" || { cat "$state/bench.txt"; exit 1; }
"$(hack/tools/tool figures)" "$state/bench.txt" "$state/bench.json"
if [[ -n ${BASE:-} ]]; then
	"$(hack/tools/tool benchstat)" "$BASE" "$state/bench.txt"
fi
