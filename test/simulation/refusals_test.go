package simulation

import (
	"errors"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/release"
)

var errQuota = errors.New("exceeded quota: few")

// forbid has the API server refuse to create an object, as a quota does.
func (w *world) forbid(kind, name string) {
	w.faults.forbids = func(a attempt) error {
		if a.verb != "create" || kindOf(a.object) != kind || a.object.GetName() != name {
			return nil
		}
		return apierrors.NewForbidden(resourceOf(kind), name, errQuota)
	}
}

func (w *world) ready() *metav1.Condition {
	return meta.FindStatusCondition(w.release().Status.Conditions, v1alpha1.ConditionReady)
}

// What a quota refuses is said, is no fault of the version, and is asked for again until there is room.
func TestACanaryThatAQuotaRefusesGoesOnWhenThereIsRoom(t *testing.T) {
	tests := map[string]struct {
		kind, name string
		stage      release.Stage
		reason     string
	}{
		"the canary's Deployment":     {kindDeployment, twinName, release.Preparing, v1alpha1.ReasonCanaryNotScheduled},
		"the canary's Service":        {kindService, twinName, release.Preparing, v1alpha1.ReasonCanaryNotScheduled},
		"the Service of the old pods": {kindService, holdName, release.PromotionPreparing, v1alpha1.ReasonPromoting},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := calmWorld()
			w.forbid(tc.kind, tc.name)
			w.people.applyApp("v2")
			told := func() bool {
				return runOf(w.release()).Stage == tc.stage && w.ready().Reason == tc.reason && strings.Contains(w.ready().Message, errQuota.Error())
			}
			if !w.until(5*time.Minute, told) {
				t.Fatalf("%s, %+v\n%s", runOf(w.release()).Stage, w.ready(), w.story)
			}
			w.run(20 * time.Minute)
			if !told() {
				t.Errorf("twenty minutes later: %s, %+v", runOf(w.release()).Stage, w.ready())
			}
			w.faults.forbids = nil
			if !w.until(10*time.Minute, func() bool { return runOf(w.release()).Cause == release.Promoted }) || w.watcher.broken != nil {
				t.Errorf("not promoted: %v\n%s", w.watcher.broken, w.story)
			}
		})
	}
}

// What stands against releases is said before there is a change, and not any more when it is gone.
func TestWhatStandsAgainstAReleaseIsSaidBeforeAnyChange(t *testing.T) {
	w := calmWorld()
	foreign := appService()
	foreign.Name, foreign.Spec.Selector = holdName, map[string]string{"app": "somebody-else"}
	if err := w.server.create(gitUser, foreign); err != nil {
		t.Fatal(err)
	}
	w.server.edit(gitUser, "", kindRelease, appKey, func(o client.Object) { o.SetLabels(map[string]string{"team": "shop"}) })
	if !w.until(time.Minute, func() bool { return w.ready().Reason == "NameTaken" }) {
		t.Fatalf("nothing was said before a change: %+v", w.ready())
	}
	w.server.delete(gitUser, kindService, client.ObjectKeyFromObject(foreign))
	if !w.until(time.Minute, func() bool { return w.ready().Reason == v1alpha1.ReasonStable }) {
		t.Errorf("still said when it is gone: %+v", w.ready())
	}
}
