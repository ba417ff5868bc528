// Package policy holds the tests of retry policies, and of what splits have beside shares, against a real API server with
// the CRDs of Gateway API's experimental channel and of Envoy Gateway. There is no data plane: the tests write the status
// of routes and policies themselves.
package policy
