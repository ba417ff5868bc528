package simulation

import (
	"fmt"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/workload"
)

// checkTarget: the user's Deployment is written only as the record asks, and in nothing but template, pause and mark.
func (c *watcher) checkTarget(ch change) {
	old, ok := ch.old.(*appsv1.Deployment)
	if !ok || ch.new == nil || ch.sub != "" {
		c.fail("stable is never touched: the operator's %s of the Deployment", ch.verb)
		return
	}
	now := ch.new.(*appsv1.Deployment)
	if ptr.Deref(old.Spec.Replicas, 1) != ptr.Deref(now.Spec.Replicas, 1) || !maps.Equal(old.Labels, now.Labels) || !sameButMark(old, now) {
		c.fail("stable is never touched: the operator changes replicas, labels or annotations of the Deployment")
	}
	c.mustFollow(func(run release.Run) string { return c.againstTarget(old, now, run) })
}

// againstTarget says what speaks against a write of the Deployment that follows a record; empty for nothing.
func (c *watcher) againstTarget(old, now *appsv1.Deployment, run release.Run) string {
	changed := !workload.SameTemplate(old.Spec.Template, now.Spec.Template)
	name := workload.Revision(now.Spec.Template)
	switch {
	case changed && run.Want.Target != release.PutBack && run.Want.Target != release.Rehold:
		return fmt.Sprintf("record, then act: the operator writes template %s, and the record says %q", name, run.Want.Target)
	case changed && run.Want.Target == release.PutBack && name != run.Stable.Revision:
		return fmt.Sprintf("record, then act: the operator puts %s back, and stable is %s", name, run.Stable.Revision)
	case !old.Spec.Paused && now.Spec.Paused && run.Want.Target != release.Rehold && run.Want.Target != release.Freeze:
		return fmt.Sprintf("record, then act: the operator holds %s, and the record says %q", name, run.Want.Target)
	case old.Spec.Paused && !now.Spec.Paused:
		return c.againstLetGo(old, now, run)
	}
	return ""
}

func sameButMark(old, now *appsv1.Deployment) bool {
	a, b := maps.Clone(old.Annotations), maps.Clone(now.Annotations)
	delete(a, v1alpha1.HeldAnnotation)
	delete(b, v1alpha1.HeldAnnotation)
	return maps.Equal(a, b)
}

// againstLetGo: only what was decided on is rolled out, and nothing that was proven bad unless a person wants it.
func (c *watcher) againstLetGo(old, now *appsv1.Deployment, run release.Run) string {
	name := workload.Revision(now.Spec.Template)
	if !workload.Held(old) {
		return "stable is never touched: the operator resumes what its user has paused"
	}
	switch run.Want.Target {
	case release.PutBack:
	case release.LetGo:
		if run.Stage == release.Deleting {
			return ""
		}
		if name != run.Revision {
			return fmt.Sprintf("record, then act: %s is rolled out, and %s was decided on", name, run.Revision)
		}
		if c.rejected[name] && run.Retried != name && name != run.Stable.Revision && !c.promoted(now) {
			return fmt.Sprintf("rejected stays rejected: %s is rolled out", name)
		}
	case release.Keep, release.Rehold, release.Freeze:
		return fmt.Sprintf("record, then act: the operator lifts the hold, and the record says %q", run.Want.Target)
	}
	return ""
}

// promoted says that a template was stable before, so that it is rolled out at once when it comes back.
func (c *watcher) promoted(d *appsv1.Deployment) bool {
	var revisions []appsv1.ControllerRevision
	for _, o := range c.w.server.list(kindRevision) {
		revisions = append(revisions, *o.(*appsv1.ControllerRevision))
	}
	return workload.FindTemplate(revisions, workload.RevisionStable, d.Spec.Template) != nil
}
