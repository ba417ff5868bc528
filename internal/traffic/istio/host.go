package istio

import "strings"

// serviceOf is the Service of the namespace that a host names, or empty. Istio looks a name without a dot up in the
// namespace of the object that names it, and takes every other one for a whole name.
func serviceOf(host, namespace string) string {
	name, rest, dotted := strings.Cut(host, ".")
	if dotted && !strings.HasPrefix(rest, namespace+".svc.") {
		return ""
	}
	if name == "*" {
		return ""
	}
	return name
}

// hostFor is the host of another Service, written as this one's is.
func hostFor(host, service string) string {
	if _, rest, dotted := strings.Cut(host, "."); dotted {
		return service + "." + rest
	}
	return service
}

// coversByWildcard says whether a host with a wildcard is also the Service's. The mesh's domain is not known here: one behind
// ".svc." is taken to be right, and else it is Kubernetes' usual one.
func coversByWildcard(host, service, namespace string) bool {
	suffix, ok := strings.CutPrefix(host, "*")
	if !ok {
		return false
	}
	name := service + "." + namespace
	if before, _, found := strings.Cut(suffix, ".svc."); found {
		return strings.HasSuffix(name, before)
	}
	return strings.HasSuffix(name+".svc.cluster.local", suffix)
}
