package traffic

import (
	"fmt"
	"slices"
	"strings"

	"slipway.dev/slipway/api/v1alpha1"
)

// Registry is the routers of an operator.
type Registry []Router

// Choice is the router for a target, and by what it was found.
type Choice struct {
	Router Router
	// Why says in a few words by what the data plane was found; empty when the user named it.
	Why string
}

// Choose finds the router for a target. A data plane that the user names must take targets of that kind. Auto is the one
// data plane that is seen to serve the target: none and several are refused, and the message says what to set.
func (r Registry) Choose(plane v1alpha1.DataPlane, seen func(Router) Seen) (Choice, error) {
	if plane != "" && plane != v1alpha1.DataPlaneAuto {
		return r.named(plane, seen)
	}
	var found []Choice
	for _, router := range r {
		s := seen(router)
		if !router.Takes(KindOf(s.Target)) {
			continue
		}
		if why, serves := router.Serves(s); serves {
			found = append(found, Choice{Router: router, Why: why})
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		if err := r.lastWord(seen); err != nil {
			return Choice{}, err
		}
		return Choice{}, Refused(UnknownDataPlane, "dataPlane: nothing is seen to serve the target that is known here; set dataPlane to one of %s", r.names())
	}
	said := make([]string, 0, len(found))
	for _, c := range found {
		said = append(said, fmt.Sprintf("%s (%s)", c.Router.DataPlane(), c.Why))
	}
	slices.Sort(said)
	return Choice{}, Refused(AmbiguousDataPlane, "dataPlane: the target may be served by %s; set dataPlane to the one that is meant", strings.Join(said, " or "))
}

// lastWord is what a router that takes such targets says of this one: an unknown data plane is refused by its name.
func (r Registry) lastWord(seen func(Router) Seen) error {
	for _, router := range r {
		s := seen(router)
		if !router.Takes(KindOf(s.Target)) {
			continue
		}
		if _, err := router.Offers(s); err != nil {
			return err
		}
	}
	return nil
}

func (r Registry) named(plane v1alpha1.DataPlane, seen func(Router) Seen) (Choice, error) {
	for _, router := range r {
		if router.DataPlane() != plane {
			continue
		}
		target := seen(router).Target
		if !router.Takes(KindOf(target)) {
			return Choice{}, Unsupported(string(plane), "targets of kind "+target.GetKind())
		}
		return Choice{Router: router}, nil
	}
	return Choice{}, Unsupported("this operator", "dataPlane "+string(plane))
}

func (r Registry) names() string {
	names := make([]string, 0, len(r))
	for _, router := range r {
		names = append(names, string(router.DataPlane()))
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}
