//go:build tools

package istio_test

import _ "istio.io/istio/pilot/cmd/pilot-discovery"
