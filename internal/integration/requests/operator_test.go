package requests

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"slipway.dev/slipway/controllers"
	"slipway.dev/slipway/internal/prom"
	"slipway.dev/slipway/internal/store"
	"slipway.dev/slipway/internal/workload"
)

// TestCommandsAndTheOperator has the operator itself answer, with the Events that it writes. There is no Service, so that a
// release is refused and goes no further than Checking; and no Deployment controller, whose part the test plays.
func TestCommandsAndTheOperator(t *testing.T) {
	s := newShop(t)
	s.rolledOut()
	startOperator(t, s.namespace)
	s.eventually("what runs is stable", func() bool { return s.live().Status.StableRevision != "" })
	stable := workload.Revision(s.target().Spec.Template)
	(<-s.slipway(adminUser, "wait", "deployment/shop", "--timeout=1m")).wants(t, 0, "promoted: revision "+stable)

	change := workload.Revision(s.push("shop:v2").Spec.Template)
	s.eventually("the change is looked at", func() bool { return s.live().Status.Stage == "Checking" })
	waits := s.slipway(adminUser, "wait", "deployment/shop", "--timeout=2m")
	(<-s.slipway(managerUser, "promote", "shop")).wants(t, 1, "asked: promote revision "+change, "promote refused: it means nothing while the release is Checking")
	(<-s.slipway(managerUser, "abort", "shop", "--revision="+stable)).wants(t, 1, "abort of revision "+stable+" refused: the release is of revision "+change)
	(<-s.slipway(managerUser, "pause", "shop")).wants(t, 0, "answer: paused")
	(<-s.slipway(managerUser, "resume", "shop")).wants(t, 0, "answer: resumed")
	// The editor of these tests has no part in Kubernetes' own roles, and so may not read Events.
	(<-s.slipway(editorUser, "abort", "shop")).wants(t, 2, "the operator has dealt with the request", "AbortedByPerson")
	(<-waits).wants(t, 1, "rolled back: AbortedByPerson")
	(<-s.slipway(managerUser, "retry", "shop")).wants(t, 0, "answer: tried again")
	s.eventually("the change is looked at again", func() bool { return s.live().Status.Stage == "Checking" })
}

// rolledOut is what the Deployment controller would make of the Deployment.
func (s shop) rolledOut() {
	s.t.Helper()
	d := s.target()
	template := d.Spec.Template.DeepCopy()
	template.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = "v1"
	set := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespace, Name: "shop-v1", Labels: template.Labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		},
		Spec: appsv1.ReplicaSetSpec{Replicas: d.Spec.Replicas, Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: *template},
	}
	s.create(set)
	set.Status = appsv1.ReplicaSetStatus{ObservedGeneration: set.Generation, Replicas: 3, FullyLabeledReplicas: 3, ReadyReplicas: 3, AvailableReplicas: 3}
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 3, AvailableReplicas: 3}
	if err := server.admin.Status().Update(s.t.Context(), set); err != nil {
		s.t.Fatalf("write status of ReplicaSet: %v", err)
	}
	if err := server.admin.Status().Update(s.t.Context(), d); err != nil {
		s.t.Fatalf("write status of Deployment: %v", err)
	}
}

// startOperator runs the controller of releases for one namespace until the test ends.
func startOperator(t *testing.T, namespace string) {
	t.Helper()
	config := rest.CopyConfig(server.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: operatorUser, Groups: []string{"system:masters", "system:authenticated"}}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: server.scheme, Metrics: metricsserver.Options{BindAddress: "0"},
		Cache: cache.Options{DefaultNamespaces: map[string]cache.Config{namespace: {}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	sampler, err := prom.New(prom.Config{}, prom.Options{})
	if err != nil {
		t.Fatal(err)
	}
	discover, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	releases := &controllers.CanaryReconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Store: store.New(mgr.GetClient()),
		Events: mgr.GetEventRecorder("slipway"), Judge: controllers.NewBench(sampler), Endpoints: []string{"default"}, Now: time.Now,
		Guard: &controllers.AdmissionCheck{Live: mgr.GetAPIReader(), Served: func() (*metav1.APIResourceList, error) {
			return discover.ServerResourcesForGroupVersion(admissionv1.SchemeGroupVersion.String())
		}},
		Metrics: controllers.NewMetrics(prometheus.NewRegistry()),
	}
	if err := releases.Setup(t.Context(), mgr, &controllers.Waker{}, 1); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the operator ended with: %v", err)
		}
	})
}
