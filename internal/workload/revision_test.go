package workload

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

func record(t *testing.T, cr *v1alpha1.CanaryRelease, kind RevisionKind, image string, number int64) appsv1.ControllerRevision {
	t.Helper()
	rev, err := NewRevision(cr, kind, testTemplate(image), number)
	if err != nil {
		t.Fatal(err)
	}
	return *rev
}

func names(revs []appsv1.ControllerRevision) []string {
	var out []string
	for _, rev := range revs {
		out = append(out, rev.Name)
	}
	return out
}

func TestRevisionKeepsItsTemplate(t *testing.T) {
	cr := testRelease()
	template := testTemplate("shop:v1")
	template.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = "x"
	rev, err := NewRevision(cr, RevisionRejected, template, 4)
	if err != nil {
		t.Fatal(err)
	}
	if want := "release-rejected-" + Revision(template); rev.Name != want || rev.Namespace != "web" || rev.Revision != 4 {
		t.Errorf("made %s/%s number %d, want web/%s number 4", rev.Namespace, rev.Name, rev.Revision, want)
	}
	want := map[string]string{v1alpha1.ReleaseLabel: "release", v1alpha1.KindLabel: "rejected"}
	if diff := cmp.Diff(want, rev.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if !metav1.IsControlledBy(rev, cr) {
		t.Error("the record does not belong to the CanaryRelease")
	}
	back, err := ReadTemplate(rev)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(testTemplate("shop:v1"), back); diff != "" {
		t.Errorf("template read back (-want +got):\n%s", diff)
	}
}

func TestRecordThatCannotBeReadIsAnError(t *testing.T) {
	for _, data := range []string{"", "[]", "{}", `{"spec":{}}`, `{"spec":{"template":{}}}`, `{"spec":{"template":7}}`} {
		rev := record(t, testRelease(), RevisionStable, "shop:v1", 1)
		rev.Data.Raw = []byte(data)
		if template, err := ReadTemplate(&rev); err == nil {
			t.Errorf("data %q read as %+v", data, template)
		}
		if FindTemplate([]appsv1.ControllerRevision{rev}, RevisionStable, testTemplate("shop:v1")) != nil {
			t.Errorf("data %q found as a template", data)
		}
	}
}

func TestFindTemplateLooksAtTheKind(t *testing.T) {
	cr := testRelease()
	revs := []appsv1.ControllerRevision{record(t, cr, RevisionStable, "shop:v1", 1), record(t, cr, RevisionRejected, "shop:v2", 1)}
	if FindTemplate(revs, RevisionRejected, testTemplate("shop:v1")) != nil {
		t.Error("stable's template is found among the rejected ones")
	}
	if got := FindTemplate(revs, RevisionRejected, testTemplate("shop:v2")); got == nil || got.Name != revs[1].Name {
		t.Errorf("the rejected template is not found: %v", got)
	}
}

func TestPromotedBefore(t *testing.T) {
	cr := testRelease()
	stranger := testRelease()
	stranger.UID = "stranger"
	all := []appsv1.ControllerRevision{
		record(t, cr, RevisionStable, "shop:v1", 1), record(t, cr, RevisionStable, "shop:v2", 2), record(t, cr, RevisionStable, "shop:v3", 3),
		record(t, cr, RevisionRejected, "shop:bad", 9), record(t, stranger, RevisionStable, "shop:stranger", 2),
	}
	window := func(n int32) *int32 { return &n }
	tests := map[string]struct {
		window *int32
		image  string
		want   bool
	}{
		"the one before the present, by default":            {image: "shop:v2", want: true},
		"the one before that is out of reach by default":    {image: "shop:v1"},
		"a wider window reaches it":                         {window: window(2), image: "shop:v1", want: true},
		"a window wider than the history":                   {window: window(10), image: "shop:v1", want: true},
		"no window, nothing at once":                        {window: window(0), image: "shop:v2"},
		"the present stable was not promoted before itself": {image: "shop:v3"},
		"a rejected template was never promoted":            {window: window(10), image: "shop:bad"},
		"another release's template does not count":         {window: window(10), image: "shop:stranger"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			cr := cr.DeepCopy()
			cr.Spec.RollbackWindow = tc.window
			if got := PromotedBefore(cr, all, testTemplate(tc.image)); got != tc.want {
				t.Errorf("PromotedBefore(%s) = %v, want %v", tc.image, got, tc.want)
			}
		})
	}
	if got := PresentStable(cr, all); got == nil || got.Name != all[2].Name {
		t.Errorf("present stable is %v, want that with the highest number", got)
	}
	if got := NextNumber(cr, all, RevisionStable); got != 4 {
		t.Errorf("next number is %d, want 4", got)
	}
	if got := NextNumber(cr, nil, RevisionCandidate); got != 1 {
		t.Errorf("first number is %d, want 1", got)
	}
}

func TestSurplusIsTheOldest(t *testing.T) {
	cr := testRelease()
	var all []appsv1.ControllerRevision
	for i := range 4 {
		all = append(all, record(t, cr, RevisionStable, fmt.Sprintf("shop:s%d", i), int64(i)))
	}
	for i := range 2 {
		all = append(all, record(t, cr, RevisionCandidate, fmt.Sprintf("shop:c%d", i), int64(i)))
	}
	for i := range RejectedLimit + 1 {
		all = append(all, record(t, cr, RevisionRejected, fmt.Sprintf("shop:r%d", i), int64(i)))
	}
	want := []string{all[1].Name, all[0].Name, all[4].Name, all[6].Name}
	if diff := cmp.Diff(want, names(Surplus(cr, all))); diff != "" {
		t.Errorf("surplus (-want +got):\n%s", diff)
	}
	if got := Surplus(cr, nil); len(got) > 0 {
		t.Errorf("surplus of nothing is %v", names(got))
	}
}
