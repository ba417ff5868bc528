// Package route holds the tests of traffic splits against a real API server: the admission policy that guards routes, and
// the controllers of splits and routes. There is no data plane: the tests write the status of routes themselves.
package route
