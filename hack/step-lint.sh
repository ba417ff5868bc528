#!/usr/bin/env bash
# step-lint.sh checks the linters' configuration, then runs them: all modules by .golangci.yml, api/ by .golangci-api.yml too.
set -euo pipefail
cd "$(dirname "$0")/.."
lint=$(hack/tools/tool golangci-lint)
root=$PWD
failed=0

for config in .golangci.yml .golangci-api.yml; do
	"$lint" config verify --config "$config" || failed=1
done
for module in . test hack/rig hack/tools; do
	echo "lint $module"
	(cd "$module" && "$lint" run --config "$root/.golangci.yml" ./...) || failed=1
done
echo "lint api by the rules for API types"
"$lint" run --config .golangci-api.yml ./api/... || failed=1
exit $failed
