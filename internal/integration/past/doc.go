// Package past tests what looks back at releases that Prometheus remembers against a real Prometheus.
package past
