package traffic

import (
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/api/v1alpha1"
)

// Router translates intents for one data plane. Every method is a function of its arguments, which are not modified.
type Router interface {
	// DataPlane is the name by which users choose it.
	DataPlane() v1alpha1.DataPlane
	// Takes says whether it can translate for targets of that kind at all.
	Takes(target schema.GroupKind) bool
	// Reads are the kinds of objects that it wants to see beside a target of that kind, in the target's namespace: those that
	// it patches or generates, and those that it must know of. What is not installed is left out of Seen.
	Reads(target schema.GroupKind) []schema.GroupVersionKind
	// Serves says whether what is seen shows that this data plane serves the target, and by what that is known, in a few words
	// for status. It is asked when dataPlane is Auto.
	Serves(seen Seen) (why string, serves bool)
	// Capabilities are what the API can say for a target of that kind, sorted. What is not among them is refused.
	Capabilities(target schema.GroupKind) []Capability
	// Offers is what this cluster's data plane does of that. A data plane that is not known is an UnsupportedError.
	Offers(seen Seen) (Offer, error)
	// Carried is what the objects say that they carry. Created of what is in it is not known.
	Carried(seen Seen) Intent
	// Render returns the objects as they are to be in order to carry exactly the intent, whatever they carry now. It fails
	// with an UnsupportedError for what it cannot say, with a RefusedError for what stands in the way, and with ErrOvertaken
	// when the objects follow a later record of one of the splits.
	Render(seen Seen, intent Intent) (Rendering, error)
	// Applied says whether the objects carry everything that is in the intent, which may be a part of what was rendered, and
	// whether the data plane does it.
	Applied(seen Seen, intent Intent) Verdict
	// Restore returns the objects as their users wrote them, and generates nothing.
	Restore(seen Seen) (Rendering, error)
}

// Seen is what a router is shown of the cluster around one target.
type Seen struct {
	// Target is the route, or the Service of a mesh, that splits and policies name.
	Target *unstructured.Unstructured
	// Objects are those of the kinds that the router reads, without the target, in no order that matters.
	Objects []*unstructured.Unstructured
	// Elsewhere are objects of the same kinds in the namespaces of the route's parents, where these are others. They are to be
	// looked at only.
	Elsewhere []*unstructured.Unstructured
	Observed
}

// Find returns the object of that kind and name, the target among them, or nil.
func (s Seen) Find(kind schema.GroupKind, name string) *unstructured.Unstructured {
	for _, obj := range s.all() {
		if obj.GetName() == name && KindOf(obj) == kind {
			return obj
		}
	}
	return nil
}

// Of returns all objects of that kind, the target among them, sorted by name.
func (s Seen) Of(kind schema.GroupKind) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, obj := range s.all() {
		if KindOf(obj) == kind {
			out = append(out, obj)
		}
	}
	sortByName(out)
	return out
}

func (s Seen) all() []*unstructured.Unstructured {
	if s.Target == nil {
		return s.Objects
	}
	return append([]*unstructured.Unstructured{s.Target}, s.Objects...)
}

// With is what is seen once a rendering has been written.
func (s Seen) With(r Rendering) Seen {
	out := Seen{Target: s.Target, Elsewhere: s.Elsewhere, Observed: s.Observed}
	if changed := same(r.Patched, s.Target); changed != nil {
		out.Target = changed
	}
	for _, obj := range s.Objects {
		switch changed := same(r.Patched, obj); {
		case changed != nil:
			out.Objects = append(out.Objects, changed)
		case !IsGenerated(obj) || TargetOf(obj) != TargetName(s.Target):
			out.Objects = append(out.Objects, obj)
		}
	}
	out.Objects = append(out.Objects, r.Generated...)
	return out
}

func same(objects []*unstructured.Unstructured, as *unstructured.Unstructured) *unstructured.Unstructured {
	for _, obj := range objects {
		if as != nil && obj.GetName() == as.GetName() && KindOf(obj) == KindOf(as) {
			return obj
		}
	}
	return nil
}

// KindOf is the group and kind of an object.
func KindOf(obj *unstructured.Unstructured) schema.GroupKind {
	return obj.GroupVersionKind().GroupKind()
}

// Rendering is what the objects around one target are to be.
type Rendering struct {
	// Patched are objects of users, as they are to be: those that carry something of the intent, and those that did and are
	// to be their user's own again. Others stay as they are.
	Patched []*unstructured.Unstructured
	// Generated are Slipway's own objects for this target, all of them, made with Generate: one that was there and is not
	// among them is removed.
	Generated []*unstructured.Unstructured
}

// Offer is what the data plane of a cluster does.
type Offer struct {
	// Plane is what messages call the data plane, with its version where that matters.
	Plane string
	// Capabilities are what it does, sorted.
	Capabilities []Capability
	// Lacks says for what it does not do why that is so or what to do instead, in a few words. It may leave things out.
	Lacks map[Capability]string
	// Adds is what it retries by itself as soon as anything is retried, whether it was asked to or not.
	Adds []Addition
	// Parts is into how many parts it divides a whole: 100 where weights are percent. Zero means a million.
	Parts int64
}

// Addition is something that a data plane retries by itself.
type Addition struct {
	// What is the trigger, code or status as the API's fields write it.
	What string
	// MayRunTwice means that the request may have reached the application before.
	MayRunTwice bool
	// OnlyWithoutCodes means that it is retried only where a policy lists no codes.
	OnlyWithoutCodes bool
}

// Added is what the data plane retries beside what the policy asks for.
func (o Offer) Added(r Retry) []Addition {
	if !r.On() {
		return nil
	}
	asked := make([]string, 0, len(r.Triggers)+len(r.Codes)+len(r.Statuses))
	for _, t := range r.Triggers {
		asked = append(asked, string(t))
	}
	for _, c := range r.Codes {
		asked = append(asked, strconv.Itoa(int(c)))
	}
	for _, s := range r.Statuses {
		asked = append(asked, "gRPC "+string(s))
	}
	var out []Addition
	for _, a := range o.Adds {
		if !slices.Contains(asked, a.What) && (!a.OnlyWithoutCodes || len(r.Codes) == 0) {
			out = append(out, a)
		}
	}
	return out
}

// Does says whether the capability is offered.
func (o Offer) Does(c Capability) bool { return slices.Contains(o.Capabilities, c) }

// Observed are facts about the cluster that are in no object around the target.
type Observed struct {
	// Controllers are the controllerNames of the data planes that serve the route, sorted.
	Controllers []string
	// Features are the supportedFeatures that the GatewayClasses of all parents of the route have, sorted; nil: none says.
	Features []string
	// APIs are the installed kinds, by "<kind>.<group>".
	APIs map[string]API
	// ReadyEndpoints is the number of ready endpoints of each Service, by name.
	ReadyEndpoints map[string]int
	// Leaving names the backends that are on their way out: nobody waits for their endpoints.
	Leaving []string
	// Now is the time of the observation.
	Now time.Time
	// GoodSince is since when everything but the settle time has been in order; zero: it was not, when last looked at.
	GoodSince time.Time
}

// API is an installed kind.
type API struct {
	// Versions are those that are served, the preferred one first.
	Versions []string
	// Bundle and Channel are what the annotations of a Gateway API CRD say: v1.6.1 and standard.
	Bundle, Channel string
	// Fields are those optional fields of the schema that routers ask for, by path from spec on without indexes: a field that
	// the schema does not have is pruned without a word.
	Fields []string
}

// Has says whether the kind is installed and its schema has the field.
func (o Observed) Has(kind schema.GroupKind, field string) bool {
	return slices.Contains(o.APIs[APIName(kind)].Fields, field)
}

// Installed says whether the kind is installed.
func (o Observed) Installed(kind schema.GroupKind) bool {
	_, ok := o.APIs[APIName(kind)]
	return ok
}

// APIName is the key of a kind in Observed.APIs.
func APIName(kind schema.GroupKind) string { return kind.String() }
