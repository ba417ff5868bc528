package controllers

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// routeRepairs counts what was put back. It has no labels: which route it was is in the status of its splits.
var routeRepairs = prometheus.NewCounter(prometheus.CounterOpts{
	Name: "slipway_route_repairs_total",
	Help: "Writes of others over a split that were put back.",
})

// unknownManager stands for a writer that left no trace in managedFields.
const unknownManager = "unknown"

// foreignWriter says whether somebody else wrote over what the target carries, and which field manager it was. A target
// that says it carries something and does not was written over; so was one that says nothing although a split had been
// applied there.
func foreignWriter(plan *targetPlan) (string, bool) {
	carries := !plan.choice.Router.Carried(plan.seen).Empty()
	if carries && !traffic.Drifted(plan.choice.Router, plan.seen) {
		return "", false
	}
	if !carries && !anyWasOn(plan.splits, plan.key) {
		return "", false
	}
	return lastWriter(plan.live), true
}

// anyWasOn says whether a split has been seen on the target before.
func anyWasOn(splits []*v1alpha1.TrafficSplit, key targetKey) bool {
	for _, s := range splits {
		for _, r := range s.Status.Routes {
			if r.Name == key.Name && r.Kind == key.kind.Kind && (r.Applied == metav1.ConditionTrue || s.Status.Run.Sequence != nil && *s.Status.Run.Sequence > 1) {
				return true
			}
		}
	}
	return false
}

// lastWriter is the field manager other than ours that owns what routes traffic and wrote last.
func lastWriter(route *unstructured.Unstructured) string {
	name, at := unknownManager, time.Time{}
	for _, m := range route.GetManagedFields() {
		if m.Manager == v1alpha1.FieldManager || m.Subresource != "" || !ownsRules(m) {
			continue
		}
		if m.Time == nil || m.Time.Before(&metav1.Time{Time: at}) {
			continue
		}
		name, at = m.Manager, m.Time.Time
	}
	return name
}

func ownsRules(entry metav1.ManagedFieldsEntry) bool {
	if entry.FieldsV1 == nil {
		return false
	}
	var fields struct {
		Spec map[string]json.RawMessage `json:"f:spec"`
	}
	if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err != nil {
		return false
	}
	_, rules := fields.Spec["f:rules"]
	_, http := fields.Spec["f:http"] // a VirtualService
	return rules || http
}

const (
	// contestAfter is after how many repairs in a row a route counts as contested.
	contestAfter = 5
	// contestMemory is how long nothing must be written over for the count to start anew.
	contestMemory  = time.Minute
	contestFirst   = 5 * time.Second
	contestLongest = 5 * time.Minute
)

// routeContest remembers who writes over the splits of which route, so that two controllers that disagree do not write
// against each other without end. It may be lost: then a fight goes on a little longer.
type routeContest struct {
	mu     sync.Mutex
	routes map[targetKey]contestRecord
}

type contestRecord struct {
	strikes int
	last    time.Time
	manager string
}

// delay is how long after the last repair the next one may be.
func (c contestRecord) delay() time.Duration {
	if c.strikes < contestAfter {
		return 0
	}
	return min(contestFirst<<min(c.strikes-contestAfter, 10), contestLongest)
}

// over says that nothing was written over for long enough.
func (c contestRecord) over(now time.Time) bool { return now.Sub(c.last) > contestMemory+2*c.delay() }

// repaired counts a repair.
func (c *routeContest) repaired(key targetKey, manager string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.routes == nil {
		c.routes = map[targetKey]contestRecord{}
	}
	record := c.routes[key]
	if record.over(now) {
		record = contestRecord{}
	}
	c.routes[key] = contestRecord{strikes: record.strikes + 1, last: now, manager: manager}
}

// wait is how long the next repair has to wait.
func (c *routeContest) wait(key targetKey, now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	record := c.routes[key]
	return max(0, record.delay()-now.Sub(record.last))
}

// by is the field manager that contests the route, or empty.
func (c *routeContest) by(key targetKey, now time.Time) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	record := c.routes[key]
	if record.delay() == 0 || record.over(now) {
		return ""
	}
	return record.manager
}

func (c *routeContest) forget(key targetKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.routes, key)
}
