package traffic

import (
	"fmt"
	"slices"
	"strings"
)

// UnsupportedError says what a data plane cannot do. The user has to change the resource or the data plane.
type UnsupportedError struct {
	// Router is the route API or data plane that lacks something, as it calls itself.
	Router string
	// Missing are the names of what it lacks, sorted.
	Missing []string
	// Why has for some of Missing why that is so, or what to do instead.
	Why map[string]string
}

// Error names the data plane and everything that it lacks, with the fields that need it and the ways out.
func (e *UnsupportedError) Error() string {
	parts := make([]string, 0, len(e.Missing))
	for _, name := range e.Missing {
		part := name
		if field := Capability(name).Field(); field != "" {
			part += " (" + field + ")"
		}
		if why := e.Why[name]; why != "" {
			part += ": " + why
		}
		parts = append(parts, part)
	}
	separator := ", "
	if len(e.Why) > 0 {
		separator = "; "
	}
	return fmt.Sprintf("%s does not support %s", e.Router, strings.Join(parts, separator))
}

// Unsupported returns an UnsupportedError with the missing names sorted and each once.
func Unsupported(router string, missing ...string) *UnsupportedError {
	names := slices.Clone(missing)
	slices.Sort(names)
	return &UnsupportedError{Router: router, Missing: slices.Compact(names)}
}

// Require returns an error unless the router can say, and the data plane does, everything that the intent needs, and
// unless the weights can be told apart there. Every Render begins with it.
func Require(r Router, seen Seen, intent Intent) error {
	if intent.Empty() {
		return nil
	}
	unable := without(Needs(intent), r.Capabilities(KindOf(seen.Target)))
	offer, err := r.Offers(seen)
	switch {
	case err != nil && len(unable) == 0:
		return err
	case err != nil:
		return lacking(fmt.Sprintf("%s for kind %s", r.DataPlane(), seen.Target.GetKind()), unable, nil)
	}
	if missing := slices.Concat(unable, without(Needs(intent), offer.Capabilities)); len(missing) > 0 {
		return lacking(offer.Plane, missing, offer.Lacks)
	}
	if err := checkAdditions(intent, offer); err != nil {
		return err
	}
	return checkResolution(intent, offer)
}

// checkAdditions refuses a policy with which a data plane would run a request twice that its user did not allow to.
func checkAdditions(intent Intent, offer Offer) error {
	for _, r := range intent.Retries {
		if r.AllMethods {
			continue
		}
		var adds []string
		for _, a := range offer.Added(r) {
			if a.MayRunTwice {
				adds = append(adds, a.What)
			}
		}
		if len(adds) > 0 {
			return Refused(RetriesMore, "triggers: %s also retries %s by itself, so that a POST may run twice; set methods: All to accept that, or retries: 0",
				offer.Plane, strings.Join(adds, ", "))
		}
	}
	return nil
}

func without(needs, able []Capability) []Capability {
	return slices.DeleteFunc(slices.Clone(needs), func(c Capability) bool { return slices.Contains(able, c) })
}

func lacking(router string, missing []Capability, lacks map[Capability]string) error {
	names := make([]string, 0, len(missing))
	var why map[string]string
	for _, c := range missing {
		names = append(names, string(c))
		if text := lacks[c]; text != "" {
			if why == nil {
				why = map[string]string{}
			}
			why[string(c)] = text
		}
	}
	err := Unsupported(router, names...)
	err.Why = why
	return err
}

// Refusal is why an intent that a data plane could carry is not written all the same.
type Refusal string

// The refusals. They are reasons of the condition Accepted.
const (
	// WeightResolution means that the data plane would round a weight to nothing, or by more than a tenth.
	WeightResolution Refusal = "WeightResolution"
	// PolicyTargetsRule means that somebody's policy is attached to a rule, and would not cover the rules derived from it.
	PolicyTargetsRule Refusal = "PolicyTargetsRule"
	// Conflicted means that somebody else's configuration is where ours would be: an object of the name, a user's own retries,
	// another object for the same host.
	Conflicted Refusal = "Conflicted"
	// TooManyRules means that the route would have more rules, or a rule more backends, than its API allows.
	TooManyRules Refusal = "TooManyRules"
	// NotFound means that the target has not what the intent names: no rule that sends to the Service, no rule of that name.
	NotFound Refusal = "TargetNotFound"
	// TooManyCookies means that the plane matches cookies through their header, and cannot say that so many are there.
	TooManyCookies Refusal = "TooManyCookies"
	// UnknownDataPlane means that nothing known is seen to serve the target, AmbiguousDataPlane that several could.
	UnknownDataPlane   Refusal = "UnknownDataPlane"
	AmbiguousDataPlane Refusal = "AmbiguousDataPlane"
	// RetriesMore means that the data plane would retry more than was asked for, and a request might run twice.
	RetriesMore Refusal = "RetriesMoreThanAsked"
	// NotReady means that something has to be there first: a waypoint, a protocol that is HTTP.
	NotReady Refusal = "PrerequisiteMissing"
)

// RefusedError says what stands in the way of an intent, and what to do about it. What was there stays as it is.
type RefusedError struct {
	Reason Refusal
	// Message is one sentence that names the field or object, the data plane, and the way out.
	Message string
}

// Error is the message.
func (e *RefusedError) Error() string { return e.Message }

// Refused returns a RefusedError.
func Refused(reason Refusal, format string, args ...any) *RefusedError {
	return &RefusedError{Reason: reason, Message: fmt.Sprintf(format, args...)}
}
