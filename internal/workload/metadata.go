package workload

import (
	"slices"
	"strings"
)

// trackingPrefixes begin the labels and annotations by which tools know the objects that they deploy. On an object that
// they did not deploy these make them prune it, report it as drift, or adopt it.
var trackingPrefixes = []string{
	"argocd.argoproj.io/",
	"kustomize.toolkit.fluxcd.io/",
	"helm.toolkit.fluxcd.io/",
	"helm.sh/",
	"meta.helm.sh/",
	"applyset.kubernetes.io/",
	"config.k8s.io/",
	"cli-utils.sigs.k8s.io/",
	"kapp.k14s.io/",
	"objectset.rio.cattle.io/",
	"configmanagement.gke.io/",
	"configsync.gke.io/",
	"kubectl.kubernetes.io/",
	"deployment.kubernetes.io/",
}

// managedByLabel names the tool that deploys an object; the twin's objects are not deployed by it.
const managedByLabel = "app.kubernetes.io/managed-by"

// instanceLabel is what Argo CD tracks by where it tracks by label.
const instanceLabel = "app.kubernetes.io/instance"

// deploymentLabels are the labels of the user's Deployment that its twin may carry.
func deploymentLabels(labels map[string]string) map[string]string {
	out := serviceLabels(labels)
	delete(out, instanceLabel)
	return out
}

// serviceLabels are the labels of the user's Service that the canary's may carry. The instance label stays: charts write
// ServiceMonitors that select by it, and Argo CD leaves alone what has an owner reference.
func serviceLabels(labels map[string]string) map[string]string {
	out := map[string]string{}
	for key, value := range labels {
		if key != managedByLabel && !hasAnyPrefix(key, trackingPrefixes) {
			out[key] = value
		}
	}
	return out
}

// servicePrefixes begin the annotations of a Service that say how traffic to it is carried or measured, and that both
// arms must share. Others may bring a load balancer, a DNS name or a tool of deployment, and are not copied.
var servicePrefixes = []string{
	"balancer.linkerd.io/",
	"config.linkerd.io/",
	"consul.hashicorp.com/",
	"networking.istio.io/",
	"prometheus.io/",
	"retry.linkerd.io/",
	"service.kubernetes.io/topology-",
	"timeout.linkerd.io/",
}

func serviceAnnotations(annotations map[string]string) map[string]string {
	out := map[string]string{}
	for key, value := range annotations {
		if hasAnyPrefix(key, servicePrefixes) {
			out[key] = value
		}
	}
	return out
}

func hasAnyPrefix(key string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
}
