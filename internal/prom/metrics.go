package prom

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the sampler's own. Labels are names from the operator's configuration and a closed set of causes.
type metrics struct {
	duration *prometheus.HistogramVec
	failures *prometheus.CounterVec
	batch    *prometheus.HistogramVec
}

func newMetrics() metrics {
	return metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "slipway_prometheus_query_duration_seconds",
			Help:    "How long queries to a Prometheus endpoint take, the failed ones included.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"endpoint"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "slipway_prometheus_query_failures_total",
			Help: "Queries to a Prometheus endpoint that gave no usable answer, by cause.",
		}, []string{"endpoint", "cause"}),
		batch: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "slipway_prometheus_query_releases",
			Help:    "How many releases share a query.",
			Buckets: []float64{1, 2, 5, 10, 20, 50, 100, 200, 500},
		}, []string{"endpoint"}),
	}
}

// observe counts one query.
func (m metrics) observe(endpoint string, took time.Duration, releases int, err error) {
	m.duration.WithLabelValues(endpoint).Observe(took.Seconds())
	m.batch.WithLabelValues(endpoint).Observe(float64(releases))
	if err != nil {
		m.failures.WithLabelValues(endpoint, string(causeOf(err))).Inc()
	}
}

func causeOf(err error) cause {
	if q, ok := errors.AsType[*queryError](err); ok {
		return q.cause
	}
	return causeMalformed
}

// Describe describes the sampler's metrics.
func (s *Sampler) Describe(ch chan<- *prometheus.Desc) {
	s.metrics.duration.Describe(ch)
	s.metrics.failures.Describe(ch)
	s.metrics.batch.Describe(ch)
}

// Collect gives the sampler's metrics.
func (s *Sampler) Collect(ch chan<- prometheus.Metric) {
	s.metrics.duration.Collect(ch)
	s.metrics.failures.Collect(ch)
	s.metrics.batch.Collect(ch)
}
