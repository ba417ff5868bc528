#!/usr/bin/env bash
# step-generate.sh [WHAT] [OUT] writes generated files: WHAT is code, manifests, docs or all; OUT is the folder that
# stands for the root of the repository, so that a comparison needs no clean work tree.
set -euo pipefail
what=${1:-all}
cd "$(dirname "$0")/.."
out=${2:-$PWD}
gen=$(hack/tools/tool controller-gen)

code() {
	mkdir -p "$out/api/v1alpha1"
	"$gen" object:headerFile=hack/boilerplate.go.txt paths=./api/... "output:object:dir=$out/api/v1alpha1"
}

manifests() {
	mkdir -p "$out/config/crd" "$out/config/rbac"
	"$gen" crd:generateEmbeddedObjectMeta=true paths=./api/... "output:crd:dir=$out/config/crd"
	if [[ -d controllers ]]; then
		"$gen" rbac:roleName=slipway-operator paths=./controllers/... "output:rbac:dir=$out/config/rbac"
	fi
}

docs() {
	mkdir -p "$out/docs"
	"$(hack/tools/tool crd-ref-docs)" --log-level=ERROR --config=hack/tools/crd-ref-docs.yaml --renderer=markdown \
		--source-path=./api --output-path="$out/docs/api.md"
}

case $what in
code | manifests | docs) "$what" ;;
all) code && manifests && docs ;;
*) echo "step-generate: unknown $what" >&2; exit 2 ;;
esac
