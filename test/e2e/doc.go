// Package e2e runs Slipway on a real cluster, with real traffic through a real proxy, and looks at what a user relies
// on. Its tests must not look into the operator: what they know comes from the API server and from answers to requests.
package e2e
