package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// MaxWeight is the whole of a split: Gateway API's largest backend weight. A weight of 1 beside it is a feather:
// enough for the data plane to know the backend, too little to matter.
const MaxWeight int32 = 1_000_000

// TrafficSplitSpec says: of what the routes send to this Service, send these shares elsewhere.
//
// +kubebuilder:validation:XValidation:rule="self.backends.exists(b, b.weight > 0)",message="backends: at least one weight must be above 0; a split of zeros would answer every request with an error"
// +kubebuilder:validation:XValidation:rule="!has(self.mirror) || self.mirror.backend != self.serviceRef.name",message="mirror.backend: the Service of serviceRef gets the requests themselves; name another Service for their copies"
// +kubebuilder:validation:XValidation:rule="self.routeRefs.all(r, !(r.kind in ['TCPRoute', 'TLSRoute'])) || (!has(self.matches) && !has(self.mirror) && !has(self.affinity))",message="matches, mirror and affinity read HTTP, which a TCPRoute or TLSRoute does not; take them out, or give those routes a TrafficSplit of their own"
type TrafficSplitSpec struct {
	// serviceRef is the Service whose traffic is split. Rules that do not send to it are left alone.
	// +required
	ServiceRef ServiceReference `json:"serviceRef,omitzero"`

	// routeRefs are the routes whose rules are changed. Each has its own entry in status.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	RouteRefs []RouteReference `json:"routeRefs,omitempty"`

	// backends are the Services that share the traffic. Weights are proportions; they need not sum to anything.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Backends []WeightedBackend `json:"backends,omitempty"`

	// matches send requests to one backend whatever the weights are: the first whose conditions all hold decides. Each
	// becomes a rule of the route, of which Gateway API allows 16. Absent: weights decide for every request.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Matches []TrafficMatch `json:"matches,omitempty"`

	// mirror sends copies of requests to a backend and throws its answers away. Absent: nothing is copied.
	// +optional
	Mirror TrafficMirror `json:"mirror,omitzero"`

	// affinity keeps a user on the backend that they got, by a cookie. Absent: weights decide for each request anew.
	// +optional
	Affinity TrafficAffinity `json:"affinity,omitzero"`
}

// TrafficMatch sends the requests that it describes to one backend.
//
// +kubebuilder:validation:XValidation:rule="has(self.headers) || has(self.cookies)",message="matches: give headers or cookies; a match without a condition would take every request"
type TrafficMatch struct {
	// backend is the Service in the same namespace that gets these requests.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Backend string `json:"backend,omitempty"`

	// headers are headers that the request must have, all of them.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Headers []HeaderCondition `json:"headers,omitempty"`

	// cookies are cookies that the request must have, all of them.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Cookies []CookieCondition `json:"cookies,omitempty"`
}

// HeaderCondition is a header with exactly one value.
type HeaderCondition struct {
	// name is the name of the header; upper and lower case are the same.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$`
	Name string `json:"name,omitempty"`

	// value is the whole value of the header.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Value string `json:"value,omitempty"`
}

// CookieCondition is a cookie with exactly one value.
type CookieCondition struct {
	// name is the name of the cookie, in the same case.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$`
	Name string `json:"name,omitempty"`

	// value is the whole value of the cookie, without spaces, commas, semicolons, quotes and backslashes.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[!#-+\--:<-\[\]-~]+$`
	Value string `json:"value,omitempty"`
}

// TrafficMirror sends copies of requests to a backend.
type TrafficMirror struct {
	// backend is the Service in the same namespace that gets the copies.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Backend string `json:"backend,omitempty"`

	// percent is how many of 100 requests are copied, from 1 to 100. Absent means 100.
	// +optional
	// +default=100
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Percent int32 `json:"percent,omitempty"`
}

// TrafficAffinity keeps a user on the backend that they got.
type TrafficAffinity struct {
	// cookie is what the user is known by.
	// +required
	Cookie AffinityCookie `json:"cookie,omitzero"`
}

// AffinityCookie is the cookie that says which backend a user got.
type AffinityCookie struct {
	// name is the name of the cookie. The operator chooses its value.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$`
	Name string `json:"name,omitempty"`

	// maxAge is how long a user stays, from their first answer on. Absent: until their browser ends its session.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s')",message="maxAge: must be 1s or longer; leave it out for a cookie that ends with the browser's session"
	MaxAge Duration `json:"maxAge,omitempty"`
}

// WeightedBackend is a Service and its part of the traffic.
type WeightedBackend struct {
	// name is a Service in the same namespace. Its port is the one that the route names for the split's Service.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// weight is this backend's proportion, from 0 to 1000000. 0 takes the backend out of the route.
	// +required
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	Weight *int32 `json:"weight,omitempty"`
}

// TrafficSplitStatus says what was asked of the data plane and what it has said about it.
//
// +kubebuilder:validation:MinProperties=1
type TrafficSplitStatus struct {
	// conditions are Ready, Accepted and TrafficApplied always, Reconciling and Stalled only when true.
	// +optional
	// +patchStrategy=merge
	// +patchMergeKey=type
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type"`

	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`

	// routes says for each route whether the split is applied there, and by which data plane.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Routes []RouteStatus `json:"routes,omitempty"`

	// run is the record of what is being projected. Nothing else may depend on it.
	// +optional
	Run SplitRun `json:"run,omitzero"`
}

// SplitRun is the record of a split: the backends that routes are to carry now, on the way to those of the spec.
type SplitRun struct {
	// sequence grows by one whenever backends change.
	// +required
	// +kubebuilder:validation:Minimum=0
	Sequence *int64 `json:"sequence,omitempty"`

	// generation is the spec's generation that led to backends.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Generation *int64 `json:"generation,omitempty"`

	// backends are what the routes are to carry now. Those that leave are among them.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Backends []WeightedBackend `json:"backends,omitempty"`

	// rules says whether the rules that matches and affinity need take requests: Dormant ones are there and take none, so that
	// the data plane knows them before the first request depends on them. Absent: there are none.
	// +optional
	Rules SplitRules `json:"rules,omitempty"`

	// matches are what the routes are to carry now.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Matches []TrafficMatch `json:"matches,omitempty"`

	// mirror is what the routes are to carry now.
	// +optional
	Mirror TrafficMirror `json:"mirror,omitzero"`

	// affinity is what the routes are to carry now.
	// +optional
	Affinity SplitAffinity `json:"affinity,omitzero"`

	// leaving are routes that the spec names no longer. They carry the Service and the other backends by a feather, until
	// that is applied.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Leaving []LeavingRoute `json:"leaving,omitempty"`

	// appliedAt is when these backends were first seen applied on every route; absent: not yet.
	// +optional
	AppliedAt *metav1.MicroTime `json:"appliedAt,omitempty"`
}

// SplitRules says whether the rules that a split adds to a route take requests.
//
// +kubebuilder:validation:Enum=Dormant;Active
type SplitRules string

const (
	// SplitRulesDormant are rules that are there and take no requests.
	SplitRulesDormant SplitRules = "Dormant"
	// SplitRulesActive are rules that take requests.
	SplitRulesActive SplitRules = "Active"
)

// SplitAffinity is the record of an affinity: the shares by which users were drawn.
type SplitAffinity struct {
	// cookie is what users are known by.
	// +required
	Cookie AffinityCookie `json:"cookie,omitzero"`

	// round is part of the cookies' values. It differs from that of any earlier time at which the split had an affinity.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Round string `json:"round,omitempty"`

	// draws are the shares by which users were drawn, the present ones last.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Draws []SplitDraw `json:"draws,omitempty"`
}

// SplitDraw is shares by which users were drawn.
type SplitDraw struct {
	// number is the sequence of the record that had these shares first. It is part of the cookies' values.
	// +required
	// +kubebuilder:validation:Minimum=1
	Number int64 `json:"number,omitempty"`

	// backends are the shares.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Backends []WeightedBackend `json:"backends,omitempty"`
}

// LeavingRoute is a route that a split is being taken off.
type LeavingRoute struct {
	// kind is the kind of the route. Absent: HTTPRoute.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`

	// name is the name of the route.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// sectionName is the rule that carries the split; absent: every rule that sends to the Service.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SectionName string `json:"sectionName,omitempty"`

	// since is when the split began to leave the route.
	// +required
	Since *metav1.MicroTime `json:"since,omitempty"`
}

// RouteStatus is one route of a split.
type RouteStatus struct {
	// kind is the kind of the route.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`

	// name is the name of the route.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// dataPlane is what was found to serve the route, or what routeRefs says.
	// +optional
	DataPlane DataPlane `json:"dataPlane,omitempty"`

	// controllerName is the Gateway API implementation that serves the route, as it calls itself.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ControllerName string `json:"controllerName,omitempty"`

	// applied says whether this route carries the split: True, False or Unknown.
	// +required
	// +kubebuilder:validation:Enum=True;False;Unknown
	Applied metav1.ConditionStatus `json:"applied,omitempty"`

	// message says what applied waits for; empty when it is True.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// repairs counts how often somebody else's write over the split was put back since the split began.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Repairs *int32 `json:"repairs,omitempty"`

	// repairedFrom is the field manager whose write was put back last.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	RepairedFrom string `json:"repairedFrom,omitempty"`
}

// TrafficSplit sends shares of what routes send to a Service elsewhere.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=split,categories=slipway
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Service",type=string,JSONPath=`.spec.serviceRef.name`
// +kubebuilder:printcolumn:name="Backends",type=string,JSONPath=`.status.run.backends[*].name`
// +kubebuilder:printcolumn:name="Weights",type=string,JSONPath=`.status.run.backends[*].weight`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type TrafficSplit struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the split that is wanted.
	// +required
	Spec TrafficSplitSpec `json:"spec,omitzero"`

	// status is what the operator has seen and recorded.
	// +optional
	Status TrafficSplitStatus `json:"status,omitzero"`
}

// TrafficSplitList is a list of TrafficSplits.
//
// +kubebuilder:object:root=true
type TrafficSplitList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []TrafficSplit `json:"items"`
}
