// Package istio writes what the translator for Istio renders to a real API server with Istio's CRDs, and reads it back.
package istio
