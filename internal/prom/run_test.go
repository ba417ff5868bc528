package prom

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

var (
	_ manager.Runnable               = (*Sampler)(nil)
	_ manager.LeaderElectionRunnable = (*Sampler)(nil)
	_ prometheus.Collector           = (*Sampler)(nil)
)

func TestAServerThatHangsBlocksNoCaller(t *testing.T) {
	asked, hang := make(chan struct{}, 100), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-hang
	}))
	defer server.Close()
	defer close(hang)
	b := newBench(t)
	s, err := New(Config{Endpoints: []Endpoint{{Name: "default", URL: server.URL, Timeout: time.Minute}}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Start(ctx) }()
	key, w := b.release(t, "checkout")
	s.Watch(key, w)
	<-asked // the query is under way
	s.Watch(key, w)
	s.Take(key)
	s.Again(key)
	s.Forget(key)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Start returned %v", err)
	}
}

func TestARealRun(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("query") == "time()" {
			_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"scalar","result":[1700000004.7,"1700000004.7"]}}`))
			return
		}
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{` +
			`"__name__":"envoy_cluster_upstream_rq","envoy_cluster_name":"service/shop/checkout/80/http","envoy_response_code":"200"},` +
			`"values":[[1700000000.593,"5"],[1700000002.593,"9"]]}]}}`))
	}))
	defer server.Close()
	b := newBench(t)
	told := make(chan types.NamespacedName, 100)
	s, err := New(Config{Endpoints: []Endpoint{{Name: "default", URL: server.URL, Timeout: time.Minute}}},
		Options{Notify: func(k types.NamespacedName) { told <- k }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = s.Start(ctx) }()
	key, w := b.release(t, "checkout")
	s.Watch(key, w)
	if got := <-told; got != key {
		t.Errorf("told of %s, want %s", got, key)
	}
	r := s.Take(key)
	if len(r.Looks) != 1 || len(r.Looks[0].Metrics[0].Stable) != 1 || r.Looks[0].Metrics[0].Stable[0].Requests != 4 {
		t.Errorf("looks %v, want one of 4 requests", r.Looks)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(s)
	if _, err := registry.Gather(); err != nil {
		t.Error(err)
	}
}
