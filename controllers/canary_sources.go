package controllers

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/analysis"
	"slipway.dev/slipway/internal/prom"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/telemetry"
	"slipway.dev/slipway/internal/telemetry/application"
	"slipway.dev/slipway/internal/telemetry/envoy"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

// findSources says where the release's metrics come from, or what stands against measuring them.
func (r *CanaryReconciler) findSources(ctx context.Context, w *world) error {
	name := w.cr.Spec.Analysis.Prometheus
	if name == "" {
		name = "default"
	}
	if !slices.Contains(r.Endpoints, name) {
		w.refuse(v1alpha1.ReasonPrometheusNotConfigured, fmt.Sprintf("spec.analysis.prometheus: %q is not an endpoint of the operator's configuration, which has: %s; name one of them, or have it added there",
			name, strings.Join(r.Endpoints, ", ")))
		return nil
	}
	w.sources = sources{endpoint: name, every: everyOf(w.cr)}
	clusters, err := r.clustersOf(ctx, w)
	if err != nil || len(w.refusals) > 0 {
		return err
	}
	for i, m := range analysis.Metrics(w.cr.Spec.Analysis) {
		query, err := w.queryOf(m, clusters)
		if err != nil {
			w.refuse(release.Refused, fmt.Sprintf("spec.analysis.metrics[%d] (%s): %s", i, m.Name, err))
			continue
		}
		w.sources.metrics = append(w.sources.metrics, prom.MetricWatch{Name: m.Name, Query: query})
		if unit := query.SlowerThan().Unit; unit != "" && i < len(w.terms.Measures) {
			w.terms.Measures[i].Unit = unit // who measures says in what
		}
	}
	if len(w.sources.metrics) != len(analysis.Metrics(w.cr.Spec.Analysis)) {
		w.sources.metrics = nil
	}
	return nil
}

// clustersOf gives the Envoy clusters that count the traffic of each backend, over all routes of the release.
func (r *CanaryReconciler) clustersOf(ctx context.Context, w *world) (map[string][]string, error) {
	all := map[string][]string{}
	split := &v1alpha1.TrafficSplit{ObjectMeta: metav1.ObjectMeta{Namespace: w.cr.Namespace, Name: w.cr.Name}}
	split.Spec = splitSpec(w, release.Shares{Stable: release.Million - release.Feather, Canary: release.Feather})
	for i, ref := range w.cr.Spec.RouteRefs {
		route, err := readUntyped(ctx, r.Client, httpRouteKind, types.NamespacedName{Namespace: w.cr.Namespace, Name: ref.Name})
		if err != nil {
			return nil, err
		}
		if problem := routeProblem(route, w.cr, ref); problem != "" {
			w.refuse(v1alpha1.ReasonRouteNotFound, fmt.Sprintf("spec.routeRefs[%d]: %s", i, problem))
			return nil, nil
		}
		if !needsArms(w.cr) {
			continue
		}
		arms, err := ArmsOf(ctx, r.Client, split, ref)
		if err != nil {
			return nil, err
		}
		if arms.Why != "" {
			w.refuse(v1alpha1.ReasonArmsNotMeasurable, fmt.Sprintf("spec.routeRefs[%d]: %s", i, arms.Why))
			return nil, nil
		}
		for backend, clusters := range arms.Clusters {
			all[backend] = append(all[backend], clusters...)
		}
	}
	for backend := range all {
		slices.Sort(all[backend])
		all[backend] = slices.Compact(all[backend])
	}
	return all, nil
}

// routeProblem says why a route cannot carry the release; empty when it can.
func routeProblem(route *unstructured.Unstructured, cr *v1alpha1.CanaryRelease, ref v1alpha1.RouteReference) string {
	if route == nil {
		return fmt.Sprintf("there is no HTTPRoute %q in this namespace; correct the name or create it", ref.Name)
	}
	if gatewayapi.Sends(route, traffic.Split{Name: cr.Name, Service: cr.Spec.ServiceRef.Name, SectionName: ref.SectionName}) {
		return ""
	}
	if ref.SectionName != "" {
		return fmt.Sprintf("rule %q of HTTPRoute %q does not send to Service %q; name the Service in its backendRefs or correct sectionName", ref.SectionName, ref.Name, cr.Spec.ServiceRef.Name)
	}
	return fmt.Sprintf("no rule of HTTPRoute %q sends to Service %q; name it in backendRefs or correct spec.serviceRef", ref.Name, cr.Spec.ServiceRef.Name)
}

// needsArms says that something is measured by the data plane.
func needsArms(cr *v1alpha1.CanaryRelease) bool {
	return slices.ContainsFunc(analysis.Metrics(cr.Spec.Analysis), func(m v1alpha1.Metric) bool { return m.Signal != "" })
}

func (w *world) queryOf(m v1alpha1.Metric, clusters map[string][]string) (telemetry.Query, error) {
	switch {
	case m.Counts.Total != "":
		return within("counts", w.podsOfArms(), func(arms application.Arms) (telemetry.Query, error) {
			return application.Query(application.Pair{Bad: m.Counts.Bad, Good: m.Counts.Good, Total: m.Counts.Total}, arms)
		})
	case m.Histogram.Selector != "":
		return w.histogramQuery(m)
	case m.Gauge.Selector != "":
		return within("gauge", w.podsOfArms(), func(arms application.Arms) (telemetry.Query, error) {
			return application.GaugeQuery(m.Gauge.Selector, arms)
		})
	}
	ask := telemetry.Ask{
		Signal: telemetry.Errors, Canary: clusters[w.twinName()], Stable: clusters[w.cr.Spec.ServiceRef.Name],
	}
	if m.Signal == v1alpha1.SignalLatency {
		slow, err := analysis.Duration("slowerThan", m.SlowerThan, 0)
		if err != nil {
			return nil, err
		}
		ask.Signal, ask.SlowerThan, ask.Whole = telemetry.Latency, slow, analysis.Whole(m)
	}
	return envoy.Dialect{}.Query(ask)
}

// within names the field of the metric that an error is about.
func within(field string, arms application.Arms, query func(application.Arms) (telemetry.Query, error)) (telemetry.Query, error) {
	q, err := query(arms)
	if err != nil {
		return nil, fmt.Errorf("%s.%w", field, err)
	}
	return q, nil
}

func (w *world) histogramQuery(m v1alpha1.Metric) (telemetry.Query, error) {
	slow, err := analysis.Duration("slowerThan", m.SlowerThan, 0)
	if err != nil {
		return nil, err
	}
	unit := analysis.UnitOf(m)
	return within("histogram", w.podsOfArms(), func(arms application.Arms) (telemetry.Query, error) {
		return application.HistogramQuery(application.Histogram{
			Selector: m.Histogram.Selector, Native: m.Histogram.Type == v1alpha1.HistogramNative,
			SlowerThan: telemetry.Boundary{Value: analysis.InUnit(slow, unit), Unit: unit, Whole: analysis.Whole(m)},
		}, arms)
	})
}

// podsOfArms tells the arms' pods by the names that their ReplicaSets give them. While a promotion rolls, the new pods of
// stable are in neither arm.
func (w *world) podsOfArms() application.Arms {
	arms := application.Arms{Namespace: w.cr.Namespace}
	arms.Canary.Pattern = regexp.QuoteMeta(w.twinName()) + "-[a-z0-9]+-[a-z0-9]+"
	for _, pod := range w.pods {
		arms.Canary.Listed = append(arms.Canary.Listed, application.Pod{Name: pod.Name, Started: ptr.Deref(pod.Status.StartTime, pod.CreationTimestamp).Time})
	}
	if w.stable != nil {
		arms.Stable.Pattern = regexp.QuoteMeta(w.stable.Name) + "-[a-z0-9]+"
	}
	return arms
}
