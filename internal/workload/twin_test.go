package workload

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"slipway.dev/slipway/api/v1alpha1"
)

func TestTwinLabel(t *testing.T) {
	long := strings.Repeat("x", 60)
	tests := map[string]struct {
		service, deployment map[string]string
		expressed           string
		wanted              string
		want                string
	}{
		"the label that both have":                        {service: m("app", "shop"), deployment: m("app", "shop", "env", "p"), want: "app"},
		"the first by name of several":                    {service: m("b", "1", "a", "1"), deployment: m("a", "1", "b", "1"), want: "a"},
		"the one that the user names":                     {service: m("b", "1", "a", "1"), deployment: m("a", "1", "b", "1"), wanted: "b", want: "b"},
		"one with room for the suffix before one without": {service: m("a", long, "b", "1"), deployment: m("a", long, "b", "1"), want: "b"},
		"one without room, when there is no other":        {service: m("a", long), deployment: m("a", long), want: "a"},
		"only in the Service's selector":                  {service: m("app", "shop"), deployment: m("name", "shop")},
		"in both, with two values":                        {service: m("app", "shop"), deployment: m("app", "cart")},
		"in a match expression too":                       {service: m("app", "shop"), deployment: m("app", "shop"), expressed: "app"},
		"a Service without a selector":                    {deployment: m("app", "shop")},
		"the user names one that is not in both":          {service: m("a", "1"), deployment: m("a", "1", "b", "1"), wanted: "b"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			svc, d := testService(), testDeployment()
			svc.Spec.Selector, d.Spec.Selector.MatchLabels = tc.service, tc.deployment
			if tc.expressed != "" {
				d.Spec.Selector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: tc.expressed, Operator: metav1.LabelSelectorOpExists}}
			}
			got, err := TwinLabel(svc, d, tc.wanted)
			if got != tc.want || (err == nil) != (tc.want != "") || (err != nil && !errors.Is(err, ErrNoLabel)) {
				t.Errorf("TwinLabel = %q, %v; want %q", got, err, tc.want)
			}
		})
	}
}

func m(pairs ...string) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

func TestTwin(t *testing.T) {
	d, cr := testDeployment(), testRelease()
	d.Spec.Paused = true
	held := testTemplate("shop:v2")
	held.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = "x"
	before := d.DeepCopy()

	template := testTemplate("shop:v2")
	template.Labels = m("app", "shop-canary", "tier", "web")
	replicas, history, deadline := int32(2), int32(1), int32(120)
	want := &appsv1.Deployment{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{
			Name: "shop-canary", Namespace: "web",
			Labels:          m("app", "shop-canary", "team", "checkout", v1alpha1.ReleaseLabel, "release"),
			Annotations:     m(CanaryLabelAnnotation, "app"),
			OwnerReferences: []metav1.OwnerReference{ownedBy(cr)},
		},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: m("app", "shop-canary")},
			Template: template, Strategy: d.Spec.Strategy, MinReadySeconds: 5,
			RevisionHistoryLimit: &history, ProgressDeadlineSeconds: &deadline,
		},
	}
	got := Twin(cr, d, held, "app", 2)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("twin (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, d); diff != "" {
		t.Errorf("the user's Deployment was changed (-before +after):\n%s", diff)
	}
	if !metav1.IsControlledBy(got, cr) {
		t.Error("the twin does not belong to the CanaryRelease")
	}
}

// The whole of the split rests on this: neither selects the other's pods.
func TestTwinAndStableShareNoPods(t *testing.T) {
	d, cr, svc := testDeployment(), testRelease(), testService()
	twin := Twin(cr, d, d.Spec.Template, "app", 2)
	service := TwinService(cr, svc, d, "app")
	matches := func(s *metav1.LabelSelector, pod corev1.PodTemplateSpec) bool {
		selector, err := metav1.LabelSelectorAsSelector(s)
		if err != nil {
			t.Fatal(err)
		}
		return selector.Matches(labels.Set(pod.Labels))
	}
	if !matches(twin.Spec.Selector, twin.Spec.Template) || !selects(service.Spec.Selector, twin.Spec.Template.Labels) {
		t.Error("the canary's Deployment or Service does not select the canary's pods")
	}
	if matches(d.Spec.Selector, twin.Spec.Template) || selects(svc.Spec.Selector, twin.Spec.Template.Labels) {
		t.Error("the user's Deployment or Service selects the canary's pods")
	}
	if matches(twin.Spec.Selector, d.Spec.Template) || selects(service.Spec.Selector, d.Spec.Template.Labels) {
		t.Error("the canary's Deployment or Service selects stable's pods")
	}
}

func TestTwinOntoKeepsWhatOthersAdded(t *testing.T) {
	d, cr := testDeployment(), testRelease()
	live := Twin(cr, d, testTemplate("shop:v2"), "app", 2)
	live.Labels["added"], live.Annotations["deployment.kubernetes.io/revision"] = "1", "3"
	live.ResourceVersion, live.Spec.Paused = "7", true
	want := Twin(cr, d, testTemplate("shop:v3"), "app", 5)
	got := TwinOnto(live, want)
	if diff := cmp.Diff(want.Spec, got.Spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	if got.ResourceVersion != "7" || got.Labels["added"] != "1" || got.Annotations["deployment.kubernetes.io/revision"] != "3" {
		t.Errorf("metadata of the live twin is lost: %+v", got.ObjectMeta)
	}
	if diff := cmp.Diff(got, TwinOnto(got, want)); diff != "" {
		t.Errorf("a second time changes something (-first +second):\n%s", diff)
	}
	if !SameSelector(live, want) || SameSelector(live, Twin(cr, d, testTemplate("shop:v2"), "tier", 2)) {
		t.Error("SameSelector does not see the label")
	}
}

func TestTwinReplicas(t *testing.T) {
	tests := map[string]struct{ stable, weight, least, want int32 }{
		"a share is rounded up":              {stable: 10, weight: 25, least: 2, want: 3},
		"a whole share is not":               {stable: 10, weight: 30, least: 2, want: 3},
		"never less than the least":          {stable: 10, weight: 1, least: 2, want: 2},
		"before it gets traffic":             {stable: 10, weight: 0, least: 2, want: 2},
		"everything":                         {stable: 10, weight: 100, least: 2, want: 10},
		"nothing of nothing":                 {stable: 0, weight: 50, least: 1, want: 1},
		"no overflow with a great many pods": {stable: 2_000_000_000, weight: 99, least: 1, want: 1_980_000_000},
		"negative counts are no pods":        {stable: -3, weight: 50, least: 1, want: 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := TwinReplicas(tc.stable, tc.weight, tc.least); got != tc.want {
				t.Errorf("TwinReplicas(%d, %d, %d) = %d, want %d", tc.stable, tc.weight, tc.least, got, tc.want)
			}
		})
	}
}

func TestServices(t *testing.T) {
	cr, d, svc := testRelease(), testDeployment(), testService()
	stable := replicaSet(d, 0, "shop:v1", 3)
	expect := func(name string, selector map[string]string) *corev1.Service {
		return &corev1.Service{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
			ObjectMeta: metav1.ObjectMeta{
				Name: name, Namespace: "web",
				Labels:          m("app", "shop", "app.kubernetes.io/instance", "shop", v1alpha1.ReleaseLabel, "release"),
				Annotations:     m("prometheus.io/scrape", "true"),
				OwnerReferences: []metav1.OwnerReference{ownedBy(cr)},
			},
			Spec: corev1.ServiceSpec{
				Type: corev1.ServiceTypeClusterIP, Selector: selector,
				Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http")}},
			},
		}
	}
	if diff := cmp.Diff(expect("shop-canary", m("app", "shop-canary")), TwinService(cr, svc, d, "app")); diff != "" {
		t.Errorf("the canary's Service (-want +got):\n%s", diff)
	}
	hold := expect("shop-stable-hold", m("app", "shop", appsv1.DefaultDeploymentUniqueLabelKey, "a"))
	if diff := cmp.Diff(hold, HoldService(cr, svc, d, &stable)); diff != "" {
		t.Errorf("the hold Service (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(testService(), svc); diff != "" {
		t.Errorf("the user's Service was changed (-before +after):\n%s", diff)
	}
	svc.Spec.ClusterIP = corev1.ClusterIPNone
	if got := TwinService(cr, svc, d, "app").Spec.ClusterIP; got != corev1.ClusterIPNone {
		t.Errorf("a headless Service got the address %q", got)
	}
}

func TestServiceOntoKeepsTheAddress(t *testing.T) {
	cr, d, svc := testRelease(), testDeployment(), testService()
	live := TwinService(cr, svc, d, "app")
	live.Spec.ClusterIP, live.Spec.ClusterIPs, live.ResourceVersion = "10.0.0.9", []string{"10.0.0.9"}, "3"
	svc.Spec.Ports[0].Port = 8080
	got := ServiceOnto(live, TwinService(cr, svc, d, "app"))
	if got.Spec.ClusterIP != "10.0.0.9" || got.ResourceVersion != "3" || got.Spec.Ports[0].Port != 8080 {
		t.Errorf("got %+v", got)
	}
}
