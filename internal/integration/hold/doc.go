// Package hold tests the admission policies in config/admission, and the writes of internal/workload that must get along
// with them, against a real API server. It has no code of its own.
package hold
