package simulation

import (
	"fmt"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

// checkSplit: the split's spec says what the release's record wants, and its own records only go up.
func (c *watcher) checkSplit(ch change) {
	now := ch.new.(*v1alpha1.TrafficSplit)
	old, _ := ch.old.(*v1alpha1.TrafficSplit)
	if ch.user != operatorUser {
		return
	}
	if ch.sub == "status" {
		c.checkSplitRecord(old, now)
		return
	}
	cr := c.w.release()
	if cr == nil || (old != nil && equality.Semantic.DeepEqual(old.Spec, now.Spec)) {
		return
	}
	got := release.Shares{
		Stable: weightIn(now.Spec.Backends, appName), Canary: weightIn(now.Spec.Backends, twinName), Hold: weightIn(now.Spec.Backends, holdName),
	}
	c.mustFollow(func(run release.Run) string {
		if want := run.Want; !want.Split || got != want.Shares {
			return fmt.Sprintf("record, then act: the split asks for %+v, and the record wants %+v", got, want.Shares)
		}
		return ""
	})
}

func (c *watcher) checkSplitRecord(old, now *v1alpha1.TrafficSplit) {
	run := now.Status.Run
	if run.Sequence == nil {
		return
	}
	if *run.Sequence < ptr.Deref(old.Status.Run.Sequence, 0) {
		c.fail("never back: the split's record goes from %d to %d", *old.Status.Run.Sequence, *run.Sequence)
	}
	var backends []traffic.Backend
	for _, b := range run.Backends {
		backends = append(backends, traffic.Backend{Name: b.Name, Weight: ptr.Deref(b.Weight, 0)})
	}
	of := c.recorded[now.UID]
	if of == nil {
		of = map[int64][]traffic.Backend{}
		c.recorded[now.UID] = of
	}
	if was, ok := of[*run.Sequence]; ok && !slices.Equal(was, backends) {
		c.fail("record, then act: record %d of the split was %v and is %v", *run.Sequence, was, backends)
	}
	of[*run.Sequence] = backends
	c.checkFeathers(old, now)
	c.checkApplied(now)
}

// checkFeathers: a backend enters by a feather, and leaves by one, unless a split that is being deleted has waited for
// the data plane long enough.
func (c *watcher) checkFeathers(old, now *v1alpha1.TrafficSplit) {
	was, is := old.Status.Run, now.Status.Run
	if was.Sequence == nil || *was.Sequence == *is.Sequence || now.DeletionTimestamp != nil {
		return
	}
	for _, b := range is.Backends {
		if weightIn(was.Backends, b.Name) == 0 && !feather(is.Backends, b.Name) {
			c.fail("backends enter by a feather: %s enters at %d", b.Name, ptr.Deref(b.Weight, 0))
		}
	}
	for _, b := range was.Backends {
		if weightIn(is.Backends, b.Name) == 0 && !feather(was.Backends, b.Name) {
			c.fail("backends leave by a feather: %s leaves at %d", b.Name, ptr.Deref(b.Weight, 0))
		}
	}
}

func feather(backends []v1alpha1.WeightedBackend, name string) bool {
	var total int64
	for _, b := range backends {
		total += int64(ptr.Deref(b.Weight, 0))
	}
	return int64(weightIn(backends, name))*traffic.FeatherTotal <= total
}

// checkApplied: what is called applied is what the data plane does.
func (c *watcher) checkApplied(split *v1alpha1.TrafficSplit) {
	for _, condition := range split.Status.Conditions {
		if condition.Type != v1alpha1.ConditionTrafficApplied || condition.Status != "True" || condition.Reason != "Applied" {
			continue
		}
		for _, b := range split.Status.Run.Backends {
			if b.Name != appName && ptr.Deref(b.Weight, 0) > 0 && c.w.plane.weights[b.Name] == 0 && !c.w.people.disturbed() {
				c.fail("applied is applied: the data plane knows nothing of %s, which is called applied", b.Name)
			}
		}
	}
}

// checkRoute: the operator's write of a route carries recorded splits, never earlier ones than before, as they were
// recorded, and leaves what users wrote as it was.
func (c *watcher) checkRoute(route *unstructured.Unstructured) {
	carried := gatewayapi.Carried(route)
	for _, s := range carried {
		if s.Sequence < c.onRoute[s.UID] {
			c.fail("never back: the route goes from record %d of split %s to %d", c.onRoute[s.UID], s.Name, s.Sequence)
		}
		c.onRoute[s.UID] = s.Sequence
		was, ok := c.recordOf(s)
		if !ok || !slices.Equal(was, s.Backends) {
			c.fail("record, then act: the route carries %v as record %d, which is %v", s.Backends, s.Sequence, was)
		}
	}
	if gatewayapi.WrittenOver(route) {
		c.fail("the operator's own write does not carry what it says")
	}
	restored, err := gatewayapi.HTTPRoute{}.Restore(route)
	if err != nil {
		c.fail("others' fields: the route cannot be restored: %v", err)
		return
	}
	if !reflect.DeepEqual(restored.Object["spec"], any(c.w.people.route)) {
		c.fail("others' fields: the route would be restored to %v, and its users wrote %v", restored.Object["spec"], c.w.people.route)
	}
}

func (c *watcher) recordOf(s traffic.Split) ([]traffic.Backend, bool) {
	for uid, records := range c.recorded {
		if string(uid) == s.UID {
			was, ok := records[s.Sequence]
			return was, ok
		}
	}
	return nil, false
}
