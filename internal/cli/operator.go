package cli

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"go.uber.org/zap/zapcore"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager/signals"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/controllers"
	"slipway.dev/slipway/internal/prom"
	"slipway.dev/slipway/internal/store"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/appmesh"
	"slipway.dev/slipway/internal/traffic/consul"
	"slipway.dev/slipway/internal/traffic/envoygateway"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
	"slipway.dev/slipway/internal/traffic/istio"
	"slipway.dev/slipway/internal/traffic/linkerd"
)

type operatorOptions struct {
	config         string
	namespace      string
	leaderElect    bool
	leaseNamespace string
	metricsAddress string
	healthAddress  string
	pprofAddress   string
	workers        int
	verbosity      int
}

func operatorCommand() *cobra.Command {
	o := operatorOptions{}
	c := &cobra.Command{
		Use:   "operator",
		Short: "Run the operator",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return runOperator(signals.SetupSignalHandler(), o) },
	}
	f := c.Flags()
	f.StringVar(&o.config, "config", "/etc/slipway/config.yaml", "configuration: the Prometheus endpoints that releases may name")
	f.StringVar(&o.namespace, "namespace", "", "look after this namespace only; empty: all")
	f.BoolVar(&o.leaderElect, "leader-elect", false, "act only while holding the lease, so that several replicas may run")
	f.StringVar(&o.leaseNamespace, "leader-elect-namespace", "", "namespace of the lease; empty: the one that the operator's pod is in")
	f.StringVar(&o.metricsAddress, "metrics-address", ":8080", "where /metrics is served; 0 switches it off")
	f.StringVar(&o.healthAddress, "health-address", ":8081", "where /healthz and /readyz are served")
	f.StringVar(&o.pprofAddress, "pprof-address", "", "where profiles are served, such as localhost:6060; empty: nowhere")
	f.IntVar(&o.workers, "workers", 4, "how many releases are looked at at the same time")
	f.IntVarP(&o.verbosity, "verbosity", "v", 0, "how much is logged: 0 changes, 1 decisions, 2 the flow")
	return c
}

func scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(s))
	utilruntime.Must(v1alpha1.AddToScheme(s))
	return s
}

func runOperator(ctx context.Context, o operatorOptions) error {
	collectEarly()
	log := zap.New(zap.Level(zapLevel(o.verbosity)))
	ctrl.SetLogger(log)
	config, err := readConfig(o.config)
	if err != nil {
		return err
	}
	mgr, err := newManager(o, log)
	if err != nil {
		return err
	}
	if err := wire(ctx, mgr, o, config); err != nil {
		return err
	}
	log.Info("Starting operator", "version", Version(), "namespace", o.namespace, "endpoints", len(config.Endpoints))
	return mgr.Start(ctx)
}

// collectEarly has the heap grow by half of what is in use before it is collected, where GOGC does not say otherwise.
// Nearly all of it is cache, which lives as long as the operator: room to double it would be memory for nothing.
func collectEarly() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

func newManager(o operatorOptions, log logr.Logger) (ctrl.Manager, error) {
	restConfig, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	// A release is a handful of writes; what limits us is the API server's own fairness.
	restConfig.QPS, restConfig.Burst = 100, 200
	lease, renew, retry := 15*time.Second, 10*time.Second, 2*time.Second
	options := ctrl.Options{
		Scheme: scheme(), Logger: log,
		Metrics:                metricsserver.Options{BindAddress: o.metricsAddress},
		HealthProbeBindAddress: o.healthAddress, PprofBindAddress: o.pprofAddress,
		LeaderElection: o.leaderElect, LeaderElectionID: "slipway.dev", LeaderElectionNamespace: o.leaseNamespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &lease, RenewDeadline: &renew, RetryPeriod: &retry,
		Cache: cacheOptions(o.namespace),
	}
	mgr, err := ctrl.NewManager(restConfig, options)
	if err != nil {
		return nil, fmt.Errorf("reach the API server: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, err
	}
	return mgr, mgr.AddReadyzCheck("ping", healthz.Ping)
}

// wire puts the parts together. Routers and dialects are named where they are used, never registered by themselves.
func wire(ctx context.Context, mgr ctrl.Manager, o operatorOptions, config prom.Config) error {
	waker := &controllers.Waker{}
	sampler, err := prom.New(config, prom.Options{Notify: waker.Wake})
	if err != nil {
		return err
	}
	if err := mgr.Add(sampler); err != nil {
		return err
	}
	if err := metrics.Registry.Register(sampler); err != nil {
		return err
	}
	if err := controllers.SetupTraffic(ctx, mgr, controllers.TrafficOptions{Routers: routers(), Concurrency: o.workers}); err != nil {
		return err
	}
	discover, err := discovery.NewDiscoveryClientForConfig(mgr.GetConfig())
	if err != nil {
		return err
	}
	releases := &controllers.CanaryReconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Store: store.New(mgr.GetClient()),
		Events: mgr.GetEventRecorder("slipway"), Judge: controllers.NewBench(sampler),
		Endpoints: endpointNames(config), Now: time.Now,
		Guard: &controllers.AdmissionCheck{Live: mgr.GetAPIReader(), Served: func() (*metav1.APIResourceList, error) {
			return discover.ServerResourcesForGroupVersion("admissionregistration.k8s.io/v1")
		}},
		Metrics: controllers.NewMetrics(metrics.Registry),
	}
	return releases.Setup(ctx, mgr, waker, o.workers)
}

// routers are the data planes that traffic can be sent over.
func routers() traffic.Registry {
	return traffic.Registry{gatewayapi.Router{}, envoygateway.Router{}, istio.Router{}, linkerd.Router{}, consul.Router{}, appmesh.Router{}}
}

func endpointNames(c prom.Config) []string {
	var names []string
	for _, e := range c.Endpoints {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	return names
}

// zapLevel makes V(n) visible.
func zapLevel(verbosity int) zapcore.Level { return zapcore.Level(-verbosity) } //nolint:gosec // a flag of single digits
