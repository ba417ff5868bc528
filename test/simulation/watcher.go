package simulation

import (
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/store"
	"slipway.dev/slipway/internal/traffic"
)

// watcher checks after every write what must always hold, and before every write of the operator what must come first.
type watcher struct {
	w      *world
	broken error
	// writes counts those of the operator.
	writes int
	// recorded are the backends of every record of every split; stamped is the latest stamp of each object.
	recorded map[types.UID]map[int64][]traffic.Backend
	stamped  map[types.UID]int64
	// stored is the highest number of a record that was ever stored, of each release.
	stored map[types.UID]int64
	// onRoute is the latest record of each split that a route has carried.
	onRoute map[string]int64
	// last is the operator's latest record of the release, also when somebody has emptied its status since.
	last release.Run
	// leavingSince is since when the record has users off a canary that they may still be on.
	leavingSince time.Time
	// steps is what was seen of the present step.
	step stepSeen
	// rejected are the templates that were ever rejected, by short name, and retried those a person wants tried again.
	rejected map[string]bool
}

func newWatcher(w *world) *watcher {
	return &watcher{
		w: w, recorded: map[types.UID]map[int64][]traffic.Backend{}, stamped: map[types.UID]int64{}, onRoute: map[string]int64{},
		rejected: map[string]bool{}, stored: map[types.UID]int64{},
	}
}

// mustFollow checks a write against the latest record. One that leads no more may follow the last record that it knew.
func (c *watcher) mustFollow(complaint func(run release.Run) string) {
	said := complaint(c.last)
	if said != "" && c.w.writing != c.w.operator {
		said = complaint(c.w.writing.knew)
	}
	if said != "" {
		c.fail("%s", said)
	}
}

func (c *watcher) fail(format string, args ...any) {
	if c.broken == nil {
		c.broken = fmt.Errorf(format, args...)
		c.w.story.tell("BROKEN: %v", c.broken)
	}
}

// attempted checks how the operator writes: only onto what it has read, and what takes users off first.
func (c *watcher) attempted(by *process, a attempt) {
	kind, name := kindOf(a.object), a.object.GetName()
	c.writes++
	switch a.verb {
	case "patch":
		var body map[string]any
		_ = json.Unmarshal(a.data, &body)
		if version, _, _ := unstructured.NestedString(body, "metadata", "resourceVersion"); version == "" {
			c.fail("compare and swap: %s %s is patched whatever its version is", kind, name)
		}
	case "delete":
		if p := a.preconditions; p == nil || p.UID == nil || p.ResourceVersion == nil {
			c.fail("compare and swap: %s %s is deleted whatever its version is", kind, name)
		}
	}
	switch {
	case kind == kindPod || kind == kindReplicaSet || kind == kindSlice || (kind == kindService && name == appName):
		c.fail("stable is never touched: the operator writes %s %s", kind, name)
	case !movesTraffic(a) && kind != kindRelease && by == c.w.operator && c.usersToMove():
		c.fail("rollback comes first: %s %s is written while the split that was read still gives the canary its share", kind, name)
	}
}

// usersToMove says that the record has users off the canary, and that the split does not, neither as it is nor as the
// operator has read it.
func (c *watcher) usersToMove() bool {
	cr := c.w.release()
	if cr == nil {
		return false
	}
	if want := runOf(cr).Want; !want.Split || want.Shares.Canary > 0 {
		return false
	}
	return givesCanary(c.w.server.get(kindSplit, appKey)) && givesCanary(c.w.operator.cache.has[kindSplit][appKey])
}

func givesCanary(o client.Object) bool {
	split, ok := o.(*v1alpha1.TrafficSplit)
	return ok && split.DeletionTimestamp == nil && weightIn(split.Spec.Backends, twinName) > release.Feather
}

func weightIn(backends []v1alpha1.WeightedBackend, name string) int32 {
	for _, b := range backends {
		if b.Name == name {
			return ptr.Deref(b.Weight, 0)
		}
	}
	return 0
}

// hear checks what was stored.
func (c *watcher) hear(ch change) {
	if ch.user == operatorUser && ch.new != nil {
		c.checkStamp(ch)
	}
	switch {
	case ch.kind == kindRelease && ch.sub == "status" && ch.new != nil && ch.user == operatorUser:
		c.checkRecord(ch.old.(*v1alpha1.CanaryRelease), ch.new.(*v1alpha1.CanaryRelease))
	case ch.kind == kindSplit && ch.new != nil:
		c.checkSplit(ch)
	case ch.kind == kindRoute && ch.new != nil && ch.user == operatorUser:
		c.checkRoute(ch.new.(*unstructured.Unstructured))
	case ch.kind == kindDeployment && ch.key == appKey && ch.user == operatorUser:
		c.checkTarget(ch)
	}
	c.checkUsersLeave()
}

// checkStamp: what is projected follows a record that is stored, and no object goes back to an earlier one.
func (c *watcher) checkStamp(ch change) {
	text, ok := ch.new.GetAnnotations()[v1alpha1.StampAnnotation]
	if !ok {
		return
	}
	stamp, err := store.ParseStamp(text)
	cr := c.w.release()
	if err != nil || cr == nil || stamp.UID != string(cr.UID) {
		return
	}
	if stamp.Sequence > c.stored[cr.UID] {
		c.fail("record, then act: %s %s follows record %d, and %d is stored", ch.kind, ch.key.Name, stamp.Sequence, c.stored[cr.UID])
	}
	if stamp.Sequence < c.stamped[ch.new.GetUID()] {
		c.fail("never back: %s %s goes from record %d to %d", ch.kind, ch.key.Name, c.stamped[ch.new.GetUID()], stamp.Sequence)
	}
	c.stamped[ch.new.GetUID()] = stamp.Sequence
}

// usersLeaveWithin is how long it may take to get users off, from the record to the route, whatever else goes wrong: the
// longest that a process is dead, a watch is broken and a write is tried again.
const usersLeaveWithin = 60 * time.Second

// checkUsersLeave: from the record that takes users off to the route that does it, no more than so much time passes.
func (c *watcher) checkUsersLeave() {
	route, ok := c.w.server.get(kindRoute, appKey).(*unstructured.Unstructured)
	cr := c.w.release()
	if !ok || cr == nil {
		c.leavingSince = time.Time{}
		return
	}
	run := runOf(cr)
	onCanary := shareOnRoute(route, twinName)*float64(release.Million) > 2*float64(release.Feather)
	switch {
	case !onCanary || run.Want.Shares.Canary > 0 || run.Stage == release.Deleting:
		c.leavingSince = time.Time{}
	case c.leavingSince.IsZero():
		c.leavingSince = c.w.loop.now
	case c.w.loop.now.Sub(c.leavingSince) > usersLeaveWithin:
		c.fail("rollback comes first: users are on the canary %s after the record that takes them off", c.w.loop.now.Sub(c.leavingSince))
	}
}
