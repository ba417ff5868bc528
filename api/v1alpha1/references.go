package v1alpha1

// ServiceReference names a Service in the namespace of the object that refers to it.
type ServiceReference struct {
	// name is the name of the Service.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
}

// RouteReference names a route in the namespace of the object that refers to it, and may pick one of its rules.
//
// +kubebuilder:validation:XValidation:rule="self.group == 'gateway.networking.k8s.io' && self.kind == 'HTTPRoute'",message="routeRefs: only HTTPRoute of group gateway.networking.k8s.io is supported; set kind to HTTPRoute"
type RouteReference struct {
	// group is the API group of the route. Defaults to gateway.networking.k8s.io.
	// +optional
	// +default="gateway.networking.k8s.io"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`

	// kind is the kind of the route. Defaults to HTTPRoute.
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
}

// Duration is a length of time as Gateway API writes it (GEP-2257): up to four pairs of a whole number and
// one of h, m, s, ms, such as 1m30s. Fractions are not allowed: write 1500ms, not 1.5s.
//
// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(h|m|s|ms)){1,4}$`
// +kubebuilder:validation:MinLength=2
// +kubebuilder:validation:MaxLength=32
type Duration string

// Percent is a share from 0% to 100% with up to four decimals, such as 0.1%.
//
// +kubebuilder:validation:Pattern=`^(100(\.0{1,4})?|[0-9]{1,2}(\.[0-9]{1,4})?)%$`
// +kubebuilder:validation:MinLength=2
// +kubebuilder:validation:MaxLength=9
type Percent string
