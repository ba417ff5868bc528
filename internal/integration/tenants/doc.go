// Package tenants tests, against a real API server, what somebody with rights in one namespace can and cannot do by Slipway,
// and what the operator itself may not: docs/security.md.
package tenants
