package controllers

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/internal/release"
)

// Metrics are the operator's own about releases. A release's series end with it.
type Metrics struct {
	stage     *prometheus.GaugeVec
	weight    *prometheus.GaugeVec
	evidence  *prometheus.GaugeVec
	decisions *prometheus.CounterVec
	detection prometheus.Histogram

	mu     sync.Mutex
	stages map[types.NamespacedName]string
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
		stages: map[types.NamespacedName]string{},
	}
	reg.MustRegister(m.stage, m.weight, m.evidence, m.decisions, m.detection)
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

// Evidence takes over how far harm and health are proven.
func (m *Metrics) Evidence(key types.NamespacedName, harm, health float64) {
	m.evidence.WithLabelValues(key.Namespace, key.Name, "harm").Set(harm)
	m.evidence.WithLabelValues(key.Namespace, key.Name, "health").Set(health)
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
	delete(m.stages, key)
}
