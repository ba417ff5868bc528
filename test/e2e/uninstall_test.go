package e2e

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// uninstalled removes everything as the page says, with a release that is done, one in a step, one half-way through its
// promotion and one that was rolled back. Every app serves all the time, and serves what its page says afterwards.
func uninstalled(tb testing.TB, done, midStep, promoting, rolledBack *scene) {
	tb.Helper()
	for s, stage := range map[*scene]string{done: "Promoted", midStep: "Judging", promoting: "Judging", rolledBack: "RolledBack"} {
		defer func() { s.Logf("%s was the one at %s", s.namespace, stage) }()
	}
	atOnce(tb,
		func() { done.serveUnder("Promoted") },
		func() { midStep.serveUnder("Judging") },
		func() { promoting.serveUnder("Judging") },
		func() { rolledBack.serveUnder("RolledBack") },
	)
	promoting.promoteTo("PromotionRolling")

	documented(tb, "delete-releases")
	if left := documented(tb, "nothing-left"); left != "" {
		tb.Errorf("the page finds left behind: %s", left)
	}
	documented(tb, "remove")
	wantNoneOfUs(tb)
	for s, version := range map[*scene]string{done: "v5", midStep: "v1", promoting: "v5", rolledBack: "v1"} {
		s.wantNothingOfOurs()
		s.wantStable()
		s.wantShare(s.sample(fewest/3), version, 1)
		s.wantNoHarm()
	}
	// Nobody holds changes any more.
	midStep.apply(midStep.manifest(good("v6")))
	midStep.awaitRolledOut("shop")
	install(tb)
}

func (s *scene) serveUnder(stage string) {
	s.Helper()
	s.startLoad(60)
	s.adopt(plan{steps: stays})
	s.bringTo(good("v5"), stage)
}

// wantNoneOfUs says that the cluster knows nothing of us.
func wantNoneOfUs(tb testing.TB) {
	tb.Helper()
	const kinds = "crd,clusterrole,clusterrolebinding,namespace,mutatingadmissionpolicy,mutatingadmissionpolicybinding," +
		"validatingadmissionpolicy,validatingadmissionpolicybinding"
	for line := range strings.Lines(shell(tb, checkout, "kubectl get "+kinds+" -o name")) {
		if strings.Contains(line, "slipway") {
			tb.Errorf("left in the cluster: %s", line)
		}
	}
}

// marked names the objects of a list that are ours, or that carry something of ours.
func marked(list client.ObjectList) []string {
	var found []string
	err := meta.EachListItem(list, func(item runtime.Object) error {
		object := item.(client.Object)
		name := fmt.Sprintf("%T %s", item, object.GetName())
		ourName := strings.HasSuffix(object.GetName(), v1alpha1.CanarySuffix) || strings.HasSuffix(object.GetName(), v1alpha1.StableHoldSuffix)
		if ourName || len(oursIn(object.GetAnnotations()))+len(oursIn(object.GetLabels())) > 0 {
			found = append(found, name)
		}
		for _, finalizer := range object.GetFinalizers() {
			if strings.HasPrefix(finalizer, ours) {
				found = append(found, "finalizer of "+name)
			}
		}
		for _, owner := range object.GetOwnerReferences() {
			if strings.HasPrefix(owner.APIVersion, ours) {
				found = append(found, name+", which a "+owner.Kind+" owns")
			}
		}
		return nil
	})
	if err != nil {
		found = append(found, err.Error())
	}
	return found
}
