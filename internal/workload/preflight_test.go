package workload

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func testPreflight() *PreflightFacts {
	svc := testService()
	return &PreflightFacts{
		Release: testRelease(), Deployment: heldDeployment("shop:v2"), Service: svc,
		Stable: testTemplate("shop:v1"), Held: testTemplate("shop:v2"),
		Services: []corev1.Service{*svc}, Deployments: []appsv1.Deployment{*testDeployment()},
	}
}

func otherService(name string, selector map[string]string) corev1.Service {
	return corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{Selector: selector}}
}

func claimed(modes ...corev1.PersistentVolumeAccessMode) func(*PreflightFacts) {
	return func(in *PreflightFacts) {
		in.Held.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "shop-data"},
		}}}
		in.Claims = []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "shop-data"}, Spec: corev1.PersistentVolumeClaimSpec{AccessModes: modes}}}
	}
}

func TestPreflight(t *testing.T) {
	one := func(reason, message string) []Refusal { return []Refusal{{reason, message}} }
	tests := map[string]struct {
		change func(*PreflightFacts)
		want   []Refusal
	}{
		"nothing is wrong": {change: func(*PreflightFacts) {}},
		"Slipway's own twin and Services are there": {change: func(in *PreflightFacts) {
			stable := replicaSet(in.Deployment, 0, "shop:v1", 3)
			in.Deployments = append(in.Deployments, *Twin(in.Release, in.Deployment, in.Held, "app", 2))
			in.Services = append(in.Services, *TwinService(in.Release, in.Service, in.Deployment, "app"), *HoldService(in.Release, in.Service, in.Deployment, &stable))
		}},
		"the Service has no selector": {
			change: func(in *PreflightFacts) { in.Service.Spec.Selector = nil },
			want:   one(ReasonServiceSelectsNothing, `Service "shop" selects no pods by spec.selector; set serviceRef to the Service that selects the pods of Deployment "shop"`),
		},
		"the Service is another Deployment's: its labels are not what is wrong": {
			change: func(in *PreflightFacts) { in.Service.Spec.Selector = m("app", "cart") },
			want:   one(ReasonServiceSelectsNothing, `spec.selector of Service "shop" (app=cart) does not select the pods of Deployment "shop" (app=shop,tier=web); correct the selector or serviceRef`),
		},
		"the Service selects other pods": {
			change: func(in *PreflightFacts) { in.Service.Spec.Selector = m("app", "shop", "tier", "db") },
			want:   one(ReasonServiceSelectsNothing, `spec.selector of Service "shop" (app=shop,tier=db) does not select the pods of Deployment "shop" (app=shop,tier=web); correct the selector or serviceRef`),
		},
		"the change takes a label away that the Service selects by": {
			change: func(in *PreflightFacts) {
				in.Service.Spec.Selector = m("app", "shop", "tier", "web")
				delete(in.Held.Labels, "tier")
			},
			want: one(ReasonChangeLeavesService, `spec.template.metadata.labels of the changed Deployment "shop" no longer match spec.selector of Service "shop" (app=shop,tier=web): promotion would leave the Service without pods; put the labels back`),
		},
		"the change renames the port that the Service sends to": {
			change: func(in *PreflightFacts) { in.Held.Spec.Containers[0].Ports[0].Name = "web" },
			want:   one(ReasonChangeLeavesService, `no container of the changed Deployment "shop" has a port named "http", which spec.ports of Service "shop" sends to: promotion would leave the port without pods; put the name back`),
		},
		"another Service would select canary pods": {
			change: func(in *PreflightFacts) { in.Services = append(in.Services, otherService("all", m("tier", "web"))) },
			want:   one(ReasonOtherServiceSelectsCanary, `spec.selector of Service "all" (tier=web) would select canary pods too and send them traffic at weight 0; add app=shop to it, or set canary.label to a label that it has`),
		},
		"another Service selects stable's pods only": {
			change: func(in *PreflightFacts) { in.Services = append(in.Services, otherService("metrics", m("app", "shop"))) },
		},
		"a Service without a selector selects no pods": {
			change: func(in *PreflightFacts) { in.Services = append(in.Services, otherService("manual", nil)) },
		},
		"a foreign Deployment has the twin's name": {
			change: func(in *PreflightFacts) {
				in.Deployments = append(in.Deployments, appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "shop-canary"}})
			},
			want: one(ReasonNameTaken, `there is a Deployment "shop-canary" that does not belong to CanaryRelease "release", which needs the name; rename or delete it`),
		},
		"a foreign Service has the hold Service's name": {
			change: func(in *PreflightFacts) { in.Services = append(in.Services, otherService("shop-stable-hold", nil)) },
			want:   one(ReasonNameTaken, `there is a Service "shop-stable-hold" that does not belong to CanaryRelease "release", which needs the name; rename or delete it`),
		},
		"the strategy is Recreate": {
			change: func(in *PreflightFacts) { in.Deployment.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType },
			want:   one(ReasonRecreateStrategy, `spec.strategy.type of Deployment "shop" is Recreate: promotion would stop every pod before a new one starts; set it to RollingUpdate`),
		},
		"a port of the node": {
			change: func(in *PreflightFacts) { in.Held.Spec.Containers[0].Ports[0].HostPort = 80 },
			want:   one(ReasonHostPort, `container "shop" of Deployment "shop" has hostPort 80, which canary and stable pods on a node cannot both have; take hostPort away`),
		},
		"the network of the node": {
			change: func(in *PreflightFacts) { in.Held.Spec.HostNetwork = true },
			want:   one(ReasonHostPort, `spec.template.spec.hostNetwork of Deployment "shop" is true: canary and stable pods would listen on the same ports of a node; take hostNetwork away`),
		},
		"a volume for one node": {
			change: claimed(corev1.ReadWriteOnce),
			want:   one(ReasonExclusiveVolume, `volume "data" of Deployment "shop" mounts PersistentVolumeClaim "shop-data" with accessModes ReadWriteOnce: canary and stable pods cannot both write to it; use a claim with ReadWriteMany, or ephemeral volumes`),
		},
		"a volume for one pod": {
			change: claimed(corev1.ReadWriteOncePod),
			want:   one(ReasonExclusiveVolume, `volume "data" of Deployment "shop" mounts PersistentVolumeClaim "shop-data" with accessModes ReadWriteOncePod: canary and stable pods cannot both write to it; use a claim with ReadWriteMany, or ephemeral volumes`),
		},
		"a volume for many":         {change: claimed(corev1.ReadWriteOnce, corev1.ReadWriteMany)},
		"a volume that is read":     {change: claimed(corev1.ReadOnlyMany)},
		"a claim that is not known": {change: func(in *PreflightFacts) { claimed(corev1.ReadWriteOnce)(in); in.Claims = nil }},
		"the name is too long": {
			change: func(in *PreflightFacts) { in.Deployment.Name = strings.Repeat("x", 52) },
			want:   one(ReasonNameTooLong, `the name of Deployment "`+strings.Repeat("x", 52)+`" has 52 characters, and 51 is the most with which "<name>-stable-hold" can be a Service's name; use a Deployment with a shorter name`),
		},
		"the label's value is too long": {
			change: func(in *PreflightFacts) {
				long := strings.Repeat("x", 57)
				for _, set := range []map[string]string{in.Service.Spec.Selector, in.Deployment.Spec.Selector.MatchLabels, in.Stable.Labels, in.Held.Labels} {
					set["app"] = long
				}
			},
			want: one(ReasonNameTooLong, `label "app" of Deployment "shop" has the value "`+strings.Repeat("x", 57)+`", and with "-canary" at its end that is no label value of at most 63 characters; set canary.label to another label that is in the Service's selector and in matchLabels`),
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			in := testPreflight()
			tc.change(in)
			if diff := cmp.Diff(tc.want, Preflight(*in)); diff != "" {
				t.Errorf("refusals (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUncovered(t *testing.T) {
	byApp := &metav1.LabelSelector{MatchLabels: m("app", "shop")}
	byTier := &metav1.LabelSelector{MatchLabels: m("tier", "web")}
	term := corev1.PodAffinityTerm{LabelSelector: byApp}
	template := testTemplate("shop:v2")
	template.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{LabelSelector: byApp}, {LabelSelector: byTier}}
	template.Spec.Affinity = &corev1.Affinity{
		PodAffinity:     &corev1.PodAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{PodAffinityTerm: term}}},
		PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{term}},
	}
	policy := func(name string, spec networkingv1.NetworkPolicySpec) networkingv1.NetworkPolicy {
		return networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
	}
	peers := []networkingv1.NetworkPolicyPeer{{PodSelector: byApp}, {PodSelector: byApp}, {IPBlock: &networkingv1.IPBlock{}}}
	in := UncoveredFacts{
		Template: template, Label: "app",
		NetworkPolicies: []networkingv1.NetworkPolicy{
			policy("shop", networkingv1.NetworkPolicySpec{PodSelector: *byApp}),
			policy("db", networkingv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: m("app", "db")}, Ingress: []networkingv1.NetworkPolicyIngressRule{{From: peers}}}),
			policy("cart", networkingv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: m("app", "cart")}, Egress: []networkingv1.NetworkPolicyEgressRule{{To: peers}}}),
			policy("deny-all", networkingv1.NetworkPolicySpec{}),
			policy("tier", networkingv1.NetworkPolicySpec{PodSelector: *byTier}),
		},
		PodDisruptionBudgets: []policyv1.PodDisruptionBudget{
			{ObjectMeta: metav1.ObjectMeta{Name: "shop"}, Spec: policyv1.PodDisruptionBudgetSpec{Selector: byApp}},
			{ObjectMeta: metav1.ObjectMeta{Name: "none"}},
		},
		Others: []Selector{{Kind: "PodMonitor", Name: "shop", Field: "spec.selector", Selector: byApp}},
	}
	want := []string{
		`NetworkPolicy "cart" (spec.egress.to)`,
		`NetworkPolicy "db" (spec.ingress.from)`,
		`NetworkPolicy "shop" (spec.podSelector)`,
		`PodDisruptionBudget "shop" (spec.selector)`,
		`PodMonitor "shop" (spec.selector)`,
		`the pod template (spec.affinity.podAffinity)`,
		`the pod template (spec.affinity.podAntiAffinity)`,
		`the pod template (spec.topologySpreadConstraints)`,
	}
	if diff := cmp.Diff(want, Uncovered(in)); diff != "" {
		t.Errorf("uncovered (-want +got):\n%s", diff)
	}
}
