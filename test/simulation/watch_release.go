package simulation

import (
	"encoding/json"
	"regexp"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/workload"
)

// stepSeen is what Prometheus has counted since a step's share was applied.
type stepSeen struct {
	since time.Time
	// requests is what Prometheus had counted of the canary when it began.
	requests float64
}

// fewestRequests is what no verdict can be had with: a step that is left with fewer was left without evidence.
const fewestRequests = 45

// checkRecord checks a decision when it is stored.
func (c *watcher) checkRecord(old, now *v1alpha1.CanaryRelease) {
	was, is := runOf(old), runOf(now)
	c.last = is
	c.checkWords(now)
	c.stored[now.UID] = max(c.stored[now.UID], ptr.Deref(now.Status.Run.Sequence, 0))
	if ptr.Deref(now.Status.Run.Sequence, 0) < ptr.Deref(old.Status.Run.Sequence, 0) {
		c.fail("never back: the record goes from %d to %d", *old.Status.Run.Sequence, ptr.Deref(now.Status.Run.Sequence, 0))
	}
	if was.Want != is.Want && is.Sequence <= was.Sequence {
		c.fail("never back: the record wants something else, and its number stays %d", is.Sequence)
	}
	if is.Stage == release.Judging && was.Stage != release.Judging {
		c.step = stepSeen{since: c.w.loop.now, requests: c.w.prometheus.counted()}
	}
	if is.Stage == release.Checking && was.Stage != release.Checking && c.rejected[is.Revision] && is.Retried != is.Revision {
		c.fail("rejected stays rejected: %s is tried again", is.Revision)
	}
	c.checkForward(was, is)
	c.checkBack(was, is)
}

// checkForward: a step is left, and a release promoted, by evidence or by a person.
func (c *watcher) checkForward(was, is release.Run) {
	left := was.Stage == release.Judging && (is.Stage == release.PromotionPreparing || is.Stage == release.Preparing)
	if left && !c.w.people.hasAsked(release.Promote, is.Revision) {
		if seen := c.w.prometheus.counted() - c.step.requests; seen < fewestRequests {
			c.fail("no evidence is not good evidence: step %d is left with %.0f requests seen", was.Step+1, seen)
		}
		if p := c.w.prometheus; c.w.loop.now.Before(p.awayUntil) && c.w.loop.now.After(p.awayFrom) {
			c.fail("no evidence is not good evidence: step %d is left while Prometheus is away", was.Step+1)
		}
		if c.isBad(is.Canary) {
			c.fail("no evidence is not good evidence: step %d is left with a version that answers badly", was.Step+1)
		}
	}
	if is.Stage == release.Shifting && was.Stage != release.Shifting && is.Step > was.Step {
		c.fail("no evidence is not good evidence: a step was left out")
	}
	if is.Stage == release.Idle && is.Cause == release.Promoted && was.Stage == release.PromotionFinishing {
		c.checkPromoted(is)
	}
}

func (c *watcher) checkPromoted(is release.Run) {
	for _, o := range c.w.server.list(kindReplicaSet) {
		rs := o.(*appsv1.ReplicaSet)
		if string(rs.UID) == is.Stable.UID && workload.Revision(rs.Spec.Template) == is.Stable.Revision {
			return
		}
	}
	if d, ok := c.w.server.get(kindDeployment, appKey).(*appsv1.Deployment); ok && !c.w.people.disturbed() {
		c.fail("promoted: %s is called stable, and no ReplicaSet of Deployment %s has it", is.Stable.Revision, versionOf(d.Spec.Template))
	}
}

// checkBack: harm is called proven only where there is some, and no data is no harm.
func (c *watcher) checkBack(was, is release.Run) {
	if is.Outcome != release.Rejected || was.Outcome == release.Rejected {
		return
	}
	c.rejected[is.Canary] = true
	harm := is.Cause == release.HarmProven || is.Cause == release.LimitExceeded
	switch {
	case harm:
		if !c.isBad(is.Canary) && c.w.traffic.unanswered[twinName] == 0 {
			c.fail("no evidence is not bad evidence: harm is called proven for a version that answers well")
		}
	case is.Cause == release.NoData || is.Cause == release.InconclusiveEvidence:
		c.fail("no evidence is not bad evidence: rolled back for %s", is.Cause)
	}
}

// isBad says whether the version with that short name answers worse than is tolerated.
func (c *watcher) isBad(revision string) bool {
	for version, share := range c.w.traffic.badShare {
		if workload.Revision(appTemplate(version)) == revision {
			return share > tolerated
		}
	}
	return false
}

// tolerated is above what good versions answer badly, and below what bad ones do.
const tolerated = 0.05

var reasonWords = regexp.MustCompile(`^[A-Z][A-Za-z]+$`)

// checkWords: a user sees where the release stands, and why.
func (c *watcher) checkWords(cr *v1alpha1.CanaryRelease) {
	if len(cr.Status.Conditions) == 0 {
		return
	}
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionAccepted, v1alpha1.ConditionTrafficApplied} {
		condition := meta.FindStatusCondition(cr.Status.Conditions, kind)
		if condition == nil || condition.Message == "" || !reasonWords.MatchString(condition.Reason) {
			c.fail("a user sees why: condition %s is %+v", kind, condition)
			return
		}
	}
	is := func(kind string) bool { return meta.IsStatusConditionTrue(cr.Status.Conditions, kind) }
	said := 0
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
		if is(kind) {
			said++
		}
	}
	if said != 1 {
		c.fail("a user sees why: Ready, Reconciling and Stalled: %d of them are true", said)
	}
	run := runOf(cr)
	if stage := cr.Status.Stage; stage != string(run.Stage) && (stage != "Idle" || run.Stage != release.Idle) {
		c.fail("a user sees why: status says %s, and the record %q", stage, run.Stage)
	}
	if run.Stage == release.RolledBack && !is(v1alpha1.ConditionStalled) {
		c.fail("a user sees why: rolled back, and not stalled")
	}
	if !json.Valid([]byte(cr.Status.Run.Record)) || !slices.Contains(release.Stages(), run.Stage) {
		c.fail("a user sees why: the record cannot be read")
	}
}
