// Package meshes has the golden objects of the meshes that do not run here accepted by a real API server: Linkerd's with
// Gateway API's own CRDs, Consul's and App Mesh's with CRDs that were written from their sources, with their limits in them,
// and a rejected object for each limit.
package meshes
