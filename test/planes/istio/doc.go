// Package istio_test is about Istio itself: what the translator renders is given to Istio's own validation, and to
// pilot-discovery, whose configuration a stock Envoy follows.
package istio_test
