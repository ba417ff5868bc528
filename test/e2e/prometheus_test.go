package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
)

// fragileEndpoint is the name of that way to Prometheus in the operator's configuration.
const fragileEndpoint = "fragile"

// fragilePrometheus hands queries on to the cluster's Prometheus, for as long as a scenario lets it. So Prometheus can be away
// for one scenario and there for all others.
type fragilePrometheus struct {
	url  string
	away atomic.Int32
}

// The ways of being away.
const (
	there int32 = iota
	silent
	refusing
)

func openFragilePrometheus(ctx context.Context, c *cluster) (*fragilePrometheus, error) {
	service := &corev1.Service{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: "monitoring", Name: "prometheus"}, service); err != nil {
		return nil, fmt.Errorf("find Prometheus: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(c.node, "0"))
	if err != nil {
		return nil, fmt.Errorf("open a way to Prometheus: %w", err)
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{
		Scheme: "http", Host: net.JoinHostPort(service.Spec.ClusterIP, fmt.Sprint(service.Spec.Ports[0].Port)),
	})
	f := &fragilePrometheus{url: "http://" + listener.Addr().String()}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch f.away.Load() {
		case silent:
			<-r.Context().Done()
		case refusing:
			panic(http.ErrAbortHandler)
		default:
			proxy.ServeHTTP(w, r)
		}
	})}
	// It ends with the process.
	go func() { _ = server.Serve(listener) }()
	return f, nil
}

// configureEndpoint puts the fragile way into the operator's configuration, beside what is there.
func (c *cluster) configureEndpoint(ctx context.Context) error {
	object := &corev1.ConfigMap{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: "slipway-config"}, object); err != nil {
		return fmt.Errorf("find the operator's configuration: %w", err)
	}
	type endpoint struct {
		Name    string `json:"name"`
		URL     string `json:"url"`
		Timeout string `json:"timeout"`
	}
	var config struct {
		Prometheus struct {
			Endpoints []endpoint `json:"endpoints"`
		} `json:"prometheus"`
	}
	if err := yaml.UnmarshalStrict([]byte(object.Data["config.yaml"]), &config); err != nil {
		return fmt.Errorf("read the operator's configuration: %w", err)
	}
	kept := config.Prometheus.Endpoints[:0]
	for _, one := range config.Prometheus.Endpoints {
		if one.Name != fragileEndpoint {
			kept = append(kept, one)
		}
	}
	kept = append(kept, endpoint{Name: fragileEndpoint, URL: c.fragile.url, Timeout: "5s"})
	config.Prometheus.Endpoints = kept
	text, err := yaml.Marshal(config)
	if err != nil {
		return err
	}
	before := object.DeepCopy()
	object.Data["config.yaml"] = string(text)
	if err := c.Patch(ctx, object, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("configure the operator: %w", err)
	}
	return nil
}

// Prometheus is away for a minute in the midst of a step: first it does not answer, then it cannot be reached. Neither a
// good release nor a bad one moves, and both say why; when it is back both go on, each its own way.
func prometheusAway(tb testing.TB) {
	const away = time.Minute
	fragile := plan{analysis: fmt.Sprintf(`{every: 2s, warmup: 5s, minStepDuration: 3s, prometheus: %s, metrics: %s}`, fragileEndpoint, looseMetrics)}
	fine, bad := &scene{}, &scene{}
	atOnce(tb,
		func() { fine = newScene(tb, setting{rate: 80}); fine.adopt(fragile) },
		func() { bad = newScene(tb, setting{rate: 80}); bad.adopt(fragile) },
	)
	fine.push(good("v2"))
	fine.awaitStage("Judging")
	defer shared.fragile.away.Store(there)
	shared.fragile.away.Store(silent)
	since := time.Now()
	bad.push(failing("v2", "30"))
	fine.awaitReason(usual/2, v1alpha1.ReasonNoData)
	shared.fragile.away.Store(refusing)
	bad.awaitReason(usual, v1alpha1.ReasonNoData)
	for _, s := range []*scene{fine, bad} {
		tb.Logf("while Prometheus is away: %s", describe(s.current()))
	}
	fine.within(away-time.Since(since), func() (bool, string) { return false, "" })
	for _, s := range []*scene{fine, bad} {
		cr := s.current()
		if cr.Status.Stage != "Judging" || cr.Status.Step != "1/2" || cr.Status.Weight != "20%" || reason(cr) != v1alpha1.ReasonNoData {
			s.Errorf("without evidence it moved, or does not say what is missing: %s", describe(cr))
		}
		s.wantNeverLeft("1/2")
	}
	shared.fragile.away.Store(there)
	atOnce(tb,
		func() {
			fine.awaitPromoted()
			fine.wantStepsNeverBack()
			fine.wantNoHarm()
		},
		func() {
			bad.awaitRolledBack(v1alpha1.ReasonHarmProven)
			bad.wantCleanedUp()
			bad.wantTemplates("v1")
			bad.wantNoHarm("v2")
		},
	)
}

// wantNeverLeft says that the present release has not been at any step but one.
func (s *scene) wantNeverLeft(step string) {
	s.Helper()
	for _, e := range s.states() {
		if have := e.object.Status.Step; have != "" && have != step {
			s.Errorf("step %s was left: %s", step, describe(e.object))
		}
	}
}
