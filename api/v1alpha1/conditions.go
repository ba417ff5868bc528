package v1alpha1

// Types of conditions. Ready, Accepted and TrafficApplied are always there; Reconciling and Stalled only while they are
// True, so that kstatus, and what waits by it, reads them rightly.
const (
	// ConditionReady is True when the object has reached what its spec asks for: for a CanaryRelease, that the newest
	// change is promoted; for a TrafficSplit, that every route carries it. Its reason and message say where things stand.
	ConditionReady = "Ready"
	// ConditionReconciling is True while the operator works towards Ready by itself.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True when nothing goes on until somebody acts: a release was rolled back, or the spec cannot be
	// followed.
	ConditionStalled = "Stalled"
	// ConditionAccepted is True when the spec can be followed: what it names exists, and the data plane can do it.
	ConditionAccepted = "Accepted"
	// ConditionAdvice is True when something about how a release is judged is worth changing: the reason says what, the
	// message gives the figures. Nothing is refused for it.
	ConditionAdvice = "Advice"
	// ConditionTrafficApplied is True when the data plane is known to send traffic as it was asked to. Unknown is no
	// failure: it means that the answer is not in yet.
	ConditionTrafficApplied = "TrafficApplied"
)

// Reasons of a release that goes its way: nobody has to act.
const (
	// ReasonStable says that no release runs: the newest change is promoted, and the next one will be held. Nothing to do.
	ReasonStable = "Stable"
	// ReasonAdopting says that the operator takes up a Deployment for the first time: what runs becomes stable, with no
	// change to its pods. If it stays so, the Deployment has not finished a rollout of its own: look at its pods.
	ReasonAdopting = "Adopting"
	// ReasonPreparing says that the canary is being started and gets no traffic yet. If it stays so, look at the pods of
	// <deployment>-canary.
	ReasonPreparing = "Preparing"
	// ReasonShifting says that a share of traffic was asked for and the data plane has not confirmed it yet. If it stays
	// so, TrafficApplied and the TrafficSplit's status.routes say which route waits for what.
	ReasonShifting = "Shifting"
	// ReasonJudging says that the step's share is applied and evidence is being gathered. The message has the counts and
	// what is still needed. Nothing to do.
	ReasonJudging = "Judging"
	// ReasonPromoting says that the change is being rolled out to the stable pods; the canary serves its share meanwhile,
	// and harm still takes users off. If it stays so, look at the Deployment's rollout.
	ReasonPromoting = "Promoting"
	// ReasonPromoted says that the change is the stable one now. Nothing to do.
	ReasonPromoted = "Promoted"
	// ReasonRollingBack says that users are being taken off the change, or were a moment ago, and that the data plane has
	// not confirmed it yet. The message says why. Nothing to do: no confirmation is waited for before the write.
	ReasonRollingBack = "RollingBack"
	// ReasonSuperseded says that a newer change came while one was being released; the canary starts over with the newer
	// one, from no traffic. Nothing to do.
	ReasonSuperseded = "Superseded"
	// ReasonWithdrawn says that the Deployment was set back to the stable template while its change was being released;
	// the canary is removed. Nothing to do.
	ReasonWithdrawn = "Withdrawn"
	// ReasonLetThrough says that a change was rolled out without steps, because holding it would do harm or nothing: it
	// was stable before, it only restarts, or stable had no pod available. The message says which. Nothing to do.
	ReasonLetThrough = "LetThrough"
	// ReasonWithinTolerance says that it is proven, at the accepted risk, that the canary is within what is tolerated. The
	// release goes on. Nothing to do.
	ReasonWithinTolerance = "WithinTolerance"
	// ReasonRecordLost says that the record of a release was lost or cannot be read. The canary is taken off, and the change
	// starts over from the first step; what was rejected stays rejected. Nothing to do, but find out who edits status.
	ReasonRecordLost = "RecordLost"
	// ReasonDeleting says that the object is being deleted and that the route is first made what the user wrote. If it
	// stays so, the message names the object that cannot be written.
	ReasonDeleting = "Deleting"
)

// Reasons of a release that waits for a person.
const (
	// ReasonWaitingForPerson says that a step with hold has passed, or that a policy says to wait. Look at the evidence,
	// then run kubectl slipway promote or kubectl slipway abort.
	ReasonWaitingForPerson = "WaitingForPerson"
	// ReasonSuspended says that spec.suspend is true: no step is left and nothing is promoted, but harm is still rolled
	// back. Set spec.suspend to false, in Git, to go on.
	ReasonSuspended = "Suspended"
	// ReasonPaused says that the release stands still at its share of traffic because somebody asked for it. Harm is still
	// rolled back. Go on with kubectl slipway resume, or take users off with kubectl slipway abort.
	ReasonPaused = "Paused"
	// ReasonPausedByUser says that somebody paused the Deployment itself, so that it is not ours to roll out. Run kubectl
	// rollout resume on it, or leave it: users get the stable version.
	ReasonPausedByUser = "PausedByUser"
	// ReasonInconclusive says that maxDuration has passed with evidence for neither harm nor health. Promote or abort it
	// yourself; for the next time give it more traffic, a wider tolerance or a longer maxDuration.
	ReasonInconclusive = "Inconclusive"
)

// Reasons of a release that ended badly: users are on stable, and a new change, or the old one, starts from there.
const (
	// ReasonRolledBack says that the change was taken off and stays rejected; the Deployment serves the stable template.
	// The message says why. Fix it and push again, or set the template back. kubectl slipway retry tries the same again.
	ReasonRolledBack = "RolledBack"
	// ReasonHarmProven says that the canary was worse than stable by more than is tolerated, at the accepted risk. Users
	// are off it. The message has the metric and the counts of both arms: start from there.
	ReasonHarmProven = "HarmProven"
	// ReasonLimitExceeded says that the canary's share of bad requests is over a metric's limit, whatever stable does.
	// Users are off it. If stable is bad too, what both depend on may be at fault.
	ReasonLimitExceeded = "LimitExceeded"
	// ReasonCanaryCrashLooping says that containers of the canary crash again and again. Users are off it. Run kubectl logs
	// --previous on a pod of <deployment>-canary.
	ReasonCanaryCrashLooping = "CanaryCrashLooping"
	// ReasonAbortedByPerson says that somebody asked for the rollback; users are on stable. The change stays rejected until
	// kubectl slipway retry, or a new change.
	ReasonAbortedByPerson = "AbortedByPerson"
)

// Reasons why there is no verdict. The release holds: no evidence is not good evidence, and not bad evidence either.
const (
	// ReasonNoTraffic says that no request has reached the canary. Check that clients use the route that the release names.
	ReasonNoTraffic = "NoTraffic"
	// ReasonNoData says that Prometheus has no series, does not answer, or gives what cannot be used (the message says
	// which). Check the scrape of both arms and the endpoint in the operator's configuration.
	ReasonNoData = "NoData"
	// ReasonNotEnoughTraffic says that there is traffic, but too little for a verdict at the accepted risk. The message has
	// how much is needed. Wait, raise the weight, or widen the tolerance.
	ReasonNotEnoughTraffic = "NotEnoughTraffic"
	// ReasonOneBadPod says that one canary pod is bad and the others are not: more likely a bad node than a bad version.
	// Look at that pod; delete it to get another, or abort.
	ReasonOneBadPod = "OneBadPod"
	// ReasonShareNotAsWanted says that the canary's measured share of requests is not the one that was asked for, though
	// the data plane says that it is applied. Look for another route or Service that sends to the same pods, for session
	// affinity, or for few long connections.
	ReasonShareNotAsWanted = "ShareNotAsWanted"
	// ReasonArmsNotMeasurable says that the metrics of this data plane cannot tell canary and stable apart as it is set up.
	// The message says what to change; or give metrics of the application's own (counts).
	ReasonArmsNotMeasurable = "ArmsNotMeasurable"
	// ReasonPrometheusNotConfigured says that analysis.prometheus names an endpoint that the operator's configuration does
	// not have. Add it there, or use a name that is in the message.
	ReasonPrometheusNotConfigured = "PrometheusNotConfigured"
)

// Reasons why the canary gets no traffic yet, or lost it. Users are on stable.
const (
	// ReasonCanaryNotReady says that pods of the canary run and are not ready. Look at the readiness probe and the logs of
	// <deployment>-canary.
	ReasonCanaryNotReady = "CanaryNotReady"
	// ReasonCanaryNotScheduled says that the canary or pods of it were not created or not placed: a quota, a policy, no node
	// with room, an image that cannot be pulled. The message has the cause. This is no fault of the version, so nothing is
	// rolled back.
	ReasonCanaryNotScheduled = "CanaryNotScheduled"
	// ReasonNoReadyCanary says that the canary has lost all of its ready pods while it had a share: the share is taken off
	// it. Look at the pods of <deployment>-canary.
	ReasonNoReadyCanary = "NoReadyCanary"
)

// Reasons why a spec is not followed. Nothing was written; users are on stable. Somebody must change the spec or what it
// names.
const (
	// ReasonAccepted says that the spec can be followed. Nothing to do.
	ReasonAccepted = "Accepted"
	// ReasonRefused says that the spec cannot be followed as it is; the message says why and what to change.
	ReasonRefused = "Refused"
	// ReasonTargetNotFound says that the Deployment of targetRef does not exist in this namespace. Correct the name, or
	// create it: it is adopted when it appears.
	ReasonTargetNotFound = "TargetNotFound"
	// ReasonServiceNotFound says that the Service of serviceRef, or a backend's, does not exist in this namespace. Correct
	// the name, or create it.
	ReasonServiceNotFound = "ServiceNotFound"
	// ReasonRouteNotFound says that a route of routeRefs does not exist, or has no rule of that sectionName, or no rule
	// that sends to the Service. The message says which.
	ReasonRouteNotFound = "RouteNotFound"
	// ReasonRouteConflict says that an older object already splits the same traffic of the same rule; the message names it.
	// Remove one of the two, or give them different rules.
	ReasonRouteConflict = "RouteConflict"
	// ReasonTargetConflict says that an older CanaryRelease already releases the same Deployment; the message names it.
	// Delete one of the two, or point this one at another Deployment.
	ReasonTargetConflict = "TargetConflict"
	// ReasonUnsupportedByDataPlane says that what serves the route cannot do what the spec needs, or is not known to the
	// operator. The message names what is missing.
	ReasonUnsupportedByDataPlane = "UnsupportedByDataPlane"
	// ReasonAdmissionMissing says that the admission policy that holds changes is not in this cluster, so that a change
	// would go past every step. Apply config/admission; it needs Kubernetes 1.36.
	ReasonAdmissionMissing = "AdmissionMissing"
)

// Reasons of the condition Advice. The release runs all the same.
const (
	// ReasonNoAbsoluteTolerance says that a metric tolerates no points at all, so that without bad requests it can never be
	// shown to be within tolerance. Give tolerate.absolute.
	ReasonNoAbsoluteTolerance = "NoAbsoluteTolerance"
	// ReasonOneCanaryPod says that the canary has a single pod in some step: a bad pod and a bad version cannot be told
	// apart. Raise canary.minReplicas.
	ReasonOneCanaryPod = "OneCanaryPod"
	// ReasonTooLittleTraffic says that the steps need more canary requests than come within maxDuration.
	ReasonTooLittleTraffic = "TooLittleTraffic"
	// ReasonBoundaryNotAsAsked says that a histogram has no boundary where it was asked for; the next one is used.
	ReasonBoundaryNotAsAsked = "BoundaryNotAsAsked"
)

// ReasonMetricNotMeasurable says that a histogram cannot answer what the metric asks of it, as stable's past shows. Nothing
// is made; the message names the boundaries that there are.
const ReasonMetricNotMeasurable = "MetricNotMeasurable"
