package telemetry

import (
	"fmt"
	"slices"
)

// Plane is a dialect together with what must be known before it is trusted to judge a release. Implementations are plain
// values: two that are equal ask the same.
type Plane interface {
	Dialect
	// Facts are what the data plane's metrics can tell.
	Facts() Facts
	// Names are what the metrics call a backend, for Ask.Canary and Ask.Stable. Several names are alternatives.
	Names(Backend) ([]string, error)
}

// Backend is an arm as the cluster knows it. A dialect says which of the fields it needs.
type Backend struct {
	// Namespace and Service are the Service that routes send to.
	Namespace, Service string
	// Port is the Service's port; 0 if it is not known.
	Port int32
	// Workload is the Deployment behind it, in the same namespace.
	Workload string
	// Subset tells the arms apart where one Service has both, such as in Consul; empty for none.
	Subset string
	// Config is what the data plane's own configuration hangs on, for the planes that put it into the names.
	Config string
}

// Facts are what the metrics of a data plane can tell. The zero value of each field is the careful one.
type Facts struct {
	// Plane is what messages and the documentation call it.
	Plane string
	// Controllers are the controllerNames of Gateway API that it goes by; none for a mesh without one.
	Controllers []string
	// Counted are the signals that it measures, in the order in which they are preferred.
	Counted []Counted
	// Arms are the labels that tell the arms apart.
	Arms []string
	// RetriesStay says that a request is retried on the arm that it was first sent to, and on no other.
	RetriesStay bool
	// Mirrors says whether copies of requests count.
	Mirrors Mirrors
	// Unreachable says that a try counts although no pod was reached.
	Unreachable bool
	// PerPod says that the pods of an arm are told apart.
	PerPod bool
	// Caveat is what a user must know or configure.
	Caveat string
	// Sources are the public sources of these facts.
	Sources []string
}

// Counted is one signal as one family of metrics tells it.
type Counted struct {
	Signal  Signal
	View    View
	Metrics []string
	// Unit is that of a histogram's boundaries; empty for a counter.
	Unit string
	// CoversTries says that the time of an earlier try is part of the time of the request, so that slow tries show.
	CoversTries bool
}

// Mirrors says whether copies of requests are counted with the live ones.
type Mirrors int

const (
	// MirrorsMixed means that copies count like live requests and cannot be told apart.
	MirrorsMixed Mirrors = iota
	// MirrorsApart means that copies are counted elsewhere, or not at all.
	MirrorsApart
	// MirrorsNever means that the data plane cannot copy requests.
	MirrorsNever
)

// String is a word for the documentation.
func (m Mirrors) String() string {
	switch m {
	case MirrorsMixed:
		return "mixed"
	case MirrorsApart:
		return "apart"
	case MirrorsNever:
		return "none"
	}
	return fmt.Sprintf("Mirrors(%d)", int(m))
}

// Views are the views that there are of a signal, the preferred one first.
func (f Facts) Views(s Signal) []View {
	var views []View
	for _, c := range f.Counted {
		if c.Signal == s && !slices.Contains(views, c.View) {
			views = append(views, c.View)
		}
	}
	return views
}

// Sees says whether there is such a view of a signal.
func (f Facts) Sees(s Signal, v View) bool { return slices.Contains(f.Views(s), v) }

// Choose is the view that an Ask means; an *UnsupportedError when there is none.
func (f Facts) Choose(a Ask) (View, error) {
	views := f.Views(a.Signal)
	switch {
	case len(views) == 0:
		return UnknownView, &UnsupportedError{Dialect: f.Plane, Missing: a.Signal.String()}
	case a.View == UnknownView:
		return views[0], nil
	case !slices.Contains(views, a.View):
		return UnknownView, &UnsupportedError{Dialect: f.Plane, Missing: a.Signal.String() + ", " + a.View.String()}
	}
	return a.View, nil
}

// NoArms is a data plane whose metrics cannot tell the arms of a release apart.
type NoArms struct {
	// Plane and Controllers are as in Facts.
	Plane       string
	Controllers []string
	// Why says what its metrics tell instead.
	Why string
	// Sources are the public sources of that.
	Sources []string
}

// NoArmsError refuses a data plane by name and says what to do instead.
type NoArmsError struct{ Plane, Why string }

// Error names the plane, the reason and the way out.
func (e *NoArmsError) Error() string {
	return fmt.Sprintf("the metrics of %s do not tell the arms apart (%s): measure the application by pod, with counts in analysis.metrics", e.Plane, e.Why)
}

// Refuse is the error for the plane.
func (n NoArms) Refuse() error { return &NoArmsError{Plane: n.Plane, Why: n.Why} }

// UnknownControllerError says that no dialect goes by a controllerName of Gateway API.
type UnknownControllerError struct{ Controller string }

// Error names the controller and the way out.
func (e *UnknownControllerError) Error() string {
	return fmt.Sprintf("the metrics of data plane %s are not known: measure the application by pod, with counts in analysis.metrics", e.Controller)
}

// ByController are the dialects of a controllerName of Gateway API. One that is known to have none is a *NoArmsError, and
// one that nobody knows an *UnknownControllerError: there is no default.
func ByController(controller string, planes []Plane, refused []NoArms) ([]Plane, error) {
	var found []Plane
	for _, p := range planes {
		if slices.Contains(p.Facts().Controllers, controller) {
			found = append(found, p)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	for _, n := range refused {
		if slices.Contains(n.Controllers, controller) {
			return nil, n.Refuse()
		}
	}
	return nil, &UnknownControllerError{Controller: controller}
}
