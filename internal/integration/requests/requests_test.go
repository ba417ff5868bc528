package requests

import (
	"maps"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

type requests map[string]string

func TestWhoMayAsk(t *testing.T) {
	s := newShop(t)
	users := map[string]client.Client{adminUser: server.admin, operatorUser: server.operator}
	for _, user := range []string{editorUser, managerUser} {
		c, err := clientAs(user)
		if err != nil {
			t.Fatal(err)
		}
		users[user] = c
	}
	all := requests{
		v1alpha1.RequestPromote: "a", v1alpha1.RequestAbort: "a", v1alpha1.RequestRetry: "a",
		v1alpha1.RequestPause: "a", v1alpha1.RequestResume: "a",
	}
	for name, tc := range map[string]struct {
		user          string
		before, after requests
		// wantMissing is the verb that the answer must name; empty: it is let through.
		wantMissing string
	}{
		"a manager may ask for everything":                   {user: managerUser, after: all},
		"a manager may mean any revision":                    {user: managerUser, after: requests{v1alpha1.RequestPromote: "no such revision"}},
		"a cluster administrator may ask":                    {user: adminUser, after: all},
		"an editor may not promote":                          {user: editorUser, after: requests{v1alpha1.RequestPromote: "a"}, wantMissing: "promote"},
		"an editor may not retry":                            {user: editorUser, after: requests{v1alpha1.RequestRetry: "a"}, wantMissing: "retry"},
		"an editor may not pause":                            {user: editorUser, after: requests{v1alpha1.RequestPause: "a"}, wantMissing: "pause"},
		"an editor may not resume":                           {user: editorUser, after: requests{v1alpha1.RequestResume: "a"}, wantMissing: "resume"},
		"an editor may abort":                                {user: editorUser, after: requests{v1alpha1.RequestAbort: "a"}},
		"an editor may not promote beside an abort":          {user: editorUser, after: all, wantMissing: "promote"},
		"an editor may not turn a request to another change": {user: editorUser, before: requests{v1alpha1.RequestPromote: "a"}, after: requests{v1alpha1.RequestPromote: "b"}, wantMissing: "promote"},
		"an editor may take a request away":                  {user: editorUser, before: all},
		"an editor may write what carries a request":         {user: editorUser, before: all, after: with(all, "team", "checkout")},
		"an editor may write other annotations":              {user: editorUser, after: requests{"slipway.dev/promoted-by": "erin"}},
		"the operator takes requests away":                   {user: operatorUser, before: all},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			if err := s.annotate(server.admin, tc.before); err != nil {
				t.Fatalf("annotate as it was before: %v", err)
			}
			refusedFor(t, s.annotate(users[tc.user], tc.after), tc.wantMissing)
		})
	}
}

func with(r requests, key, value string) requests {
	out := maps.Clone(r)
	out[key] = value
	return out
}

// annotate has the release carry exactly these annotations.
func (s shop) annotate(c client.Client, annotations requests) error {
	s.t.Helper()
	cr := s.live()
	after := cr.DeepCopy()
	after.Annotations = annotations
	return c.Patch(s.t.Context(), after, client.MergeFromWithOptions(cr, client.MergeFromWithOptimisticLock{}))
}

func refusedFor(t *testing.T, err error, missing string) {
	t.Helper()
	switch {
	case missing == "" && err != nil:
		t.Errorf("refused: %v", err)
	case missing == "":
	case !apierrors.IsForbidden(err):
		t.Errorf("answer %v, want that it is forbidden", err)
	case !strings.Contains(err.Error(), "may not "+missing+" CanaryRelease"):
		t.Errorf("answer %q does not say that %q is missing", err, missing)
	}
}

func TestReleaseIsMadeWithARequestOnlyByWhoMayAsk(t *testing.T) {
	s := newShop(t)
	for user, missing := range map[string]string{editorUser: "promote", adminUser: ""} {
		c, err := clientAs(user, map[string][]string{adminUser: {"system:masters"}}[user]...)
		if err != nil {
			t.Fatal(err)
		}
		cr := s.release()
		cr.Name, cr.GenerateName, cr.Finalizers = "", "second-", nil
		cr.Annotations = requests{v1alpha1.RequestPromote: "a"}
		refusedFor(t, c.Create(t.Context(), cr), missing)
	}
}

func TestRightForOneReleaseIsForThatOne(t *testing.T) {
	s := newShop(t)
	second := s.release()
	second.Name = "second"
	s.create(second)
	s.must("create", "role", "promote-second", "--verb=promote,patch,get", "--resource=canaryreleases.slipway.dev", "--resource-name=second")
	s.must("create", "rolebinding", "promote-second", "--role=promote-second", "--user="+editorUser)
	s.eventually("the role is known", func() bool {
		_, err := s.kubectl(editorUser, "", "annotate", "canaryrelease", "second", "slipway.dev/promote=a")
		return err == nil
	})
	if out, err := s.kubectl(editorUser, "", "annotate", "canaryrelease", "shop", "slipway.dev/promote=a"); err == nil {
		t.Errorf("the right for another release is enough: %s", out)
	}
}

func TestKubectlAnnotateByAnEditorIsRefusedInWords(t *testing.T) {
	s := newShop(t)
	out, err := s.kubectl(editorUser, "", "annotate", "canaryrelease", "shop", "slipway.dev/promote=abcd")
	if err == nil {
		t.Fatalf("kubectl annotate went through: %s", out)
	}
	for _, want := range []string{
		"user erin may not promote CanaryRelease " + s.namespace + "/shop",
		"slipway.dev/promote needs the RBAC verb promote on canaryreleases.slipway.dev", "slipway-release-manager",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in the answer: %s", want, out)
		}
	}
	if got := s.live().Annotations; len(got) > 0 {
		t.Errorf("annotations were written: %v", got)
	}
}

// A request must not stand in the way of what Git applies meanwhile.
func TestApplyOverAPendingRequest(t *testing.T) {
	s := newShop(t)
	if err := s.annotate(server.admin, requests{v1alpha1.RequestPause: "a"}); err != nil {
		t.Fatal(err)
	}
	manifest := `{apiVersion: slipway.dev/v1alpha1, kind: CanaryRelease, metadata: {name: shop}, spec: {targetRef: {name: shop}, serviceRef: {name: shop},
  routeRefs: [{name: shop}], steps: [{weightPercent: 20}]}}`
	for _, how := range [][]string{{"apply", "-f", "-"}, {"apply", "--server-side", "--force-conflicts", "-f", "-"}} {
		if out, err := s.kubectl(editorUser, manifest, how...); err != nil {
			t.Errorf("kubectl %v: %s", how, out)
		}
	}
	if got := s.live().Annotations[v1alpha1.RequestPause]; got != "a" {
		t.Errorf("the request is %q after the apply, want that it stays", got)
	}
}
