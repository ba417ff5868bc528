// Package simulation runs the real reconcilers in a made-up cluster: an API server in memory that answers with stale
// reads, conflicts, errors and crashes, a Deployment controller, a data plane, a Prometheus, and people and tools that
// write in between. Time is virtual, everything happens in one goroutine, and chance comes from a seed: the same seed
// tells the same story, word for word.
//
// After every write the invariants of the design are checked, and at the end, when all faults have stopped, the release
// must come to an end.
//
//	people, GitOps ──▶ server ◀──writes── operator ◀──late── caches
//	                     │ ▲                  ▲
//	                     ▼ │                  │ looks
//	    Deployment controller, data plane ──▶ traffic ──▶ Prometheus
//
// It must not decide anything for the operator: what the simulation knows of releases are the invariants.
package simulation
