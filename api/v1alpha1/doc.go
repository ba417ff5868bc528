// Package v1alpha1 is the API of Slipway: what people write in Git and read with kubectl.
// It holds types, markers and constants only, and imports nothing of Slipway's own.
//
// +kubebuilder:object:generate=true
// +groupName=slipway.dev
package v1alpha1
