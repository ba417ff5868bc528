//go:build tools

package istio_test

// What pilot-discovery needs stays in go.mod.
import _ "istio.io/istio/pilot/cmd/pilot-discovery"
