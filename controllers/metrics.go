package controllers

import (
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/internal/hearing"
	"slipway.dev/slipway/internal/release"
)

// Metrics are the operator's own about releases. A release's series end with it.
type Metrics struct {
	stage     *prometheus.GaugeVec
	weight    *prometheus.GaugeVec
	evidence  *prometheus.GaugeVec
	decisions *prometheus.CounterVec
	detection prometheus.Histogram

	metricEvidence, bad, noise, needed *prometheus.GaugeVec

	mu     sync.Mutex
	stages map[types.NamespacedName]string
	// judged are the names of the metrics that have series.
	judged map[types.NamespacedName]map[string]bool
}

// NewMetrics registers the metrics of releases.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		stage: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "slipway_release_stage", Help: "1 for the stage that a release is in.",
		}, []string{"namespace", "release", "stage"}),
		weight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "slipway_release_canary_weight_ratio", Help: "The canary's share of the traffic as it is asked for, from 0 to 1.",
		}, []string{"namespace", "release"}),
		evidence: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "slipway_release_evidence_ratio", Help: "How far harm and health are proven, from 0 to 1, on a log scale.",
		}, []string{"namespace", "release", "of"}),
		detection: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "slipway_release_detection_seconds",
			Help:    "From the last scrape that harm was proven by to the write that takes users off.",
			Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "slipway_release_decisions_total", Help: "Changes of stage, by the reason for them.",
		}, []string{"reason"}),
		metricEvidence: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "slipway_release_metric_evidence", Help: "Evidence of harm and of health by metric; it proves at one over its part of the risk.",
		}, []string{"namespace", "release", "metric", "of"}),
		bad: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "slipway_release_metric_bad_ratio", Help: "The share of bad requests in the present step, by metric and arm.",
		}, []string{"namespace", "release", "metric", "arm"}),
		noise: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "slipway_release_metric_noise_ratio", Help: "How many times rougher than independent requests the traffic is.",
		}, []string{"namespace", "release", "metric"}),
		needed: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "slipway_release_metric_requests_needed", Help: "About how many more canary requests the present step needs; +Inf where it cannot be expected to get there.",
		}, []string{"namespace", "release", "metric"}),
		stages: map[types.NamespacedName]string{},
		judged: map[types.NamespacedName]map[string]bool{},
	}
	reg.MustRegister(m.stage, m.weight, m.evidence, m.decisions, m.detection, m.metricEvidence, m.bad, m.noise, m.needed)
	return m
}

// Observe takes over where a release stands.
func (m *Metrics) Observe(w *world, d release.Decision) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key, stage := w.key(), stageName(d.Next.Stage)
	m.weight.WithLabelValues(key.Namespace, key.Name).Set(float64(d.Want.Shares.Canary) / float64(release.Million))
	if m.stages[key] == stage {
		return
	}
	if was, ok := m.stages[key]; ok {
		m.stage.DeleteLabelValues(key.Namespace, key.Name, was)
		m.decisions.WithLabelValues(string(d.Reason)).Inc()
	}
	m.stage.WithLabelValues(key.Namespace, key.Name, stage).Set(1)
	m.stages[key] = stage
}

// Evidence takes over how far harm and health are proven, and the numbers of each metric. Those of a metric that is no
// longer judged end.
func (m *Metrics) Evidence(key types.NamespacedName, last hearing.Assessment) {
	m.evidence.WithLabelValues(key.Namespace, key.Name, "harm").Set(last.HarmProgress)
	m.evidence.WithLabelValues(key.Namespace, key.Name, "health").Set(last.PromoteProgress)
	m.ended(key, last)
	for i := range last.ByMetric {
		one := &last.ByMetric[i]
		at := []string{key.Namespace, key.Name, one.UserName}
		m.metricEvidence.WithLabelValues(append(at, "harm")...).Set(math.Exp(min(max(one.LogHarm, one.LogLimit), mostLog)))
		m.metricEvidence.WithLabelValues(append(at, "health")...).Set(math.Exp(min(one.LogPromote, mostLog)))
		m.noise.WithLabelValues(at...).Set(one.Noise)
		if one.Measure.Kind == hearing.Gauge {
			continue
		}
		m.bad.WithLabelValues(append(at, "canary")...).Set(one.Canary.Rate())
		m.bad.WithLabelValues(append(at, "stable")...).Set(one.Stable.Rate())
		m.needed.WithLabelValues(at...).Set(one.CanaryRequestsNeeded)
	}
}

// mostLog keeps evidence that is over any measure finite.
const mostLog = 700

// ended ends the series of metrics that are not judged now.
func (m *Metrics) ended(key types.NamespacedName, last hearing.Assessment) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := map[string]bool{}
	for i := range last.ByMetric {
		now[last.ByMetric[i].UserName] = true
	}
	for name := range m.judged[key] {
		if !now[name] {
			m.forgetMetric(prometheus.Labels{"namespace": key.Namespace, "release": key.Name, "metric": name})
		}
	}
	m.judged[key] = now
}

func (m *Metrics) forgetMetric(labels prometheus.Labels) {
	for _, vec := range []*prometheus.GaugeVec{m.metricEvidence, m.bad, m.noise, m.needed} {
		vec.DeletePartialMatch(labels)
	}
}

// Detected takes over how long it took from a scrape to the write that takes users off.
func (m *Metrics) Detected(took time.Duration) { m.detection.Observe(took.Seconds()) }

// Forget ends the series of a release that is gone.
func (m *Metrics) Forget(key types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.weight.DeleteLabelValues(key.Namespace, key.Name)
	m.evidence.DeletePartialMatch(prometheus.Labels{"namespace": key.Namespace, "release": key.Name})
	m.stage.DeletePartialMatch(prometheus.Labels{"namespace": key.Namespace, "release": key.Name})
	m.forgetMetric(prometheus.Labels{"namespace": key.Namespace, "release": key.Name})
	delete(m.stages, key)
	delete(m.judged, key)
}
