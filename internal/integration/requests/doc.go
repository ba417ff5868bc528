// Package requests tests, against a real API server, who may ask what of a release, what kubectl slipway writes and reads,
// and that the steps of docs/operations.md for a broken or removed operator do what is said there. It has no code of its
// own.
package requests
