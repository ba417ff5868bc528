package v1alpha1

// Names that are part of the contract between operator, admission policies and people.
const (
	// HeldAnnotation on a Deployment says that its template is held, and by which CanaryRelease (its name).
	// The admission policy puts it there together with spec.paused; only the operator takes it away.
	HeldAnnotation = "slipway.dev/held"
	// SplitAnnotation on a route holds the splits that the route carries and the weights of the user's own backendRefs, in lines of
	// words, which the admission policy can read too.
	SplitAnnotation = "slipway.dev/split"
	// RulesAnnotation on a route of Gateway API holds, as JSON, what the route carries beside the shares of SplitAnnotation:
	// matches, mirrors, affinity, retries and timeouts.
	RulesAnnotation = "slipway.dev/rules"
	// CarriesAnnotation on an object other than an HTTPRoute holds, as JSON, what the object carries, and on one of a user's
	// also what the user had in the places that were changed.
	CarriesAnnotation = "slipway.dev/carries"
	// TargetAnnotation on an object that the operator generated for a route or the Service of a mesh is that target:
	// <kind>.<group>/<name>.
	TargetAnnotation = "slipway.dev/target"
	// ManagedByLabel with the value ManagedBy is on every object that the operator generated for a target.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	ManagedBy      = "slipway"
	// ControllerName is what the operator calls itself in the status of policies.
	ControllerName = "slipway.dev/operator"
	// StampAnnotation on an object that the operator writes names the record it was written from:
	// <uid of the record's object>/<sequence>. It is never overwritten by a lower sequence of the same uid.
	StampAnnotation = "slipway.dev/stamp"
	// ReleaseLabel on objects that a CanaryRelease owns is its name.
	ReleaseLabel = "slipway.dev/release"
	// KindLabel on a ControllerRevision says whether its template is stable, rejected or the candidate's.
	KindLabel = "slipway.dev/revision-kind"
	// Finalizer on a CanaryRelease or TrafficSplit keeps it until the route is the user's own again.
	Finalizer = "slipway.dev/restore"
	// RequestPromote, RequestAbort, RequestRetry, RequestPause and RequestResume are annotations on a CanaryRelease by
	// which a person asks for something at once; the value is the revision that it is meant for.
	RequestPromote = "slipway.dev/promote"
	RequestAbort   = "slipway.dev/abort"
	RequestRetry   = "slipway.dev/retry"
	RequestPause   = "slipway.dev/pause"
	RequestResume  = "slipway.dev/resume"
	// CanarySuffix makes the name of the twin's Deployment and Service from the target's.
	CanarySuffix = "-canary"
	// StableHoldSuffix makes the name of the Service that selects only the old pods while a release is promoted.
	StableHoldSuffix = "-stable-hold"
)

// Field managers by which the operator's writes are known.
const (
	// FieldManager is the manager of what the operator writes into the objects of others.
	FieldManager = "slipway"
)
