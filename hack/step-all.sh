#!/usr/bin/env bash
# step-all.sh runs everything that must pass, cheap failures first. The parts of the test cluster take longest to build,
# so that starts at once, behind the rest; its output is in a log until somebody has to wait for it.
set -euo pipefail
cd "$(dirname "$0")/.."
began=$SECONDS
log=${RIG:-$PWD/.rig}/rig-build.log
mkdir -p "$(dirname "$log")"
setsid nice -n 5 make --no-print-directory rig-build >"$log" 2>&1 &
parts=$!
rig=${RIG:-$PWD/.rig}/bin/rig
ran=no # a cluster that ran before goes on running
[[ -x $rig ]] && "$rig" status >/dev/null 2>&1 && ran=yes
finish() { # what this script started, it stops, also when it fails; KEEP=1 leaves the cluster to look around in
	kill -- -"$parts" 2>/dev/null || true
	[[ $ran == yes || -n ${KEEP:-} || ! -x $rig ]] || "$rig" down
}
trap finish EXIT
echo "The parts of the test cluster are being built beside the other steps; see $log"

await_parts() {
	wait "$parts" && return
	tail -n 40 "$log"
	return 1
}

step() { # not a command of its own: only this shell can wait for its child
	hack/step.sh "$@"
}

step "generated files and manifests" make --no-print-directory verify
step "unit tests" make --no-print-directory test-unit
step "simulation: made-up faults" make --no-print-directory test-sim
step "lint" make --no-print-directory lint
echo "==> wait for the parts of the test cluster"
await_parts
step "integration tests: a real API server" make --no-print-directory test-integration
step "end-to-end tests: a real cluster" make --no-print-directory test-e2e
echo "All of it passed in $((SECONDS - began)) s."
