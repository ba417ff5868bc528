// Package istio_test gives what the translator renders to Istio's own validation. The control plane itself builds from this
// module, too: go build -tags vtprotobuf,disable_pgv istio.io/istio/pilot/cmd/pilot-discovery.
package istio_test
