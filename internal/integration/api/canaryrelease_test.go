package api

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/api/v1alpha1"
)

func TestCanaryReleaseRules(t *testing.T) {
	for name, r := range map[string]rule{
		"steps may stay level and must not go down": {
			accept:    "spec: {steps: [{weightPercent: 10}, {weightPercent: 10}, {weightPercent: 50}]}",
			reject:    "spec: {steps: [{weightPercent: 10}, {weightPercent: 50}, {weightPercent: 20}]}",
			wantField: "spec", wantSays: "steps: weightPercent must never decrease; sort the steps by weight",
		},
		"a step is left by time only where evidence is observed": {
			accept:    "spec: {analysis: {mode: Observe}, steps: [{weightPercent: 10, leaveAfter: 5m}, {weightPercent: 20}]}",
			reject:    "spec: {analysis: {mode: Enforce}, steps: [{weightPercent: 10, leaveAfter: 5m}]}",
			wantField: "spec", wantSays: "leaveAfter belongs to analysis.mode Observe",
		},
		"the name is used as a label": {
			accept:    "metadata: {name: " + long(63) + "}",
			reject:    "metadata: {name: " + long(64) + "}",
			wantField: "<nil>", wantSays: "metadata.name: 63 characters at most",
		},
		"only a Deployment is a target": {
			accept:    "spec: {targetRef: {kind: Deployment}}",
			reject:    "spec: {targetRef: {kind: StatefulSet}}",
			wantField: "spec.targetRef.kind", wantSays: `supported values: "Deployment"`,
		},
		"the target's name leaves room for the names made from it": {
			accept:    "spec: {targetRef: {name: " + long(51) + "}}",
			reject:    "spec: {targetRef: {name: " + long(52) + "}}",
			wantField: "spec.targetRef.name", wantSays: "51",
		},
		"a target is required": {
			accept:    "spec: {targetRef: {name: a}}",
			reject:    "spec: {targetRef: null}",
			wantField: "spec.targetRef", wantSays: "Required",
		},
		"a Service's name has 63 characters at most": {
			accept:    "spec: {serviceRef: {name: " + long(63) + "}}",
			reject:    "spec: {serviceRef: {name: " + long(64) + "}}",
			wantField: "spec.serviceRef.name", wantSays: "63",
		},
		"a Service is required": {
			accept:    "spec: {serviceRef: {name: a}}",
			reject:    "spec: {serviceRef: null}",
			wantField: "spec.serviceRef", wantSays: "Required",
		},
		"only what has routes is a route": {
			accept:    "spec: {routeRefs: [{group: networking.istio.io, kind: VirtualService, name: a}]}",
			reject:    "spec: {routeRefs: [{group: networking.istio.io, kind: Gateway, name: a}]}",
			wantField: "spec.routeRefs[0]", wantSays: "kind must be HTTPRoute",
		},
		"at least one route": {
			accept:    "spec: {routeRefs: [{name: a, sectionName: pay}]}",
			reject:    "spec: {routeRefs: []}",
			wantField: "spec.routeRefs", wantSays: "at least 1 items",
		},
		"at most 16 routes": {
			accept:    "spec: {routeRefs: " + times(16, "{name: #}") + "}",
			reject:    "spec: {routeRefs: " + times(17, "{name: #}") + "}",
			wantField: "spec.routeRefs", wantSays: "16",
		},
		"at least one step": {
			accept:    "spec: {steps: [{weightPercent: 1}]}",
			reject:    "spec: {steps: []}",
			wantField: "spec.steps", wantSays: "at least 1 items",
		},
		"at most 32 steps": {
			accept:    "spec: {steps: " + times(32, "{weightPercent: 10}") + "}",
			reject:    "spec: {steps: " + times(33, "{weightPercent: 10}") + "}",
			wantField: "spec.steps", wantSays: "32",
		},
		"a step has a share of 1 or more": {
			accept:    "spec: {steps: [{weightPercent: 1, hold: true}]}",
			reject:    "spec: {steps: [{weightPercent: 0}]}",
			wantField: "spec.steps[0].weightPercent", wantSays: "greater than or equal to 1",
		},
		"a step has a share of 99 or less": {
			accept:    "spec: {steps: [{weightPercent: 99}]}",
			reject:    "spec: {steps: [{weightPercent: 100}]}",
			wantField: "spec.steps[0].weightPercent", wantSays: "less than or equal to 99",
		},
		"what happens at deletion is one of two": {
			accept:    "spec: {onDelete: TakeChange}",
			reject:    "spec: {onDelete: Ignore}",
			wantField: "spec.onDelete", wantSays: `"KeepStable", "TakeChange"`,
		},
		"the rollback window is not negative": {
			accept:    "spec: {rollbackWindow: 0}",
			reject:    "spec: {rollbackWindow: -1}",
			wantField: "spec.rollbackWindow", wantSays: "greater than or equal to 0",
		},
		"the rollback window is 10 at most": {
			accept:    "spec: {rollbackWindow: 10}",
			reject:    "spec: {rollbackWindow: 11}",
			wantField: "spec.rollbackWindow", wantSays: "less than or equal to 10",
		},
		"the canary has a pod": {
			accept:    "spec: {canary: {minReplicas: 1}}",
			reject:    "spec: {canary: {minReplicas: 0}}",
			wantField: "spec.canary.minReplicas", wantSays: "greater than or equal to 1",
		},
		"the canary has no more than 1000 pods of its own accord": {
			accept:    "spec: {canary: {minReplicas: 1000}}",
			reject:    "spec: {canary: {minReplicas: 1001}}",
			wantField: "spec.canary.minReplicas", wantSays: "less than or equal to 1000",
		},
		"a duration has whole numbers": {
			accept:    "spec: {canary: {keepFailedFor: 1h30m}}",
			reject:    "spec: {canary: {keepFailedFor: 1.5h}}",
			wantField: "spec.canary.keepFailedFor", wantSays: "should match",
		},
		"a label key has 317 characters at most": {
			accept:    "spec: {canary: {label: " + long(317) + "}}",
			reject:    "spec: {canary: {label: " + long(318) + "}}",
			wantField: "spec.canary.label", wantSays: "317",
		},
	} {
		t.Run(name, func(t *testing.T) { check(t, plainRelease, r) })
	}
}

func TestAnalysisRules(t *testing.T) {
	for name, r := range map[string]rule{
		"the risk of a false rollback is above 0%": {
			accept:    "spec: {analysis: {falseRollbackRisk: 0.0001%}}",
			reject:    "spec: {analysis: {falseRollbackRisk: 0.0%}}",
			wantField: "spec.analysis.falseRollbackRisk", wantSays: "must be above 0% and below 100%",
		},
		"the risk of a false rollback is below 100%": {
			accept:    "spec: {analysis: {falseRollbackRisk: 99.9999%}}",
			reject:    "spec: {analysis: {falseRollbackRisk: 100.0000%}}",
			wantField: "spec.analysis.falseRollbackRisk", wantSays: "must be above 0% and below 100%",
		},
		"the risk of a bad promotion is above 0%": {
			accept:    "spec: {analysis: {badPromotionRisk: 10%}}",
			reject:    "spec: {analysis: {badPromotionRisk: 0%}}",
			wantField: "spec.analysis.badPromotionRisk", wantSays: "must be above 0% and below 100%",
		},
		"a percentage has a sign": {
			accept:    "spec: {analysis: {warmupTolerance: 0.1%}}",
			reject:    `spec: {analysis: {warmupTolerance: "0.001"}}`,
			wantField: "spec.analysis.warmupTolerance", wantSays: "should match",
		},
		"a percentage is 100% at most": {
			accept:    "spec: {analysis: {warmupTolerance: 100%}}",
			reject:    "spec: {analysis: {warmupTolerance: 101%}}",
			wantField: "spec.analysis.warmupTolerance", wantSays: "should match",
		},
		"Prometheus is asked every second at most": {
			accept:    "spec: {analysis: {every: 1s}}",
			reject:    "spec: {analysis: {every: 999ms}}",
			wantField: "spec.analysis.every", wantSays: "must be 1s or longer",
		},
		"an endpoint has a name": {
			accept:    "spec: {analysis: {prometheus: " + long(63) + "}}",
			reject:    "spec: {analysis: {prometheus: " + long(64) + "}}",
			wantField: "spec.analysis.prometheus", wantSays: "63",
		},
		"what happens without a verdict is one of four": {
			accept:    "spec: {analysis: {onInconclusive: PromoteIfNoHarm}}",
			reject:    "spec: {analysis: {onInconclusive: Promote}}",
			wantField: "spec.analysis.onInconclusive", wantSays: `"Hold", "Extend", "Rollback", "PromoteIfNoHarm"`,
		},
		"nobody promotes without data": {
			accept:    "spec: {analysis: {onNoData: Rollback}}",
			reject:    "spec: {analysis: {onNoData: Promote}}",
			wantField: "spec.analysis.onNoData", wantSays: `"Hold", "Rollback"`,
		},
		"metrics, if there are any, are at least one": {
			accept:    "spec: {analysis: {metrics: [{name: e, signal: Errors}]}}",
			reject:    "spec: {analysis: {metrics: []}}",
			wantField: "spec.analysis.metrics", wantSays: "at least 1 items",
		},
		"metrics are 8 at most": {
			accept:    "spec: {analysis: {metrics: " + times(8, "{name: #, signal: Errors}") + "}}",
			reject:    "spec: {analysis: {metrics: " + times(9, "{name: #, signal: Errors}") + "}}",
			wantField: "spec.analysis.metrics", wantSays: "8",
		},
		"metrics have names of their own": {
			accept:    "spec: {analysis: {metrics: [{name: a, signal: Errors}, {name: b, signal: Errors}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, signal: Errors}, {name: a, signal: Errors}]}}",
			wantField: "spec.analysis.metrics[1]", wantSays: "Duplicate value",
		},
		"a metric is not both signal and counts": {
			accept:    "spec: {analysis: {metrics: [{name: a, counts: {bad: b, total: t}}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, signal: Errors, counts: {bad: b, total: t}}]}}",
			wantField: "spec.analysis.metrics[0]", wantSays: "give exactly one of signal (as the data plane sees it), counts, histogram or gauge",
		},
		"a metric is signal or counts": {
			accept:    "spec: {analysis: {metrics: [{name: a, signal: Errors}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a}]}}",
			wantField: "spec.analysis.metrics[0]", wantSays: "give exactly one of signal (as the data plane sees it), counts, histogram or gauge",
		},
		"latency needs to know what is slow": {
			accept:    "spec: {analysis: {metrics: [{name: a, signal: Latency, slowerThan: 250ms}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, signal: Latency}]}}",
			wantField: "spec.analysis.metrics[0]", wantSays: "signal Latency and histogram need exactly one of slowerThan, quantile or shape",
		},
		"errors are not slow": {
			accept:    "spec: {analysis: {metrics: [{name: a, signal: Errors}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, signal: Errors, slowerThan: 250ms}]}}",
			wantField: "spec.analysis.metrics[0]", wantSays: "signal Latency and histogram need exactly one of slowerThan, quantile or shape",
		},
		"a signal is known": {
			accept:    "spec: {analysis: {metrics: [{name: a, signal: Errors}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, signal: Saturation}]}}",
			wantField: "spec.analysis.metrics[0].signal", wantSays: `"Errors", "Latency"`,
		},
		"counts are a pair": {
			accept:    "spec: {analysis: {metrics: [{name: a, counts: {bad: b, total: t}}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, counts: {bad: b}}]}}",
			wantField: "spec.analysis.metrics[0].counts.total", wantSays: "Required",
		},
		"a selector has 512 characters at most": {
			accept:    "spec: {analysis: {metrics: [{name: a, counts: {bad: b, total: " + long(512) + "}}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, counts: {bad: b, total: " + long(513) + "}}]}}",
			wantField: "spec.analysis.metrics[0].counts.total", wantSays: "512",
		},
		"a metric's name has 63 characters at most": {
			accept:    "spec: {analysis: {metrics: [{signal: Errors, name: " + long(63) + "}]}}",
			reject:    "spec: {analysis: {metrics: [{signal: Errors, name: " + long(64) + "}]}}",
			wantField: "spec.analysis.metrics[0].name", wantSays: "63",
		},
		"every metric matters": {
			accept:    "spec: {analysis: {metrics: [{name: a, signal: Errors, importance: 1}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, signal: Errors, importance: 0}]}}",
			wantField: "spec.analysis.metrics[0].importance", wantSays: "greater than or equal to 1",
		},
		"importance is 100 at most": {
			accept:    "spec: {analysis: {metrics: [{name: a, signal: Errors, importance: 100}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, signal: Errors, importance: 101}]}}",
			wantField: "spec.analysis.metrics[0].importance", wantSays: "less than or equal to 100",
		},
		"a limit of 0% is not no limit": {
			accept:    "spec: {analysis: {metrics: [{name: a, signal: Errors, limit: 2%}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, signal: Errors, limit: 0%}]}}",
			wantField: "spec.analysis.metrics[0].limit", wantSays: "leave it out where there is none",
		},
		"what follows from evidence is one of three": {
			accept:    "spec: {analysis: {mode: AA}}",
			reject:    "spec: {analysis: {mode: Watch}}",
			wantField: "spec.analysis.mode", wantSays: `"Enforce", "Observe", "AA"`,
		},
		"what becomes of one bad pod is one of three": {
			accept:    "spec: {analysis: {oneBadPod: ReplacePod}}",
			reject:    "spec: {analysis: {oneBadPod: Ignore}}",
			wantField: "spec.analysis.oneBadPod", wantSays: `"Hold", "ReplacePod", "Rollback"`,
		},
		"latency is judged in one way": {
			accept:    "spec: {analysis: {metrics: [{name: a, signal: Latency, quantile: 99%}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, signal: Latency, quantile: 99%, slowerThan: 1s}]}}",
			wantField: "spec.analysis.metrics[0]", wantSays: "need exactly one of slowerThan, quantile or shape",
		},
		"a histogram is judged in one way": {
			accept:    "spec: {analysis: {metrics: [{name: a, histogram: {selector: s}, shape: true}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, histogram: {selector: s}}]}}",
			wantField: "spec.analysis.metrics[0]", wantSays: "need exactly one of slowerThan, quantile or shape",
		},
		"a histogram is not counts": {
			accept:    "spec: {analysis: {metrics: [{name: a, histogram: {selector: s, type: Native, unit: Milliseconds}, slowerThan: 100ms}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, histogram: {selector: s}, counts: {bad: b, total: t}, slowerThan: 100ms}]}}",
			wantField: "spec.analysis.metrics[0]", wantSays: "give exactly one of signal",
		},
		"a histogram has a selector": {
			accept:    "spec: {analysis: {metrics: [{name: a, histogram: {selector: s}, shape: true}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, histogram: {type: Native}, shape: true}]}}",
			wantField: "spec.analysis.metrics[0].histogram.selector", wantSays: "Required",
		},
		"a histogram is classic or native": {
			accept:    "spec: {analysis: {metrics: [{name: a, histogram: {selector: s, type: Classic}, shape: true}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, histogram: {selector: s, type: Summary}, shape: true}]}}",
			wantField: "spec.analysis.metrics[0].histogram.type", wantSays: `"Classic", "Native"`,
		},
		"a histogram is in a unit of time": {
			accept:    "spec: {analysis: {metrics: [{name: a, histogram: {selector: s, unit: Seconds}, shape: true}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, histogram: {selector: s, unit: Bytes}, shape: true}]}}",
			wantField: "spec.analysis.metrics[0].histogram.unit", wantSays: `"Seconds", "Milliseconds"`,
		},
		"a slowdown is a quantile's": {
			accept:    "spec: {analysis: {metrics: [{name: a, signal: Latency, quantile: 99%, slowdown: 20%}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, signal: Latency, slowerThan: 1s, slowdown: 20%}]}}",
			wantField: "spec.analysis.metrics[0]", wantSays: "slowdown belongs to quantile",
		},
		"a quantile is below 100%": {
			accept:    "spec: {analysis: {metrics: [{name: a, signal: Latency, quantile: 99.9%}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, signal: Latency, quantile: 100%}]}}",
			wantField: "spec.analysis.metrics[0].quantile", wantSays: "quantile: must be above 0% and below 100%",
		},
		"a quantile is above 0%": {
			accept:    "spec: {analysis: {metrics: [{name: a, signal: Latency, quantile: 0.1%}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, signal: Latency, quantile: 0%}]}}",
			wantField: "spec.analysis.metrics[0].quantile", wantSays: "quantile: must be above 0% and below 100%",
		},
		"a quantile tolerates its slowdown": {
			accept:    "spec: {analysis: {metrics: [{name: a, signal: Latency, quantile: 99%}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, signal: Latency, quantile: 99%, tolerate: {absolute: 1%}}]}}",
			wantField: "spec.analysis.metrics[0]", wantSays: "set slowdown and remove tolerate",
		},
		"a shape that is not wanted is left out": {
			accept:    "spec: {analysis: {metrics: [{name: a, signal: Latency, shape: true}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, signal: Latency, shape: false}]}}",
			wantField: "spec.analysis.metrics[0].shape", wantSays: "set it to true, or leave it out",
		},
		"a whole distribution has no limit": {
			accept:    "spec: {analysis: {metrics: [{name: a, signal: Latency, slowerThan: 1s, limit: 5%}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, signal: Latency, shape: true, limit: 5%}]}}",
			wantField: "spec.analysis.metrics[0]", wantSays: "a limit is a share of requests",
		},
		"a gauge has no limit": {
			accept:    "spec: {analysis: {metrics: [{name: a, gauge: {selector: s}}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, gauge: {selector: s}, limit: 5%}]}}",
			wantField: "spec.analysis.metrics[0]", wantSays: "a limit is a share of requests",
		},
		"a gauge has no points": {
			accept:    "spec: {analysis: {metrics: [{name: a, gauge: {selector: s, worseWhen: Lower}, tolerate: {relative: 20%}}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, gauge: {selector: s}, tolerate: {absolute: 1%}}]}}",
			wantField: "spec.analysis.metrics[0]", wantSays: "give tolerate.relative alone",
		},
		"a gauge has a selector": {
			accept:    "spec: {analysis: {metrics: [{name: a, gauge: {selector: s}}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, gauge: {worseWhen: Lower}}]}}",
			wantField: "spec.analysis.metrics[0].gauge.selector", wantSays: "Required",
		},
		"a gauge gets worse in one of two ways": {
			accept:    "spec: {analysis: {metrics: [{name: a, gauge: {selector: s, worseWhen: Higher}}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, gauge: {selector: s, worseWhen: Up}}]}}",
			wantField: "spec.analysis.metrics[0].gauge.worseWhen", wantSays: `"Higher", "Lower"`,
		},
		"counts are of the bad or of the good": {
			accept:    "spec: {analysis: {metrics: [{name: a, counts: {good: g, total: t}}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, counts: {good: g, bad: b, total: t}}]}}",
			wantField: "spec.analysis.metrics[0].counts", wantSays: "give either bad (more of it is worse) or good",
		},
		"something good must be left": {
			accept:    "spec: {analysis: {metrics: [{name: a, counts: {good: g, total: t}, tolerate: {relative: 99%}}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, counts: {good: g, total: t}, tolerate: {relative: 100%}}]}}",
			wantField: "spec.analysis.metrics[0]", wantSays: "accepts that nothing good is left",
		},
		"a tolerance says something": {
			accept:    "spec: {analysis: {metrics: [{name: a, signal: Errors, tolerate: {absolute: 1%}}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, signal: Errors, tolerate: {}}]}}",
			wantField: "spec.analysis.metrics[0].tolerate", wantSays: "at least 1 properties",
		},
		"tolerance is a percentage": {
			accept:    "spec: {analysis: {metrics: [{name: a, signal: Errors, tolerate: {relative: 20%}}]}}",
			reject:    "spec: {analysis: {metrics: [{name: a, signal: Errors, tolerate: {relative: much}}]}}",
			wantField: "spec.analysis.metrics[0].tolerate.relative", wantSays: "should match",
		},
	} {
		t.Run(name, func(t *testing.T) { check(t, plainRelease, r) })
	}
}

func TestCanaryReleaseDefaults(t *testing.T) {
	canary := v1alpha1.CanarySpec{MinReplicas: 2, KeepFailedFor: "1h"}
	analysis := v1alpha1.AnalysisSpec{
		Mode:              v1alpha1.ModeEnforce,
		Prometheus:        "default",
		FalseRollbackRisk: "5%",
		BadPromotionRisk:  "5%",
		Every:             "10s",
		Warmup:            "60s",
		WarmupTolerance:   "5%",
		MinStepDuration:   "1m",
		MaxDuration:       "2h",
		OnInconclusive:    v1alpha1.InconclusiveHold,
		OnNoData:          v1alpha1.NoDataHold,
		OneBadPod:         v1alpha1.OneBadPodHold,
	}
	one, whole := int32(1), true
	spec := v1alpha1.CanaryReleaseSpec{
		TargetRef:      v1alpha1.TargetReference{Kind: v1alpha1.TargetDeployment, Name: "checkout"},
		ServiceRef:     v1alpha1.ServiceReference{Name: "checkout"},
		RouteRefs:      []v1alpha1.RouteReference{{Group: new("gateway.networking.k8s.io"), Kind: "HTTPRoute", Name: "checkout", DataPlane: "Auto"}},
		Steps:          []v1alpha1.Step{{WeightPercent: 10}},
		Canary:         canary,
		Analysis:       analysis,
		OnDelete:       v1alpha1.DeletionKeepStable,
		RollbackWindow: &one,
	}
	judged := analysis
	judged.Metrics = []v1alpha1.Metric{
		{Name: "a", Histogram: v1alpha1.Histogram{Selector: "s", Type: v1alpha1.HistogramClassic, Unit: v1alpha1.UnitSeconds}, Shape: &whole, Importance: 1},
		{Name: "b", Gauge: v1alpha1.Gauge{Selector: "s", WorseWhen: v1alpha1.WorseWhenHigher}, Importance: 1},
	}
	withMetrics := spec
	withMetrics.Analysis = judged

	for name, test := range map[string]struct {
		patch string
		want  v1alpha1.CanaryReleaseSpec
	}{
		"what is not said has its default":    {patch: "{}", want: spec},
		"empty is the same as not said":       {patch: "spec: {canary: {}, analysis: {}}", want: spec},
		"the parts of a metric have theirs":   {patch: "spec: {analysis: {metrics: [{name: a, histogram: {selector: s}, shape: true}, {name: b, gauge: {selector: s}}]}}", want: withMetrics},
		"a default gives way to what is said": {patch: "spec: {canary: {minReplicas: 2}, analysis: {onNoData: Hold}}", want: spec},
	} {
		t.Run(name, func(t *testing.T) {
			var typed v1alpha1.CanaryRelease
			stored(t, plainRelease, test.patch, &typed)
			if diff := cmp.Diff(test.want, typed.Spec); diff != "" {
				t.Errorf("spec as stored (-want +got):\n%s", diff)
			}
		})
	}
}
