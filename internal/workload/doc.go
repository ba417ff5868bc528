// Package workload knows what a release does to Deployments, ReplicaSets, Pods and Services: what a change is, which
// ReplicaSet serves stable, what the canary twin looks like, what its pods say, and the writes that hold, release and put
// back a template.
//
//	           template changed                 promoted
//	rolled out ────────────────▶ held ──Release──────────▶ rolling ──▶ rolled out
//	                              ▲                           │ harm
//	                              │                        PutBack
//	                              └──RestoreOwnership◀─Rehold─┘
//
// The package is pure: objects in, objects out. It must not read a cluster or a clock, and must not write or log. What it
// returns is always a copy; what it is given stays as it is.
package workload
