package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// CanaryReleaseSpec says: release changes of this Deployment step by step, and judge them by these metrics.
//
// +kubebuilder:validation:XValidation:rule="self.steps.all(i, s, i == 0 || self.steps[i-1].weightPercent <= s.weightPercent)",message="steps: weightPercent must never decrease; sort the steps by weight"
// +kubebuilder:validation:XValidation:rule="self.steps.all(s, !has(s.leaveAfter)) || (has(self.analysis) && has(self.analysis.mode) && self.analysis.mode == 'Observe')",message="steps: leaveAfter belongs to analysis.mode Observe; leave it out, for in other modes evidence says when a step is left"
type CanaryReleaseSpec struct {
	// targetRef is the Deployment whose changes are released step by step.
	// +required
	TargetRef TargetReference `json:"targetRef,omitzero"`

	// serviceRef is the Service that selects the Deployment's pods. It stays what it is: it is stable.
	// +required
	ServiceRef ServiceReference `json:"serviceRef,omitzero"`

	// routeRefs are the routes that send to the Service; sectionName picks one rule by name.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	RouteRefs []RouteReference `json:"routeRefs,omitempty"`

	// steps are the shares of traffic that the canary gets, one after the other, before it is promoted.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Steps []Step `json:"steps,omitempty"`

	// canary says how the canary runs. Absent: each of its fields has its default.
	// +optional
	// +default={"minReplicas":2}
	Canary CanarySpec `json:"canary,omitzero"`

	// analysis says what is measured and what is tolerated. Absent: each of its fields has its default, and errors and
	// latency are judged as the data plane sees them.
	// +optional
	// +default={"prometheus":"default"}
	Analysis AnalysisSpec `json:"analysis,omitzero"`

	// suspend stops a release where it is: no step is left and nothing is promoted. Harm is still rolled back.
	// Absent means false.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`

	// onDelete says what becomes of a held change when this object is deleted. KeepStable (default) writes the stable
	// template back; TakeChange rolls the change out.
	// +optional
	// +default="KeepStable"
	OnDelete DeletionPolicy `json:"onDelete,omitempty"`

	// rollbackWindow is how many templates before the present one are rolled out at once when they come back,
	// because they were promoted before. Default 1; 0 sends every template through the steps.
	// +optional
	// +default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	RollbackWindow *int32 `json:"rollbackWindow,omitempty"`
}

// TargetReference names the workload of a release, in the namespace of the CanaryRelease.
type TargetReference struct {
	// kind is the kind of the workload. Only Deployment is supported.
	// +optional
	// +default="Deployment"
	Kind TargetKind `json:"kind,omitempty"`

	// name is the name of the workload. 51 characters at most, so that <name>-stable-hold is a Service's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=51
	Name string `json:"name,omitempty"`
}

// TargetKind is a kind of workload.
//
// +kubebuilder:validation:Enum=Deployment
type TargetKind string

// TargetDeployment is the only kind of workload.
const TargetDeployment TargetKind = "Deployment"

// DeletionPolicy says what becomes of a held change when the CanaryRelease is deleted.
//
// +kubebuilder:validation:Enum=KeepStable;TakeChange
type DeletionPolicy string

const (
	// DeletionKeepStable writes the stable template back and lifts the hold.
	DeletionKeepStable DeletionPolicy = "KeepStable"
	// DeletionTakeChange lifts the hold, so that the change is rolled out.
	DeletionTakeChange DeletionPolicy = "TakeChange"
)

// Step is one share of traffic.
type Step struct {
	// weightPercent is the canary's share of the traffic in this step, from 1 to 99.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=99
	WeightPercent int32 `json:"weightPercent,omitempty"`

	// hold waits at the end of this step until a person says when to go on. Absent means false.
	// +optional
	Hold *bool `json:"hold,omitempty"`

	// leaveAfter is how long this step lasts where analysis.mode is Observe. Absent there: it lasts until a person says to
	// go on. Other modes leave a step by evidence and refuse it.
	// +optional
	LeaveAfter Duration `json:"leaveAfter,omitempty"`
}

// CanarySpec says how the canary runs.
//
// +kubebuilder:validation:MinProperties=1
type CanarySpec struct {
	// minReplicas is the fewest pods that the canary has while it gets traffic. Default 2: with one, a bad pod and a bad
	// version cannot be told apart.
	// +optional
	// +default=2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MinReplicas int32 `json:"minReplicas,omitempty"`

	// keepFailedFor is how long the canary of a failed release is kept, scaled to zero. Default 1h.
	// +optional
	// +default="1h"
	KeepFailedFor Duration `json:"keepFailedFor,omitempty"`

	// label is the pod label that tells the canary from stable: it must be in the Service's selector and in the
	// Deployment's matchLabels. Absent: the first such label by name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	Label string `json:"label,omitempty"`
}

// AnalysisSpec says what is measured, what is tolerated and what risk of a wrong verdict is accepted.
//
// +kubebuilder:validation:MinProperties=1
type AnalysisSpec struct {
	// mode is what follows from the evidence. Enforce (default) promotes and rolls back by it. Observe shows it and never
	// acts by it: steps are left by leaveAfter or by a person. AA releases nothing: it compares two halves of stable to show
	// how noisy the service is, and proposes tolerances in status.calibration.
	// +optional
	// +default="Enforce"
	Mode AnalysisMode `json:"mode,omitempty"`

	// prometheus is the name of an endpoint in the operator's configuration. Default "default".
	// +optional
	// +default="default"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Prometheus string `json:"prometheus,omitempty"`

	// falseRollbackRisk is the chance that a release within tolerance is ever rolled back: all metrics, whole release.
	// Above 0%, below 100%. Default 5%.
	// +optional
	// +default="5%"
	// +kubebuilder:validation:XValidation:rule="self.matches('[1-9]') && !self.startsWith('100')",message="falseRollbackRisk: must be above 0% and below 100%; no evidence is ever enough for a risk of 0%"
	FalseRollbackRisk Percent `json:"falseRollbackRisk,omitempty"`

	// badPromotionRisk is the chance that a release at or over tolerance is promoted. Above 0%, below 100%.
	// Default 5%.
	// +optional
	// +default="5%"
	// +kubebuilder:validation:XValidation:rule="self.matches('[1-9]') && !self.startsWith('100')",message="badPromotionRisk: must be above 0% and below 100%; no evidence is ever enough for a risk of 0%"
	BadPromotionRisk Percent `json:"badPromotionRisk,omitempty"`

	// every is how often Prometheus is asked while a release runs. Looking more often costs no confidence.
	// At least 1s. Default 10s.
	// +optional
	// +default="10s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s')",message="every: must be 1s or longer; metrics are not scraped faster than that"
	Every Duration `json:"every,omitempty"`

	// warmup is how long a new canary pod's traffic is judged with a wide margin only. Default 60s.
	// +optional
	// +default="60s"
	Warmup Duration `json:"warmup,omitempty"`

	// warmupTolerance is what the margin is widened by during warm-up and while a weight changes. Default 5%.
	// +optional
	// +default="5%"
	WarmupTolerance Percent `json:"warmupTolerance,omitempty"`

	// minStepDuration is the least time that a step lasts once its share is applied. Default 1m.
	// +optional
	// +default="1m"
	MinStepDuration Duration `json:"minStepDuration,omitempty"`

	// maxDuration is how long a release may look for evidence before it is inconclusive. Default 2h.
	// +optional
	// +default="2h"
	MaxDuration Duration `json:"maxDuration,omitempty"`

	// onInconclusive says what happens at maxDuration. Default Hold.
	// +optional
	// +default="Hold"
	OnInconclusive InconclusivePolicy `json:"onInconclusive,omitempty"`

	// onNoData says what happens when three scrapes in a row are missing. Default Hold.
	// +optional
	// +default="Hold"
	OnNoData NoDataPolicy `json:"onNoData,omitempty"`

	// oneBadPod says what happens when harm is on one canary pod alone. Hold (default) keeps the share and says so,
	// ReplacePod deletes the pod, Rollback takes users off the canary. With one canary pod, a bad pod and a bad version
	// cannot be told apart, and it is rolled back.
	// +optional
	// +default="Hold"
	OneBadPod OneBadPodPolicy `json:"oneBadPod,omitempty"`

	// metrics are what is judged. Absent: errors (10% and 0.1 points tolerated) and latency (share slower than 500ms, 10%
	// and 0.5 points tolerated) as the data plane sees them.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Metrics []Metric `json:"metrics,omitempty"`
}

// AnalysisMode is what follows from the evidence.
//
// +kubebuilder:validation:Enum=Enforce;Observe;AA
type AnalysisMode string

const (
	// ModeEnforce promotes and rolls back by the evidence.
	ModeEnforce AnalysisMode = "Enforce"
	// ModeObserve shows the evidence and never acts by it.
	ModeObserve AnalysisMode = "Observe"
	// ModeAA compares two halves of stable and releases nothing.
	ModeAA AnalysisMode = "AA"
)

// OneBadPodPolicy says what happens when harm is on one canary pod alone.
//
// +kubebuilder:validation:Enum=Hold;ReplacePod;Rollback
type OneBadPodPolicy string

const (
	// OneBadPodHold keeps the share and says which pod it is.
	OneBadPodHold OneBadPodPolicy = "Hold"
	// OneBadPodReplace deletes the pod; its Deployment makes another one.
	OneBadPodReplace OneBadPodPolicy = "ReplacePod"
	// OneBadPodRollback takes users off the canary.
	OneBadPodRollback OneBadPodPolicy = "Rollback"
)

// InconclusivePolicy says what happens when maxDuration ends without a verdict.
//
// +kubebuilder:validation:Enum=Hold;Extend;Rollback;PromoteIfNoHarm
type InconclusivePolicy string

const (
	// InconclusiveHold keeps the share and waits for a person.
	InconclusiveHold InconclusivePolicy = "Hold"
	// InconclusiveExtend goes on looking for evidence.
	InconclusiveExtend InconclusivePolicy = "Extend"
	// InconclusiveRollback takes users off the canary.
	InconclusiveRollback InconclusivePolicy = "Rollback"
	// InconclusivePromoteIfNoHarm goes on to the next step when there is no evidence of harm.
	InconclusivePromoteIfNoHarm InconclusivePolicy = "PromoteIfNoHarm"
)

// NoDataPolicy says what happens when metrics stay away.
//
// +kubebuilder:validation:Enum=Hold;Rollback
type NoDataPolicy string

const (
	// NoDataHold keeps the share and says so.
	NoDataHold NoDataPolicy = "Hold"
	// NoDataRollback takes users off the canary.
	NoDataRollback NoDataPolicy = "Rollback"
)

// Metric is one thing that is judged in both arms: a share of requests, latency, or the value of a gauge.
//
// +kubebuilder:validation:XValidation:rule="[has(self.signal), has(self.counts), has(self.histogram), has(self.gauge)].filter(given, given).size() == 1",message="metrics: give exactly one of signal (as the data plane sees it), counts, histogram or gauge (the application's own series)"
// +kubebuilder:validation:XValidation:rule="[has(self.slowerThan), has(self.quantile), has(self.shape)].filter(given, given).size() == (has(self.histogram) || (has(self.signal) && self.signal == 'Latency') ? 1 : 0)",message="metrics: signal Latency and histogram need exactly one of slowerThan, quantile or shape; remove them from other metrics"
// +kubebuilder:validation:XValidation:rule="!has(self.slowdown) || has(self.quantile)",message="metrics: slowdown belongs to quantile; give a quantile or remove slowdown"
// +kubebuilder:validation:XValidation:rule="!(has(self.quantile) && has(self.tolerate))",message="metrics: a quantile tolerates its slowdown; set slowdown and remove tolerate"
// +kubebuilder:validation:XValidation:rule="!has(self.limit) || !(has(self.quantile) || has(self.shape) || has(self.gauge))",message="metrics: a limit is a share of requests; use it with signal Errors, counts or slowerThan, or remove it"
// +kubebuilder:validation:XValidation:rule="!(has(self.gauge) && has(self.tolerate) && has(self.tolerate.absolute))",message="metrics: a gauge is compared by ratio; give tolerate.relative alone"
// +kubebuilder:validation:XValidation:rule="!(has(self.counts) && has(self.counts.good) && has(self.tolerate) && has(self.tolerate.relative) && self.tolerate.relative.startsWith('100'))",message="metrics: tolerate.relative of 100% accepts that nothing good is left; give less than 100%"
type Metric struct {
	// name is how messages call this metric.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// signal is a metric that the data plane gives by itself.
	// +optional
	Signal Signal `json:"signal,omitempty"`

	// slowerThan makes a request slow, for signal Latency and histogram. The histogram's boundary at or above it is used, and
	// said.
	// +optional
	SlowerThan Duration `json:"slowerThan,omitempty"`

	// quantile is the part of the requests that must not become slower than stable's by more than slowdown, such as 99%: for
	// signal Latency and histogram. A boundary is chosen when the release starts, and kept. Above 0%, below 100%.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.matches('[1-9]') && !self.startsWith('100')",message="quantile: must be above 0% and below 100%, such as 99%"
	Quantile Percent `json:"quantile,omitempty"`

	// slowdown is how much slower the quantile may become. Absent: 10%.
	// +optional
	Slowdown Percent `json:"slowdown,omitempty"`

	// shape compares the whole distribution, for signal Latency and histogram: five boundaries are chosen when the release
	// starts, from where half of stable's requests are slower to where one in two hundred is. Leave it out or set it to true.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self",message="shape: set it to true, or leave it out and give slowerThan or quantile"
	Shape *bool `json:"shape,omitempty"`

	// counts are two counters of the application, told apart by pod.
	// +optional
	Counts CounterPair `json:"counts,omitzero"`

	// histogram is a histogram of the application, told apart by pod.
	// +optional
	Histogram Histogram `json:"histogram,omitzero"`

	// gauge is a value of the application that goes up and down, told apart by pod: its means over blocks of one to ten
	// minutes are compared.
	// +optional
	Gauge Gauge `json:"gauge,omitzero"`

	// tolerate is the difference between canary and stable that is accepted. Absent: each of its fields has its default.
	// +optional
	Tolerate Tolerance `json:"tolerate,omitzero"`

	// importance is this metric's share of the risk, relative to the others. Default 1.
	// +optional
	// +default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Importance int32 `json:"importance,omitempty"`

	// limit is a share of bad requests that the canary must stay under, whatever stable does (for counts.good: a share of
	// good ones that it must stay over): above 0%, below 100%. Absent: none.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self.matches('[1-9]') && !self.startsWith('100')",message="limit: must be above 0% and below 100%; leave it out where there is none"
	Limit Percent `json:"limit,omitempty"`
}

// Signal is a metric that the data plane gives by itself.
//
// +kubebuilder:validation:Enum=Errors;Latency
type Signal string

const (
	// SignalErrors is the share of requests that were answered with 5xx.
	SignalErrors Signal = "Errors"
	// SignalLatency is how long requests took.
	SignalLatency Signal = "Latency"
)

// CounterPair names two counters of the application, as series selectors without a time range. The labels namespace and
// pod tell the arms apart and must not be among the matchers.
//
// +kubebuilder:validation:XValidation:rule="has(self.bad) != has(self.good)",message="counts: give either bad (more of it is worse) or good (less of it is worse, such as orders)"
type CounterPair struct {
	// bad selects the counter of bad requests, such as checkout_total{result="failed"}.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Bad string `json:"bad,omitempty"`

	// good selects a counter of which less is worse, such as orders_total: at most one for each that total counts.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Good string `json:"good,omitempty"`

	// total selects the counter of all requests, those in bad or good included.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Total string `json:"total,omitempty"`
}

// Histogram names a histogram of the application.
type Histogram struct {
	// selector selects the histogram by its name and labels, such as pay_seconds{method="card"}: without _bucket, without a
	// time range, and without the labels namespace, pod and le.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Selector string `json:"selector,omitempty"`

	// type is how Prometheus keeps it: Classic (default) has a series _bucket for each boundary, Native has exponential
	// buckets in one series.
	// +optional
	// +default="Classic"
	Type HistogramType `json:"type,omitempty"`

	// unit is what the histogram measures in. Default Seconds.
	// +optional
	// +default="Seconds"
	Unit HistogramUnit `json:"unit,omitempty"`
}

// HistogramType is how Prometheus keeps a histogram.
//
// +kubebuilder:validation:Enum=Classic;Native
type HistogramType string

const (
	// HistogramClassic has one series for each boundary.
	HistogramClassic HistogramType = "Classic"
	// HistogramNative has exponential buckets in one series.
	HistogramNative HistogramType = "Native"
)

// HistogramUnit is the unit of a histogram's boundaries.
//
// +kubebuilder:validation:Enum=Seconds;Milliseconds
type HistogramUnit string

const (
	// UnitSeconds is the unit that Prometheus recommends.
	UnitSeconds HistogramUnit = "Seconds"
	// UnitMilliseconds is a thousandth of it.
	UnitMilliseconds HistogramUnit = "Milliseconds"
)

// Gauge names a gauge of the application.
type Gauge struct {
	// selector selects the gauge by its name and labels, such as queue_length{queue="mail"}. Several series of a pod are
	// added up. The labels namespace and pod must not be among the matchers.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Selector string `json:"selector,omitempty"`

	// worseWhen says which way is worse: Higher (default) or Lower.
	// +optional
	// +default="Higher"
	WorseWhen GaugeDirection `json:"worseWhen,omitempty"`
}

// GaugeDirection is the way in which a gauge gets worse.
//
// +kubebuilder:validation:Enum=Higher;Lower
type GaugeDirection string

const (
	// WorseWhenHigher is for queues and memory.
	WorseWhenHigher GaugeDirection = "Higher"
	// WorseWhenLower is for cache hits and sessions.
	WorseWhenLower GaugeDirection = "Lower"
)

// Tolerance is a difference that is accepted: canary ≤ stable × (1 + relative) + absolute, or, where less is worse,
// canary ≥ stable × (1 − relative) − absolute.
//
// +kubebuilder:validation:MinProperties=1
type Tolerance struct {
	// relative is a part of stable's share. Absent: 10%.
	// +optional
	Relative Percent `json:"relative,omitempty"`

	// absolute is in points of the share. Absent: 0.1%.
	// +optional
	Absolute Percent `json:"absolute,omitempty"`
}

// CanaryReleaseStatus says where a release stands and why.
//
// +kubebuilder:validation:MinProperties=1
type CanaryReleaseStatus struct {
	// conditions are Ready, Accepted and TrafficApplied always, Reconciling and Stalled only when true.
	// +optional
	// +patchStrategy=merge
	// +patchMergeKey=type
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=12
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type"`

	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`

	// stage is what the release does now, for people and scripts; conditions say why.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Stage string `json:"stage,omitempty"`

	// step is the present step of how many, such as 2/4; empty when no release runs.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	Step string `json:"step,omitempty"`

	// weight is the canary's share of the traffic as it is asked for, such as 25%.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	Weight string `json:"weight,omitempty"`

	// evidence is how far harm and the next step are proven, such as "harm 3%, health 61%".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Evidence string `json:"evidence,omitempty"`

	// revision is the short name of the template that is being released, or was last.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Revision string `json:"revision,omitempty"`

	// stableRevision is the short name of the template that serves as stable.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	StableRevision string `json:"stableRevision,omitempty"`

	// floorReplicas is what an autoscaler may not shrink stable below while a release runs. Absent: no floor.
	// +optional
	// +kubebuilder:validation:Minimum=0
	FloorReplicas *int32 `json:"floorReplicas,omitempty"`

	// metrics are the counts and the evidence of each metric in the present release, or the last one.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Metrics []MetricStatus `json:"metrics,omitempty"`

	// decisions are the last ones with their numbers, the newest last.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	Decisions []DecisionRecord `json:"decisions,omitempty"`

	// calibration is what mode AA has found out of each metric.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Calibration []MetricCalibration `json:"calibration,omitempty"`

	// run is the record of the release. Nothing else may depend on it.
	// +optional
	Run RunRecord `json:"run,omitzero"`
}

// MetricStatus is what is known of one metric.
type MetricStatus struct {
	// name is the metric's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// message says the counts of both arms, the evidence and what is still needed.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`

	// canary is the canary's share in this step, such as "0.52% (26/5,000)".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Canary string `json:"canary,omitempty"`

	// stable is stable's share in this step.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Stable string `json:"stable,omitempty"`

	// difference is canary less stable with the interval for it, such as "+0.42 points (+0.11 to +0.80)". A side on which
	// nothing is shown yet is "?".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Difference string `json:"difference,omitempty"`

	// harm is the evidence of harm and how much of it proves harm by this metric alone, such as "14.5 of 30": 1 over its part
	// of falseRollbackRisk.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Harm string `json:"harm,omitempty"`

	// harmPercent is how far harm is proven by this metric.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	HarmPercent *int32 `json:"harmPercent,omitempty"`

	// health is the evidence that the next step is within tolerance, and how much proves it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Health string `json:"health,omitempty"`

	// healthPercent is how far that is proven.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	HealthPercent *int32 `json:"healthPercent,omitempty"`

	// noise is how many times rougher than independent requests the traffic is; evidence is divided by it. "1.00" is not at
	// all.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	Noise string `json:"noise,omitempty"`

	// requestsNeeded is about how many more canary requests this step needs. Absent where that cannot be expected.
	// +optional
	// +kubebuilder:validation:Minimum=0
	RequestsNeeded *int64 `json:"requestsNeeded,omitempty"`

	// timeNeeded is about how long they take at the present traffic, such as 12m.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	TimeNeeded string `json:"timeNeeded,omitempty"`
}

// DecisionRecord is a decision with its numbers.
type DecisionRecord struct {
	// time is when it was made.
	// +required
	Time *metav1.Time `json:"time,omitempty"`

	// revision is the template that it is about.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Revision string `json:"revision,omitempty"`

	// stage is what the release does since then.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Stage string `json:"stage,omitempty"`

	// weight is the share that was asked for the canary, such as 25%.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	Weight string `json:"weight,omitempty"`

	// reason is that of the condition Ready.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Reason string `json:"reason,omitempty"`

	// message says why, with the numbers.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=400
	Message string `json:"message,omitempty"`
}

// MetricCalibration is how much two halves of stable differ.
type MetricCalibration struct {
	// name is the metric's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// message says what both halves answered, how noisy that is, how much pods differ, and how long a release would take.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`

	// proposedRelative is, with proposedAbsolute, the least round tolerance that covers how much pods differ, that the two
	// halves are shown to keep, and with which an unchanged version passes all steps in half of maxDuration. Absent while
	// too little was seen, where no tolerance would do, and of a quantile and a gauge.
	// +optional
	ProposedRelative Percent `json:"proposedRelative,omitempty"`

	// proposedAbsolute is the absolute part of the proposal; see proposedRelative.
	// +optional
	ProposedAbsolute Percent `json:"proposedAbsolute,omitempty"`
}

// RunRecord is what must survive a crash and cannot be observed.
type RunRecord struct {
	// sequence grows by one whenever what is wanted of the world changes.
	// +required
	// +kubebuilder:validation:Minimum=0
	Sequence *int64 `json:"sequence,omitempty"`

	// record is the state machine's own state, as JSON.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16384
	Record string `json:"record,omitempty"`

	// evidence is the judge's own state.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=262144
	Evidence string `json:"evidence,omitempty"`
}

// CanaryRelease releases changes of a Deployment step by step and promotes or rolls back by evidence.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=canary,categories=slipway
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Step",type=string,JSONPath=`.status.step`
// +kubebuilder:printcolumn:name="Weight",type=string,JSONPath=`.status.weight`
// +kubebuilder:printcolumn:name="Evidence",type=string,JSONPath=`.status.evidence`
// +kubebuilder:printcolumn:name="Revision",type=string,JSONPath=`.status.revision`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Target",type=string,priority=1,JSONPath=`.spec.targetRef.name`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="metadata.name: 63 characters at most, because it is used as a label"
type CanaryRelease struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is how changes are released.
	// +required
	Spec CanaryReleaseSpec `json:"spec,omitzero"`

	// status is where the release stands.
	// +optional
	Status CanaryReleaseStatus `json:"status,omitzero"`
}

// CanaryReleaseList is a list of CanaryReleases.
//
// +kubebuilder:object:root=true
type CanaryReleaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []CanaryRelease `json:"items"`
}
