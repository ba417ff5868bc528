package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/test/gitops"
)

// gitopsTools are what GitOps tools see and do at each stage of a release, asked of their own libraries. What they have to
// see is the table of docs/gitops.md; what they are set to is on that page too.
var gitopsTools = []scenario{
	{"gitops-flux", releasedByFlux},
	{"gitops-argocd-server-side", releasedByArgoCD},
	{"gitops-argocd-client-side", releasedByArgoCDClientSide},
}

// gitTool is a GitOps tool as a user sees it.
type gitTool interface {
	Apply(ctx context.Context, objects []*unstructured.Unstructured) error
	Drift(ctx context.Context, object *unstructured.Unstructured) (string, error)
	// Mine says whether the tool would take an object for one of its own, and so might prune it.
	Mine(object client.Object) bool
}

func releasedByFlux(tb testing.TB) {
	newRepository(tb, gitops.NewFlux(shared, "shop")).story()
}

func releasedByArgoCD(tb testing.TB) {
	newRepository(tb, newArgoCD(tb, true, nil)).story()
}

// Without server-side diff the shares are seen, and ignored as the page says.
func releasedByArgoCDClientSide(tb testing.TB) {
	argo := newArgoCD(tb, false, readPage(tb).IgnoreRoutePaths)
	r := newRepository(tb, argo)
	r.atStep = func() {
		drift, err := argo.DriftWithoutIgnoring(r.Context(), r.git["HTTPRoute"])
		if err != nil || !strings.Contains(drift, v1alpha1.CanarySuffix) {
			r.Errorf("without ignoreDifferences the shares are no drift: %q, %v; then the page need not ask for it", drift, err)
		}
	}
	r.story()
}

func readPage(tb testing.TB) gitops.Page {
	tb.Helper()
	page, err := gitops.ReadPage("../../docs/gitops.md")
	if err != nil {
		tb.Fatal(err)
	}
	return page
}

func newArgoCD(tb testing.TB, serverSide bool, ignored []string) *gitops.ArgoCD {
	tb.Helper()
	argo, err := gitops.NewArgoCD(shared, shared.config, gitops.ArgoOptions{
		Application: "shop", ServerSide: serverSide, IgnoreRoutePaths: ignored, ReleaseHealth: readPage(tb).ReleaseHealth,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(argo.Close)
	return argo
}

// repository is what a user keeps in Git, and the tool that brings it into the cluster.
type repository struct {
	*scene
	page   gitops.Page
	tool   gitTool
	flux   *gitops.Flux
	argoCD *gitops.ArgoCD
	git    map[string]*unstructured.Unstructured // by kind
	audit  *audit
	atStep func()
}

func newRepository(tb testing.TB, tool gitTool) *repository {
	tb.Helper()
	r := &repository{
		page: readPage(tb), tool: tool, flux: gitops.NewFlux(shared, "health"), argoCD: newArgoCD(tb, true, nil),
		git: map[string]*unstructured.Unstructured{}, atStep: func() {},
	}
	r.scene = newScene(tb, setting{apply: func(s *scene, object *unstructured.Unstructured) {
		object.SetNamespace(s.namespace)
		r.git[object.GetKind()] = object
		if err := tool.Apply(s.Context(), []*unstructured.Unstructured{object}); err != nil {
			s.Fatalf("sync: %v", err)
		}
	}})
	r.commit(plan{keep: "10m"}.manifest())
	return r
}

func (r *repository) commit(objects ...*unstructured.Unstructured) {
	for _, object := range objects {
		object.SetNamespace(r.namespace)
		r.git[object.GetKind()] = object
	}
}

// sync is what the tool does at each of its intervals, or when something new is in Git.
func (r *repository) sync() {
	r.Helper()
	var objects []*unstructured.Unstructured
	for _, kind := range []string{"Service", "HTTPRoute", "Deployment", "CanaryRelease"} {
		objects = append(objects, r.git[kind])
	}
	if err := r.tool.Apply(r.Context(), objects); err != nil {
		r.Fatalf("sync: %v", err)
	}
}

// syncNew has the tool bring a commit into the cluster. Nobody looks for drift meanwhile: there is, and the tool is at it.
func (r *repository) syncNew(objects ...*unstructured.Unstructured) {
	r.Helper()
	r.audit.mu.Lock()
	defer r.audit.mu.Unlock()
	r.pushed = r.releases.len()
	r.commit(objects...)
	r.sync()
}

// story is one change through all that may become of it.
func (r *repository) story() {
	r.sync()
	r.until("adoption", usual, func() (bool, string) {
		cr, found := r.releases.last("shop")
		return found && is(cr.Status.Conditions, v1alpha1.ConditionReady), describe(cr)
	})
	r.audit = startAudit(r)
	r.wantStage("`Idle`, before")

	r.syncNew(deployment("shop", good("v2")))
	r.awaitState("a canary that starts", usual, func(cr *v1alpha1.CanaryRelease) bool { return cr.Status.Stage == "Preparing" })
	r.wantStage("held, until promotion")
	r.awaitShare()
	r.wantStage("held, until promotion")
	r.annotate(v1alpha1.RequestPause)
	r.awaitReason(usual, v1alpha1.ReasonPaused)
	r.wantStage("waits for a person, paused")
	r.wantSyncChangesNothing()
	r.wantNotMine()
	r.atStep()

	r.undonePromotion()
	r.wantStage("rolled back")
	r.wantSyncChangesNothing()

	r.pushed = r.releases.len()
	r.annotate(v1alpha1.RequestRetry)
	r.awaitShare()
	r.wantStage("held, until promotion")
	r.pushed = r.releases.len()
	r.annotate(v1alpha1.RequestPromote)
	r.seeStage("promotion rolls", "PromotionRolling")
	r.awaitPromoted()
	r.wantStage("`Idle`, promoted")

	broken := plan{keep: "10m"}.manifest()
	mustSet(broken, "nowhere", "spec", "serviceRef", "name")
	r.syncNew(broken, deployment("shop", good("v3")))
	r.awaitState("refusal", usual, func(cr *v1alpha1.CanaryRelease) bool {
		return is(cr.Status.Conditions, v1alpha1.ConditionStalled) && reason(cr) == v1alpha1.ReasonServiceNotFound
	})
	r.wantStage("refused, or suspended before it began (`Stalled`)")
	r.syncNew(plan{keep: "10m"}.manifest(), deployment("shop", good("v2")))
	r.until("end of the release that Git took back", long, func() (bool, string) {
		cr := r.current()
		return is(cr.Status.Conditions, v1alpha1.ConditionReady) && !r.shop().Spec.Paused, describe(cr)
	})
	r.wantStage("`Idle`, before")
	r.audit.end()
}

// awaitShare waits until the canary has the share of the first step.
func (r *repository) awaitShare() {
	r.Helper()
	r.awaitState("share of the first step", long, func(cr *v1alpha1.CanaryRelease) bool {
		return cr.Status.Stage == "Judging" && cr.Status.Weight == "20%"
	})
}

// undonePromotion has a person abort when pods of the change serve already, and the tool sync while the old template is
// written back.
func (r *repository) undonePromotion() {
	r.Helper()
	stable := r.current().Status.StableRevision
	r.pushed = r.releases.len()
	r.annotate(v1alpha1.RequestPromote)
	r.seeStage("promotion rolls", "PromotionRolling")
	r.until("ready pod of the change", usual, func() (bool, string) {
		// The second one comes when the first is ready and an old one is gone.
		d := r.shop()
		return d.Status.UpdatedReplicas > 1, compact(d.Status)
	})
	r.annotate(v1alpha1.RequestAbort)
	r.seeStage("promotion undone, stable comes back", "PuttingBack")
	r.sync()
	r.until("rollback", long, func() (bool, string) {
		cr := r.current()
		return cr.Status.Stage == "RolledBack", describe(cr)
	})
	if have := r.current().Status.StableRevision; have != stable {
		r.Errorf("revision %s is stable after a promotion that was undone, was %s", have, stable)
	}
	r.awaitAnswer("v1")
}

// wantStage says that nothing differs from Git, and that health is what the page says.
func (r *repository) wantStage(row string) {
	r.Helper()
	want, found := r.page.Expected[row]
	if !found {
		r.Fatalf("docs/gitops.md has no row %q", row)
	}
	r.until("health as in the row "+row, usual/2, func() (bool, string) {
		have := r.health()
		return have == want, fmt.Sprintf("%+v, want %+v: %s", have, want, describe(r.current()))
	})
	for kind := range r.git {
		if drift := r.drift(kind); drift != "" {
			r.Errorf("%s: %s is not as in Git (-live +after a sync):\n%s", row, kind, drift)
		}
	}
}

// seeStage says that health was what the page says at some moment of a stage that does not last.
func (r *repository) seeStage(row, stage string) {
	r.Helper()
	want, found := r.page.Expected[row]
	if !found {
		r.Fatalf("docs/gitops.md has no row %q", row)
	}
	r.until("health as in the row "+row, long, func() (bool, string) {
		before := r.current().Status.Stage
		have := r.health()
		return before == stage && r.current().Status.Stage == stage && have == want,
			fmt.Sprintf("%+v, want %+v: %s", have, want, describe(r.current()))
	})
}

func (r *repository) health() gitops.Expectation {
	r.Helper()
	live := map[string]*unstructured.Unstructured{}
	for _, kind := range []string{"Deployment", "CanaryRelease"} {
		object := r.git[kind].DeepCopy()
		if err := shared.Get(r.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			r.Fatal(err)
		}
		live[kind] = object
	}
	return gitops.Expectation{
		DeploymentFlux: r.healthOf(r.flux.Health, live["Deployment"]), DeploymentArgo: r.healthOf(r.argoCD.Health, live["Deployment"]),
		ReleaseFlux: r.healthOf(r.flux.Health, live["CanaryRelease"]), ReleaseArgo: r.healthOf(r.argoCD.Health, live["CanaryRelease"]),
	}
}

func (r *repository) healthOf(ask func(*unstructured.Unstructured) (string, error), object *unstructured.Unstructured) string {
	r.Helper()
	word, err := ask(object)
	if err != nil {
		r.Fatalf("health of %s: %v", object.GetKind(), err)
	}
	return word
}

// drift asks the tool. What changed while it was asked says nothing, so it is asked again then.
func (r *repository) drift(kind string) string {
	r.Helper()
	found := ""
	r.until("answer about drift of "+kind, usual, func() (bool, string) {
		drift, steady, err := r.askForDrift(kind)
		if err != nil {
			return false, err.Error()
		}
		found = drift
		return drift == "" || steady, "it changes all the time"
	})
	return found
}

// askForDrift also says whether the object stayed as it was meanwhile.
func (r *repository) askForDrift(kind string) (drift string, steady bool, err error) {
	before, err := r.versionOf(kind)
	if err != nil {
		return "", false, err
	}
	if drift, err = r.tool.Drift(r.Context(), r.git[kind]); err != nil {
		return "", false, err
	}
	after, err := r.versionOf(kind)
	return drift, before == after, err
}

func (r *repository) versionOf(kind string) (string, error) {
	object := r.git[kind].DeepCopy()
	err := shared.Get(r.Context(), client.ObjectKeyFromObject(object), object)
	return object.GetResourceVersion(), err
}

// wantSyncChangesNothing has the tool apply what it has applied before.
func (r *repository) wantSyncChangesNothing() {
	r.Helper()
	before, stage := r.generations(), r.current().Status.Stage
	r.sync()
	if after := r.generations(); after != before {
		r.Errorf("a sync of what was synced before changed generations from %s to %s", before, after)
	}
	if after := r.current().Status.Stage; after != stage {
		r.Errorf("a sync of what was synced before took the release from %s to %s", stage, after)
	}
}

func (r *repository) generations() string {
	r.Helper()
	d := r.shop()
	return fmt.Sprintf("Deployment %d, HTTPRoute %d", d.Generation, r.liveRoute().GetGeneration())
}

// wantNotMine says that no tool would take the objects of a release for its own.
func (r *repository) wantNotMine() {
	r.Helper()
	canary := "shop" + v1alpha1.CanarySuffix
	for name, object := range map[string]client.Object{canary: &appsv1.Deployment{}, canary + " ": &corev1.Service{}, "shop": &v1alpha1.TrafficSplit{}} {
		if !r.get(object, strings.TrimSpace(name)) {
			r.Errorf("%T %s is not there", object, name)
		}
		if r.tool.Mine(object) {
			r.Errorf("the tool takes %T %s for its own: labels %q, annotations %q", object, name, object.GetLabels(), object.GetAnnotations())
		}
	}
}

func mustSet(object *unstructured.Unstructured, value string, path ...string) {
	if err := unstructured.SetNestedField(object.Object, value, path...); err != nil {
		panic(err)
	}
}
