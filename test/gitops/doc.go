// Package gitops asks the libraries of GitOps tools what they make of objects: Flux's apply and drift detection, Argo CD's
// diff and health, kstatus. It decides nothing itself, so what it says is what the tools would say.
package gitops
