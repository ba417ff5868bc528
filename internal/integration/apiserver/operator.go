package apiserver

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"slipway.dev/slipway/controllers"
	"slipway.dev/slipway/internal/prom"
	"slipway.dev/slipway/internal/store"
)

// Start runs some controllers until the test ends, for one namespace, or for all of them when it is empty.
func (s *Server) Start(t *testing.T, namespace string, setups ...func(ctrl.Manager, *rest.Config) error) {
	t.Helper()
	s.StartAs(t, s.ConfigAs(Operator, Masters), namespace, setups...)
}

// StartAs is Start with rights of one's own.
func (s *Server) StartAs(t *testing.T, config *rest.Config, namespace string, setups ...func(ctrl.Manager, *rest.Config) error) {
	t.Helper()
	options := ctrl.Options{
		Scheme: s.Scheme, Metrics: metricsserver.Options{BindAddress: "0"},
		// Tests of one process run the same controllers beside each other.
		Controller: ctrlconfig.Controller{SkipNameValidation: new(true)},
	}
	if namespace != "" {
		options.Cache.DefaultNamespaces = map[string]cache.Config{namespace: {}}
	}
	mgr, err := ctrl.NewManager(config, options)
	if err != nil {
		t.Fatal(err)
	}
	for _, setup := range setups {
		if err := setup(mgr, config); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the operator ended with: %v", err)
		}
	})
	if !mgr.GetCache().WaitForCacheSync(t.Context()) {
		t.Fatal("caches did not fill")
	}
}

// Traffic is the part of the operator that writes routes.
func Traffic(mgr ctrl.Manager, _ *rest.Config) error {
	return controllers.SetupTraffic(context.Background(), mgr, controllers.TrafficOptions{})
}

// Releases is the part that runs releases, with one Prometheus configured, "default", that nobody can reach.
func Releases(mgr ctrl.Manager, config *rest.Config) error {
	sampler, err := prom.New(prom.Config{}, prom.Options{})
	if err != nil {
		return err
	}
	discover, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	releases := &controllers.CanaryReconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Store: store.New(mgr.GetClient()),
		Events: mgr.GetEventRecorder("slipway"), Judge: controllers.NewBench(sampler), Endpoints: []string{"default"}, Now: time.Now,
		Guard: &controllers.AdmissionCheck{Live: mgr.GetAPIReader(), Served: func() (*metav1.APIResourceList, error) {
			return discover.ServerResourcesForGroupVersion(admissionv1.SchemeGroupVersion.String())
		}},
		Metrics: controllers.NewMetrics(prometheus.NewRegistry()),
	}
	return releases.Setup(context.Background(), mgr, &controllers.Waker{}, 1)
}
