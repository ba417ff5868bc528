package e2e

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// People say by kubectl slipway what is to become of a release, each within their rights; wait and status tell scripts
// and people how it ended.
func verbsOfPeople(tb testing.TB) {
	s, stable := standing(tb, setting{rate: 100})
	manager := s.user("manager", "view", "slipway-release-manager")
	editor := s.user("editor", "edit")

	editor.wantStatusOnOneScreen()
	editor.wantRefusedAtAdmission("promote", "pause", "resume", "retry")
	manager.wantRefusedByTheOperator()
	manager.wantPausedAndResumed()
	s.wantShare(s.sample(fewest), "v2", 0.2)
	s.wantHeld(good("v2"), stable)

	ended := editor.starts("wait", "deployment/shop")
	editor.wants(editor.slipway("abort", "shop"), 0, "answer: aborted")
	s.awaitRolledBack(v1alpha1.ReasonAbortedByPerson)
	editor.wants(<-ended, 1, "rolled back: "+v1alpha1.ReasonAbortedByPerson)
	s.wantRouteAsWritten()
	s.wantShare(s.sample(fewest/3), "v2", 0)
	s.wantHeld(good("v2"), stable)

	s.fromHere()
	manager.wants(manager.slipway("retry", "shop"), 0, "answer: tried again")
	s.awaitHold("1/2")
	ended = manager.starts("wait", "shop")
	manager.wants(manager.slipway("promote", "shop"), 0, "answer: promoted by a person")
	s.awaitPromoted()
	manager.wants(<-ended, 0, "promoted: revision "+s.current().Status.Revision)
	s.wantShare(s.sample(fewest/3), "v2", 1)

	// What was stable before this one need not prove itself again.
	s.push(good("v1"))
	s.awaitLetThrough("it was promoted before, within rollbackWindow")
	s.wantShare(s.sample(fewest/3), "v1", 1)
	s.wantNoHarm()
}

// fromHere is where what is waited for begins.
func (s *scene) fromHere() { s.pushed = s.releases.len() }

// wantStatusOnOneScreen looks for what somebody has to know of a release at its first step.
func (p person) wantStatusOnOneScreen() {
	p.Helper()
	const lines, columns = 40, 110
	have := p.slipway("status", "shop")
	p.wants(have, 0, "held on revision "+p.current().Status.Revision, "stage Judging; reason WaitingForPerson", "[20% hold] 50%",
		"weight 20% of the traffic", "evidence harm", "errors", "latency", "HTTPRoute shop: shop 80%, shop-canary 20%; applied: True", "ScalingLimited")
	if strings.Contains(have.text, "not shown") {
		p.Error("the status says that something cannot be shown to who may edit the namespace")
	}
	if n := strings.Count(have.text, "\n"); n > lines {
		p.Errorf("the status has %d lines, and a screen %d", n, lines)
	}
	for line := range strings.Lines(have.text) {
		if len(line)-1 > columns {
			p.Errorf("the status has a line of %d characters, and a screen %d: %s", len(line)-1, columns, line)
		}
	}
}

// wantRefusedAtAdmission says that a missing right is named, by the command and by the annotation that it writes alike,
// and that nothing came of it.
func (p person) wantRefusedAtAdmission(verbs ...string) {
	p.Helper()
	cr := p.current()
	for _, verb := range verbs {
		parts := []string{
			"may not " + verb + " CanaryRelease " + p.namespace + "/shop", "needs the RBAC verb " + verb + " on canaryreleases.slipway.dev", "slipway-release-manager",
		}
		p.wants(p.slipway(verb, "shop"), 1, parts...)
		p.wants(p.kubectl("annotate", "canaryrelease", "shop", ours+verb+"="+cr.Status.Revision), 1, parts...)
	}
	if now := p.current(); now.Status.Stage != cr.Status.Stage || now.Status.Step != cr.Status.Step || len(oursIn(now.Annotations)) > 0 {
		p.Errorf("something came of what was refused: annotations %q, %s", oursIn(now.Annotations), describe(now))
	}
}

// wantRefusedByTheOperator says that a request for another revision, or one that means nothing now, changes nothing, and
// that an Event says so.
func (p person) wantRefusedByTheOperator() {
	p.Helper()
	cr := p.current()
	other := fmt.Sprintf("promote of revision %s refused: the release is of revision %s", cr.Status.StableRevision, cr.Status.Revision)
	p.wants(p.slipway("promote", "shop", "--revision", cr.Status.StableRevision), 1, other)
	p.wants(p.slipway("retry", "shop"), 1, "retry refused: it means nothing while the release is Judging")
	for _, note := range []string{other, "retry refused"} {
		if !p.hasEvent("Request", note) {
			p.Errorf("no Event says %q", note)
		}
	}
	if now := p.current(); now.Status.Stage != cr.Status.Stage || now.Status.Step != cr.Status.Step {
		p.Errorf("something came of what was refused: %s", describe(now))
	}
}

func (s *scene) hasEvent(reason, note string) bool {
	s.Helper()
	list := &corev1.EventList{}
	if err := shared.List(s.Context(), list, client.InNamespace(s.namespace)); err != nil {
		s.Fatalf("list Events: %v", err)
	}
	for _, e := range list.Items {
		if e.InvolvedObject.Kind == "CanaryRelease" && e.Reason == reason && strings.Contains(e.Message, note) {
			return true
		}
	}
	return false
}

// wantPausedAndResumed says that a pause keeps the release where it is, and that resume takes back the pause alone: the
// hold of the step still waits.
func (p person) wantPausedAndResumed() {
	p.Helper()
	p.wants(p.slipway("pause", "shop"), 0, "answer: paused")
	p.awaitNow(v1alpha1.ReasonPaused)
	p.wants(p.slipway("resume", "shop"), 0, "answer: resumed")
	p.awaitNow(v1alpha1.ReasonWaitingForPerson)
	if have := p.current(); have.Status.Step != "1/2" || have.Status.Weight != "20%" {
		p.Errorf("pause and resume moved the release: %s", describe(have))
	}
}

// awaitNow waits until the release, as it is now, has a reason.
func (s *scene) awaitNow(want string) {
	s.Helper()
	s.until("reason "+want, usual, func() (bool, string) {
		return reason(s.current()) == want, describe(s.current())
	})
}
