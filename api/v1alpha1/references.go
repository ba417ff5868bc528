package v1alpha1

// ServiceReference names a Service in the namespace of the object that refers to it.
type ServiceReference struct {
	// name is the name of the Service.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
}

// RouteReference names a route, or the Service of a mesh, in the namespace of the object that refers to it, and may pick
// one of its rules.
//
// +kubebuilder:validation:XValidation:rule="self.kind in ['HTTPRoute', 'GRPCRoute', 'TCPRoute', 'TLSRoute'] ? self.group == 'gateway.networking.k8s.io' : self.kind == 'VirtualService' ? self.group == 'networking.istio.io' : self.kind == 'Service' ? size(self.group) == 0 : false",message="kind must be HTTPRoute, GRPCRoute, TCPRoute or TLSRoute with group gateway.networking.k8s.io, VirtualService with group networking.istio.io, or Service with group: \"\" for a mesh"
// +kubebuilder:validation:XValidation:rule="!has(self.sectionName) || self.kind != 'Service'",message="sectionName: a Service has no rules to pick; name a route and its rule, or leave sectionName out"
type RouteReference struct {
	// group is the API group of the route. Defaults to gateway.networking.k8s.io; a Service has the group "".
	// +optional
	// +default="gateway.networking.k8s.io"
	// +kubebuilder:validation:MinLength=0
	// +kubebuilder:validation:MaxLength=253
	Group *string `json:"group,omitempty"`

	// kind is the kind of the route: HTTPRoute, GRPCRoute, TCPRoute, TLSRoute, VirtualService, or Service for a mesh.
	// Defaults to HTTPRoute.
	// +optional
	// +default="HTTPRoute"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`

	// name is the name of the route.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// sectionName is the name of one rule of the route. Absent: every rule that sends to the Service.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SectionName string `json:"sectionName,omitempty"`

	// dataPlane is what serves the route. Auto, the default, finds out and says in status what it found; where it could be
	// more than one, that is refused until this field says which.
	// +optional
	// +default="Auto"
	DataPlane DataPlane `json:"dataPlane,omitempty"`
}

// DataPlane is what sends the traffic, and whose configuration is written.
//
// +kubebuilder:validation:Enum=Auto;GatewayAPI;EnvoyGateway;Istio;Linkerd;Consul;AppMesh
type DataPlane string

// The data planes.
const (
	// DataPlaneAuto finds out by what serves the route.
	DataPlaneAuto DataPlane = "Auto"
	// DataPlaneGatewayAPI writes Gateway API's routes and nothing else, for whichever implementation serves them.
	DataPlaneGatewayAPI DataPlane = "GatewayAPI"
	// DataPlaneEnvoyGateway writes Gateway API's routes, and a BackendTrafficPolicy for what they cannot say.
	DataPlaneEnvoyGateway DataPlane = "EnvoyGateway"
	// DataPlaneIstio writes VirtualServices and DestinationRules, or Gateway API's routes where those are in use.
	DataPlaneIstio DataPlane = "Istio"
	// DataPlaneLinkerd writes routes of a Service, and Linkerd's annotations.
	DataPlaneLinkerd DataPlane = "Linkerd"
	// DataPlaneConsul writes ServiceSplitter, ServiceRouter, ServiceResolver and ServiceDefaults.
	DataPlaneConsul DataPlane = "Consul"
	// DataPlaneAppMesh writes VirtualRouters and VirtualNodes. AWS ended the service in September 2026.
	DataPlaneAppMesh DataPlane = "AppMesh"
)

// Duration is a length of time as Gateway API writes it (GEP-2257): up to four pairs of a whole number and
// one of h, m, s, ms, such as 1m30s. Fractions are not allowed: write 1500ms, not 1.5s.
//
// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(h|m|s|ms)){1,4}$`
// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$')",message="write a duration such as 90s, 5m or 1h30m: up to four whole numbers, each followed by h, m, s or ms"
// +kubebuilder:validation:MinLength=2
// +kubebuilder:validation:MaxLength=32
type Duration string

// Percent is a share from 0% to 100% with up to four decimals, such as 0.1%.
//
// +kubebuilder:validation:Pattern=`^(100(\.0{1,4})?|[0-9]{1,2}(\.[0-9]{1,4})?)%$`
// +kubebuilder:validation:XValidation:rule="self.matches('^(100([.]0{1,4})?|[0-9]{1,2}([.][0-9]{1,4})?)%$')",message="write a percentage from 0% to 100%, such as 5% or 0.1%, with the sign and four decimals at most"
// +kubebuilder:validation:MinLength=2
// +kubebuilder:validation:MaxLength=9
type Percent string
