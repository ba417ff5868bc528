// Package refusals tests, against a real API server, what Slipway says to input that it cannot follow: each message names the
// field and says what to do. What the API server can know it refuses at admission; the rest is in the conditions.
package refusals
