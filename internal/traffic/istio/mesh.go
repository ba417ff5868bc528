package istio

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/internal/traffic"
)

// inTheWay refuses what would keep the VirtualService from being followed.
func inTheWay(seen traffic.Seen, vs *unstructured.Unstructured, intent traffic.Intent) error {
	if !boundToMesh(vs) {
		return besideRoutes(seen, vs)
	}
	for _, check := range []func() error{
		func() error { return onlyVirtualService(seen, vs) },
		func() error { return besideMeshRoutes(seen, vs) },
		func() error { return proxied(seen, vs, intent) },
		func() error { return known(seen, vs, intent) },
		func() error { return ambient(seen, vs, intent) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// boundToMesh says whether sidecars follow a VirtualService: those that name no gateways, or the mesh among them.
func boundToMesh(vs *unstructured.Unstructured) bool {
	gateways := stringsOf(specOf(vs), "gateways")
	return len(gateways) == 0 || slices.Contains(gateways, "mesh")
}

// sameHost compares hosts by the Service that they name, or else by what is written.
func sameHost(a, b, namespace string) bool {
	if s := serviceOf(a, namespace); s != "" {
		return s == serviceOf(b, namespace)
	}
	return strings.EqualFold(a, b)
}

func shareHost(a, b []string, namespace string) string {
	for _, host := range a {
		if slices.ContainsFunc(b, func(o string) bool { return sameHost(host, o, namespace) }) {
			return host
		}
	}
	return ""
}

// onlyVirtualService refuses a second VirtualService for a host in the mesh. Which of them sidecars follow is not said
// anywhere.
func onlyVirtualService(seen traffic.Seen, vs *unstructured.Unstructured) error {
	for _, other := range seen.Of(virtualService.GroupKind()) {
		if other.GetName() == vs.GetName() || !boundToMesh(other) {
			continue
		}
		host := shareHost(stringsOf(specOf(vs), "hosts"), stringsOf(specOf(other), "hosts"), vs.GetNamespace())
		switch {
		case host == "":
		case traffic.KindOf(seen.Target) == service.GroupKind():
			return traffic.Refused(traffic.Conflicted, "VirtualService %s is for Service %s already; name it in routeRefs or targetRefs instead of the Service", other.GetName(), host)
		case traffic.IsGenerated(other):
			return traffic.Refused(traffic.Conflicted, "%s is a target of Slipway's, too, and has VirtualService %s for host %s; name the VirtualService in all routeRefs and targetRefs instead of the Service",
				traffic.TargetOf(other), other.GetName(), host)
		default:
			return traffic.Refused(traffic.Conflicted, "VirtualService %s is for host %s, too, and Istio's sidecars follow only one; make one of them", other.GetName(), host)
		}
	}
	return nil
}

// besideMeshRoutes refuses a Gateway API route for a Service that is a host of the VirtualService.
func besideMeshRoutes(seen traffic.Seen, vs *unstructured.Unstructured) error {
	for _, kind := range []schema.GroupVersionKind{httpRoute, grpcRoute} {
		for _, route := range seen.Of(kind.GroupKind()) {
			for _, parent := range listOf(specOf(route), "parentRefs") {
				group, _ := parent["group"].(string)
				if text(parent, "kind") != "Service" || group != "" || !inNamespace(parent, vs.GetNamespace()) {
					continue
				}
				if name := text(parent, "name"); shareHost([]string{name}, stringsOf(specOf(vs), "hosts"), vs.GetNamespace()) != "" {
					return traffic.Refused(traffic.Conflicted, "%s %s is for Service %s, as %s %s is, and Istio follows only one of them; name the %s, or remove it",
						kind.Kind, route.GetName(), name, vs.GetKind(), vs.GetName(), kind.Kind)
				}
			}
		}
	}
	return nil
}

func inNamespace(ref map[string]any, namespace string) bool {
	of := text(ref, "namespace")
	return of == "" || of == namespace
}

// besideRoutes refuses a Gateway API route of Istio's for a host that the VirtualService has at a gateway, too.
func besideRoutes(seen traffic.Seen, vs *unstructured.Unstructured) error {
	for _, kind := range []schema.GroupVersionKind{httpRoute, grpcRoute} {
		for _, route := range seen.Of(kind.GroupKind()) {
			status := mapOf(route.Object, "status")
			if !slices.ContainsFunc(listOf(status, "parents"), func(p map[string]any) bool { return text(p, "controllerName") == "istio.io/gateway-controller" }) {
				continue
			}
			if host := shareHost(stringsOf(specOf(route), "hostnames"), stringsOf(specOf(vs), "hosts"), vs.GetNamespace()); host != "" {
				return traffic.Refused(traffic.Conflicted, "%s %s has host %s at Istio's gateways, as VirtualService %s does, and requests follow one of them; keep one",
					kind.Kind, route.GetName(), host, vs.GetName())
			}
		}
	}
	return nil
}

// proxied refuses Services to which sidecars would not send as a rule says.
func proxied(seen traffic.Seen, vs *unstructured.Unstructured, intent traffic.Intent) error {
	for _, name := range servicesOf(vs, intent) {
		svc := seen.Find(service.GroupKind(), name)
		if svc == nil {
			continue
		}
		if text(specOf(svc), "clusterIP") == "None" {
			return traffic.Refused(traffic.NotReady, "Service %s is headless (clusterIP: None), and Istio's sidecars send to the address that the caller looked up, whatever a rule says; give it a cluster IP, or name a VirtualService of a gateway", name)
		}
		if err := isSpoken(seen, vs, svc); err != nil {
			return err
		}
	}
	return nil
}

// isSpoken refuses rules for HTTP where the Service's ports are declared to be something else. For a VirtualService that is
// generated all ports must be HTTP, because it has no other rules; for a user's own, one.
func isSpoken(seen traffic.Seen, vs, svc *unstructured.Unstructured) error {
	ports := listOf(specOf(svc), "ports")
	others := slices.DeleteFunc(slices.Clone(ports), func(port map[string]any) bool { return isHTTP(protocolOf(port)) })
	own := traffic.KindOf(seen.Target) != service.GroupKind()
	if len(others) == 0 || (own && (len(others) < len(ports) || len(listOf(specOf(vs), "http")) == 0)) {
		return nil
	}
	return traffic.Refused(traffic.NotReady, "Service %s: port %d is declared as %s, which rules for HTTP do not hold for; name it http-… or give it appProtocol: http if it is HTTP, and else name a VirtualService of your own with rules for each port",
		svc.GetName(), number(others[0]["port"]), protocolOf(others[0]))
}

// known refuses Services that a Sidecar keeps from the proxies of its namespace, which know the user's own: requests to
// them would be answered with 503.
func known(seen traffic.Seen, vs *unstructured.Unstructured, intent traffic.Intent) error {
	for _, sidecar := range seen.Of(sidecarKind.GroupKind()) {
		var hosts []string
		for _, egress := range listOf(specOf(sidecar), "egress") {
			hosts = append(hosts, stringsOf(egress, "hosts")...)
		}
		for _, s := range intent.Splits {
			if !lists(hosts, s.Service, vs.GetNamespace()) {
				continue
			}
			for _, name := range sentToBy(s) {
				if !lists(hosts, name, vs.GetNamespace()) {
					return traffic.Refused(traffic.NotReady, "Sidecar %s lists Service %s in egress.hosts and not %s, so that its proxies would answer 503; add %s there", sidecar.GetName(), s.Service, name, "./"+name+"."+vs.GetNamespace()+".svc.cluster.local")
				}
			}
		}
	}
	return nil
}

// lists says whether hosts of a Sidecar, <namespace>/<host>, have the Service among them.
func lists(hosts []string, name, namespace string) bool {
	return slices.ContainsFunc(hosts, func(h string) bool {
		of, host, ok := strings.Cut(h, "/")
		if !ok || (of != "." && of != "*" && of != namespace) {
			return false
		}
		return serviceOf(host, namespace) == name || coversByWildcard(host, name, namespace)
	})
}

// servicesOf are the Services that the VirtualService is for and the intent names, sorted.
func servicesOf(vs *unstructured.Unstructured, intent traffic.Intent) []string {
	var out []string
	for _, host := range stringsOf(specOf(vs), "hosts") {
		if s := serviceOf(host, vs.GetNamespace()); s != "" {
			out = append(out, s)
		}
	}
	for _, s := range intent.Splits {
		out = append(out, s.Service)
		for _, b := range s.Backends {
			out = append(out, b.Name)
		}
		for _, m := range s.Matches {
			out = append(out, m.Backend)
		}
		if s.Mirror != nil {
			out = append(out, s.Mirror.Backend)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// protocolOf is the protocol that a port is declared to have, as Istio reads it; empty: it finds out by looking.
func protocolOf(port map[string]any) string {
	if app := text(port, "appProtocol"); app != "" {
		if i := strings.LastIndex(app, "/"); i >= 0 { // kubernetes.io/h2c
			app = app[i+1:]
		}
		return strings.ToLower(app)
	}
	if transport := text(port, "protocol"); transport == "UDP" || transport == "SCTP" {
		return strings.ToLower(transport)
	}
	prefix, _, _ := strings.Cut(strings.ToLower(text(port, "name")), "-")
	if slices.Contains([]string{"http", "http2", "grpc", "grpc-web", "https", "tcp", "tls", "udp", "mongo", "mysql", "redis", "ws"}, prefix) {
		return prefix
	}
	return ""
}

// isHTTP says whether rules for HTTP hold for a protocol. UDP is not proxied at all, with or without rules.
func isHTTP(protocol string) bool {
	return slices.Contains([]string{"", "http", "http2", "h2c", "ws", "grpc", "grpc-web", "udp"}, protocol)
}

// ambient refuses what only a waypoint can do where there is none.
func ambient(seen traffic.Seen, vs *unstructured.Unstructured, intent traffic.Intent) error {
	if label, _ := meshLabel(seen); label != labelAmbient+": ambient" {
		return nil
	}
	for _, name := range servicesOf(vs, intent) {
		svc := seen.Find(service.GroupKind(), name)
		if svc == nil || !isHostOf(vs, name) {
			continue
		}
		if err := Waypoint(seen.Find(namespaceKind.GroupKind(), vs.GetNamespace()), svc, seen.Of(gateway.GroupKind())); err != nil {
			return err
		}
	}
	if traffic.KindOf(seen.Target) != service.GroupKind() {
		return nil
	}
	return traffic.Refused(traffic.NotReady, "Service %s is in Istio's ambient mesh, whose waypoints follow Gateway API routes; name an HTTPRoute whose parent is the Service, with dataPlane: GatewayAPI", seen.Target.GetName())
}

func isHostOf(vs *unstructured.Unstructured, name string) bool {
	return slices.ContainsFunc(stringsOf(specOf(vs), "hosts"), func(h string) bool { return serviceOf(h, vs.GetNamespace()) == name })
}

// Labels of Istio's.
const (
	labelAmbient           = "istio.io/dataplane-mode"
	labelInjection         = "istio-injection"
	labelRevision          = "istio.io/rev"
	labelWaypoint          = "istio.io/use-waypoint"
	labelWaypointNamespace = "istio.io/use-waypoint-namespace"
)

// meshLabel is the label by which the target's namespace is in the mesh.
func meshLabel(seen traffic.Seen) (string, bool) {
	namespace := seen.Find(namespaceKind.GroupKind(), seen.Target.GetNamespace())
	if namespace == nil {
		return "", false
	}
	labels := namespace.GetLabels()
	switch {
	case labels[labelAmbient] == "ambient":
		return labelAmbient + ": ambient", true
	case labels[labelInjection] == "enabled":
		return labelInjection + ": enabled", true
	case labels[labelRevision] != "" && labels[labelInjection] != "disabled":
		return labelRevision + ": " + labels[labelRevision], true
	}
	return "", false
}

// Waypoint says whether a Service of a namespace in the ambient mesh has a waypoint that works. Without one nothing reads
// requests: ztunnel passes connections on. gateways are those of the namespace; a waypoint elsewhere is taken to work.
func Waypoint(namespace, svc *unstructured.Unstructured, gateways []*unstructured.Unstructured) error {
	labels := svc.GetLabels()
	if labels[labelWaypoint] == "" && namespace != nil {
		labels = namespace.GetLabels()
	}
	name := labels[labelWaypoint]
	if name == "" || name == "none" {
		return traffic.Refused(traffic.NotReady, "Service %s is in Istio's ambient mesh without a waypoint, so that nothing there reads requests; make one (istioctl waypoint apply) and label the Service or its namespace %s", svc.GetName(), labelWaypoint)
	}
	if of := labels[labelWaypointNamespace]; of != "" && of != svc.GetNamespace() {
		return nil
	}
	for _, g := range gateways {
		if g.GetName() != name {
			continue
		}
		if slices.ContainsFunc(listOf(mapOf(g.Object, "status"), "conditions"), func(c map[string]any) bool {
			return text(c, "type") == "Programmed" && text(c, "status") == "True"
		}) {
			return nil
		}
		return traffic.Refused(traffic.NotReady, "waypoint %s of Service %s is not programmed; see the conditions of that Gateway", name, svc.GetName())
	}
	return traffic.Refused(traffic.NotReady, "waypoint %s of Service %s does not exist; make that Gateway (istioctl waypoint apply), or correct label %s", name, svc.GetName(), labelWaypoint)
}
