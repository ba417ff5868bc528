package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RetryPolicySpec says: retry requests to these targets like so, within these timeouts and this budget. What is absent is
// left as the data plane does it.
//
// +kubebuilder:validation:XValidation:rule="has(self.retries) || has(self.timeouts)",message="retries: say how many, or give timeouts; a policy with neither would change nothing"
// +kubebuilder:validation:XValidation:rule="!has(self.retries) || self.retries == 0 || has(self.triggers) || has(self.httpStatusCodes) || has(self.grpcStatuses)",message="triggers: say what is retried, for instance [ConnectFailure, RefusedStream], or httpStatusCodes or grpcStatuses"
// +kubebuilder:validation:XValidation:rule="(has(self.retries) && self.retries > 0) || !(has(self.triggers) || has(self.httpStatusCodes) || has(self.grpcStatuses) || has(self.methods) || has(self.backoff) || has(self.budget))",message="retries: must be 1 or more for triggers, httpStatusCodes, grpcStatuses, methods, backoff and budget to mean anything; raise it or take them out"
// +kubebuilder:validation:XValidation:rule="!has(self.timeouts) || !has(self.timeouts.perTry) || (has(self.retries) && self.retries > 0)",message="timeouts.perTry: needs retries of 1 or more; without a second try it would only shorten timeouts.request"
// +kubebuilder:validation:XValidation:rule="!has(self.timeouts) || !has(self.timeouts.perTry) || (has(self.triggers) && self.triggers.exists(t, t in ['GatewayError', 'Reset', 'ServerError']))",message="timeouts.perTry: no trigger retries a try that timed out, so the first slow one would fail the request; add GatewayError, Reset or ServerError to triggers, or take perTry out"
// +kubebuilder:validation:XValidation:rule="has(self.methods) || !(has(self.httpStatusCodes) || has(self.grpcStatuses) || (has(self.triggers) && self.triggers.exists(t, !(t in ['ConnectFailure', 'RefusedStream', 'ResetBeforeRequest']))))",message="methods: set All to confirm it: what is retried here may have reached the application, so a POST may run twice; or retry only ConnectFailure, RefusedStream and ResetBeforeRequest"
// +kubebuilder:validation:XValidation:rule="self.targetRefs.all(t, !(t.kind in ['TCPRoute', 'TLSRoute']))",message="targetRefs: a TCPRoute or TLSRoute has no requests to retry; name an HTTPRoute, GRPCRoute, VirtualService or Service"
type RetryPolicySpec struct {
	// targetRefs are what the policy is for: routes, single rules of them by sectionName, or the Services of a mesh. A policy
	// for one rule goes before one for the whole route; of two for the same, the older one holds.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(t, self.exists_one(o, o.group == t.group && o.kind == t.kind && o.name == t.name && (has(o.sectionName) ? o.sectionName : '') == (has(t.sectionName) ? t.sectionName : '')))",message="targetRefs: the same target is there twice; take one out"
	TargetRefs []PolicyTargetReference `json:"targetRefs,omitempty"`

	// dataPlane is what serves the targets. Auto, the default, finds out and says in status what it found; where it could be
	// more than one, that is refused until this field says which.
	// +optional
	// +default="Auto"
	DataPlane DataPlane `json:"dataPlane,omitempty"`

	// retries is how many tries there are after the first, at most 10. 0 switches retries off, also those that the data plane
	// makes by itself. Absent: the data plane's own retries are left as they are.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	Retries *int32 `json:"retries,omitempty"`

	// triggers are the kinds of failure that are retried.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=7
	Triggers []RetryTrigger `json:"triggers,omitempty"`

	// httpStatusCodes are answers that are retried, from 400 to 599.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:Minimum=400
	// +kubebuilder:validation:items:Maximum=599
	HTTPStatusCodes []int32 `json:"httpStatusCodes,omitempty"`

	// grpcStatuses are answers of gRPC that are retried.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=5
	GRPCStatuses []GRPCStatus `json:"grpcStatuses,omitempty"`

	// methods are the methods of the requests that are retried: All. It must be said where a request that is retried may have
	// reached the application, because a POST may then run twice.
	// +optional
	Methods RetryMethods `json:"methods,omitempty"`

	// timeouts are how long a request and each of its tries may take. Absent: the data plane's own are left as they are.
	// +optional
	Timeouts RetryTimeouts `json:"timeouts,omitzero"`

	// backoff is the pause before each further try. Absent: the data plane's own.
	// +optional
	Backoff RetryBackoff `json:"backoff,omitzero"`

	// budget is how much retries may add to the load, all requests together. Absent: only retries limits them.
	// +optional
	Budget RetryBudget `json:"budget,omitzero"`
}

// PolicyTargetReference names a route, one of its rules, or the Service of a mesh, in the namespace of the policy.
//
// +kubebuilder:validation:XValidation:rule="self.kind in ['HTTPRoute', 'GRPCRoute', 'TCPRoute', 'TLSRoute'] ? self.group == 'gateway.networking.k8s.io' : self.kind == 'VirtualService' ? self.group == 'networking.istio.io' : self.kind == 'Service' ? size(self.group) == 0 : false",message="kind must be HTTPRoute or GRPCRoute with group gateway.networking.k8s.io, VirtualService with group networking.istio.io, or Service with group: \"\" for a mesh"
// +kubebuilder:validation:XValidation:rule="!has(self.sectionName) || self.kind != 'Service'",message="sectionName: a policy for a Service is for all of its ports; name a route and its rule, or leave sectionName out"
type PolicyTargetReference struct {
	// group is the API group of the target; "" for a Service.
	// +required
	// +kubebuilder:validation:MinLength=0
	// +kubebuilder:validation:MaxLength=253
	Group *string `json:"group,omitempty"`

	// kind is the kind of the target.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`

	// name is the name of the target.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// sectionName is the name of one rule of the route. Absent: the whole target.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SectionName string `json:"sectionName,omitempty"`
}

// RetryTrigger is a kind of failure.
//
// +kubebuilder:validation:Enum=ConnectFailure;RefusedStream;GatewayError;Reset;ResetBeforeRequest;ServerError;Retriable4xx
type RetryTrigger string

// The kinds of failure.
const (
	// RetryConnectFailure is a connection that could not be made. The application has seen nothing.
	RetryConnectFailure RetryTrigger = "ConnectFailure"
	// RetryRefusedStream is a request that the application's server refused unseen (HTTP/2's REFUSED_STREAM).
	RetryRefusedStream RetryTrigger = "RefusedStream"
	// RetryGatewayError is an answer 502, 503 or 504, or none.
	RetryGatewayError RetryTrigger = "GatewayError"
	// RetryReset is a connection that broke, or a try that timed out, before there was an answer.
	RetryReset RetryTrigger = "Reset"
	// RetryResetBeforeRequest is a connection that broke before anything of the request was sent.
	RetryResetBeforeRequest RetryTrigger = "ResetBeforeRequest"
	// RetryServerError is an answer of 500 or above, or none.
	RetryServerError RetryTrigger = "ServerError"
	// RetryRetriable4xx is an answer 409.
	RetryRetriable4xx RetryTrigger = "Retriable4xx"
)

// GRPCStatus is a status of gRPC that may be retried.
//
// +kubebuilder:validation:Enum=Cancelled;DeadlineExceeded;Internal;ResourceExhausted;Unavailable
type GRPCStatus string

// The statuses.
const (
	// GRPCCancelled is status 1.
	GRPCCancelled GRPCStatus = "Cancelled"
	// GRPCDeadlineExceeded is status 4.
	GRPCDeadlineExceeded GRPCStatus = "DeadlineExceeded"
	// GRPCInternal is status 13.
	GRPCInternal GRPCStatus = "Internal"
	// GRPCResourceExhausted is status 8.
	GRPCResourceExhausted GRPCStatus = "ResourceExhausted"
	// GRPCUnavailable is status 14.
	GRPCUnavailable GRPCStatus = "Unavailable"
)

// RetryMethods says which requests are retried, by their method.
//
// +kubebuilder:validation:Enum=All
type RetryMethods string

// RetryAllMethods retries every request, also those that change something.
const RetryAllMethods RetryMethods = "All"

// RetryTimeouts are how long a request and each of its tries may take.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="!has(self.request) || !has(self.perTry) || duration(self.perTry) <= duration(self.request)",message="timeouts.perTry: must not be above timeouts.request, which includes all tries; lower perTry or raise request"
type RetryTimeouts struct {
	// request is how long a request may take with all of its tries and pauses. Absent: the data plane's own timeout.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1ms')",message="timeouts.request: must be 1ms or longer; leave it out for the data plane's own timeout"
	Request Duration `json:"request,omitempty"`

	// perTry is how long one try may take. Absent: as long as the request.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1ms')",message="timeouts.perTry: must be 1ms or longer; leave it out for tries that may take as long as the request"
	PerTry Duration `json:"perTry,omitempty"`
}

// RetryBackoff is the pause before each further try: base before the second one, twice that before the next, and so on,
// each with a random part taken off.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="!has(self.max) || has(self.base)",message="backoff.base: must be given where backoff.max is"
// +kubebuilder:validation:XValidation:rule="!has(self.max) || !has(self.base) || duration(self.max) >= duration(self.base)",message="backoff.max: must not be below backoff.base; raise max or lower base"
type RetryBackoff struct {
	// base is the pause before the second try.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1ms')",message="backoff.base: must be 1ms or longer; leave backoff out for the data plane's own"
	Base Duration `json:"base,omitempty"`

	// max is the longest pause. Absent: as the data plane derives it from base.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1ms')",message="backoff.max: must be 1ms or longer"
	Max Duration `json:"max,omitempty"`
}

// RetryBudget is how much retries may add to the load, all requests together. What would go beyond is not retried.
//
// +kubebuilder:validation:XValidation:rule="!has(self.minConcurrent) || !has(self.minPerSecond)",message="budget: give minConcurrent or minPerSecond, not both; data planes count either retries in flight or retries in a second"
type RetryBudget struct {
	// percent is how many retries there may be for 100 requests, from 1 to 100.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Percent int32 `json:"percent,omitempty"`

	// minConcurrent is how many retries may be in flight however few requests there are, where the data plane counts those in
	// flight. At most 1000. Absent: the data plane's own.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	MinConcurrent *int32 `json:"minConcurrent,omitempty"`

	// minPerSecond is how many retries there may be in a second however few requests there are, where the data plane counts
	// rates. At most 100000. Absent: the data plane's own.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	MinPerSecond *int32 `json:"minPerSecond,omitempty"`
}

// RetryPolicyStatus says what was asked of the data plane and what it has said about it.
//
// +kubebuilder:validation:MinProperties=1
type RetryPolicyStatus struct {
	// conditions are Ready, Accepted and TrafficApplied always, Reconciling and Stalled only when true. They are about all
	// targets; Accepted has the reason of the first target that cannot be followed.
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

	// ancestors has an entry for each target, in the form of Gateway API's policies (GEP-713).
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Ancestors []PolicyAncestorStatus `json:"ancestors,omitempty"`
}

// PolicyAncestorStatus is one target of a policy.
type PolicyAncestorStatus struct {
	// conditions are Accepted and Programmed: whether the policy can be followed for this target, and whether it is in force.
	// +optional
	// +patchStrategy=merge
	// +patchMergeKey=type
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type"`

	// ancestorRef is the target.
	// +required
	AncestorRef PolicyTargetReference `json:"ancestorRef,omitzero"`

	// controllerName is slipway.dev/operator.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ControllerName string `json:"controllerName,omitempty"`

	// dataPlane is what was found to serve the target, or what the spec says.
	// +optional
	DataPlane DataPlane `json:"dataPlane,omitempty"`
}

// RetryPolicy retries requests to its targets, within timeouts and a budget.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=retrypolicies,shortName=retry,categories=slipway
// +kubebuilder:metadata:labels="gateway.networking.k8s.io/policy=Direct"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Targets",type=string,JSONPath=`.spec.targetRefs[*].name`
// +kubebuilder:printcolumn:name="Retries",type=integer,JSONPath=`.spec.retries`
// +kubebuilder:printcolumn:name="Timeout",type=string,JSONPath=`.spec.timeouts.request`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type RetryPolicy struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the policy that is wanted.
	// +required
	Spec RetryPolicySpec `json:"spec,omitzero"`

	// status is what the operator has seen.
	// +optional
	Status RetryPolicyStatus `json:"status,omitzero"`
}

// RetryPolicyList is a list of RetryPolicies.
//
// +kubebuilder:object:root=true
type RetryPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []RetryPolicy `json:"items"`
}
