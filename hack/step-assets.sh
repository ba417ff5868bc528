#!/usr/bin/env bash
# step-assets.sh prints the folder with kube-apiserver, etcd and kubectl for tests against a real API server. They are
# the test cluster's own parts, built if they have to be; KUBEBUILDER_ASSETS names others.
set -euo pipefail
if [[ -n ${KUBEBUILDER_ASSETS:-} ]]; then
	echo "$KUBEBUILDER_ASSETS"
	exit
fi
cd "$(dirname "$0")/.."
make --no-print-directory rig-build >&2
dir=$("${RIG:-$PWD/.rig}/bin/rig" build | sed -n 's/^Parts are built: //p')/bin
[[ -x $dir/kube-apiserver ]] || { echo "step-assets: no kube-apiserver in $dir" >&2; exit 1; }
echo "$dir"
