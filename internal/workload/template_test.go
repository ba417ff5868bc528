package workload

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestSameTemplate(t *testing.T) {
	limit := func(amount string) func(*corev1.PodTemplateSpec) {
		return func(t *corev1.PodTemplateSpec) {
			t.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(amount)}
		}
	}
	restarted := func(t *corev1.PodTemplateSpec) { t.Annotations = map[string]string{RestartedAtAnnotation: "today"} }
	nothing := func(*corev1.PodTemplateSpec) {}
	tests := map[string]struct {
		a, b                    func(*corev1.PodTemplateSpec)
		wantSame, wantRestarted bool
	}{
		"a template is itself": {a: nothing, b: nothing, wantSame: true},
		"the controller's hash label does not count": {
			a: nothing, b: func(t *corev1.PodTemplateSpec) { t.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = "x" }, wantSame: true,
		},
		"an empty list is no list": {
			a: nothing, b: func(t *corev1.PodTemplateSpec) { t.Spec.Volumes = []corev1.Volume{} }, wantSame: true,
		},
		"no annotations are no annotations": {
			a: nothing, b: func(t *corev1.PodTemplateSpec) { t.Annotations = map[string]string{} }, wantSame: true,
		},
		"one amount in two notations is one amount": {a: limit("1Gi"), b: limit("1073741824"), wantSame: true},
		"another amount is another template":        {a: limit("1Gi"), b: limit("1G")},
		"another image is another template": {
			a: nothing, b: func(t *corev1.PodTemplateSpec) { t.Spec.Containers[0].Image = "shop:v2" },
		},
		"a restart is a change, and only that": {a: nothing, b: restarted, wantRestarted: true},
		"a restart with another change is no mere restart": {
			a: limit("1Gi"), b: func(t *corev1.PodTemplateSpec) { restarted(t); limit("2Gi")(t) },
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			a, b := testTemplate("shop:v1"), testTemplate("shop:v1")
			tc.a(&a)
			tc.b(&b)
			if got := SameTemplate(a, b); got != tc.wantSame {
				t.Errorf("SameTemplate = %v, want %v", got, tc.wantSame)
			}
			if got := OnlyRestarted(a, b); got != tc.wantRestarted {
				t.Errorf("OnlyRestarted = %v, want %v", got, tc.wantRestarted)
			}
			if got := Revision(a) == Revision(b); got != tc.wantSame {
				t.Errorf("revisions %s and %s: same is %v, want %v", Revision(a), Revision(b), got, tc.wantSame)
			}
		})
	}
}

// The name is in people's commands and in the names of stored objects: another one after an upgrade would orphan them.
func TestRevisionIsTheSameInEveryProcess(t *testing.T) {
	const want = "24kmhsvs6j"
	if got := Revision(testTemplate("shop:v1")); got != want {
		t.Errorf("Revision = %q, want %q", got, want)
	}
}

func TestRevisionLeavesItsTemplateAlone(t *testing.T) {
	template := testTemplate("shop:v1")
	template.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = "x"
	template.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1024Mi")}
	before := template.DeepCopy()
	Revision(template)
	a, _ := json.Marshal(before)
	b, _ := json.Marshal(template)
	if string(a) != string(b) {
		t.Errorf("the template was changed:\n%s\n%s", a, b)
	}
}

// Whatever way the template takes through JSON, it keeps its name and stays the same.
func TestRevisionSurvivesTheWire(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		template := randomTemplate(random)
		text, err := json.Marshal(template)
		if err != nil {
			t.Fatal(err)
		}
		var back corev1.PodTemplateSpec
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if !SameTemplate(template, back) || Revision(template) != Revision(back) {
			t.Fatalf("not the same after JSON: %s and %s\n%s", Revision(template), Revision(back), text)
		}
		other := randomTemplate(random)
		if SameTemplate(template, other) != (Revision(template) == Revision(other)) {
			t.Fatalf("SameTemplate and Revision do not agree on\n%+v\n%+v", template, other)
		}
	}
}

func randomTemplate(random *rand.Rand) corev1.PodTemplateSpec {
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	t := testTemplate(pick("shop:v1", "shop:v2"))
	t.Annotations = map[string]string{"a": pick("1", "2")}
	t.Spec.Containers[0].Resources.Requests = corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse(pick("1", "1000m", "0.5", "500m")),
		corev1.ResourceMemory: resource.MustParse(pick("1Gi", "1024Mi", "1073741824")),
	}
	size := resource.MustParse(pick("1Gi", "1048576Ki"))
	t.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &size}}}}
	return t
}
