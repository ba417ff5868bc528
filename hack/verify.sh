#!/usr/bin/env bash
# verify.sh runs every generator into a folder of its own and compares: a generated file that differs from what its
# source says is an error. Nothing in the work tree is changed. It also builds every kustomization and checks go.mod.
set -euo pipefail
cd "$(dirname "$0")/.."
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
failed=0

hack/step-generate.sh all "$fresh"
while IFS= read -r file; do
	diff -u --label "$file as it is" --label "$file as generated" "$file" "$fresh/$file" && continue
	echo "$file is not what its source says: run make generate manifests docs, and commit the result." >&2
	failed=1
done < <(cd "$fresh" && find . -type f | sort)

kustomize=$(hack/tools/tool kustomize)
for dir in $(find config -name kustomization.yaml -exec dirname {} + | sort); do
	"$kustomize" build "$dir" >"$fresh/built.yaml" || failed=1
done

for module in . test; do
	(cd "$module" && go mod tidy -diff) && continue
	echo "$module/go.mod is not tidy: run go mod tidy there." >&2
	failed=1
done
exit $failed
