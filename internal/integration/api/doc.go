// Package api tests what a cluster is given, against a real API server: each rule and limit of the CRDs with one object
// that it accepts and one that it rejects, the defaults, and that every kustomization is taken as it is. It has no code of
// its own.
package api
