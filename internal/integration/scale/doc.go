// Package scale measures the operator with many releases: the real binary against a real API server, Deployment
// controller and Prometheus. Its sizes are flags; without them it is a small form that guards the same limits.
package scale
