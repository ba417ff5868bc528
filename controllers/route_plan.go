package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// planner composes what one target is to carry from everything that names it.
type planner struct {
	sight
	routers traffic.Registry
}

// targetPlan is what a target is to carry, and what stands in the way of what.
type targetPlan struct {
	key targetKey
	// live is nil when the target does not exist. The rest is then what policies want of it.
	live *unstructured.Unstructured
	// splits and policies name the target. They are the cache's own and must not be changed.
	splits   []*v1alpha1.TrafficSplit
	policies []*v1alpha1.RetryPolicy
	// conflicts are the splits that lost to an older one, by name; lost are the policies that did, by traffic.RetryKey.
	conflicts map[string]traffic.Conflict
	lost      map[string]string
	// choice is the router, if one was found; unchosen says why none was.
	choice   traffic.Choice
	unchosen error
	seen     traffic.Seen
	// views are what each router that takes the target sees.
	views map[v1alpha1.DataPlane]traffic.Seen
	// intent is what can be written, rendering how. A target that nothing names, and that carries something, is restored.
	intent    traffic.Intent
	rendering traffic.Rendering
	// left are objects of users that another data plane was told by, and that are to be their users' own again.
	left []change
	// problems are what keeps splits (by name) and policies (by traffic.RetryKey) from being in the intent.
	splitProblems, retryProblems map[string]error
}

// plan composes what a target is to carry.
func (p planner) plan(ctx context.Context, key targetKey) (*targetPlan, error) {
	out := &targetPlan{key: key, splitProblems: map[string]error{}, retryProblems: map[string]error{}}
	var err error
	if out.live, err = p.target(ctx, key); err != nil {
		return nil, err
	}
	composition, err := composeAround(ctx, p.cache, key)
	if err != nil {
		return nil, err
	}
	out.conflicts, out.splits = composition.Conflicts, composition.splits
	if out.policies, err = policiesOn(ctx, p.cache, key); err != nil {
		return nil, err
	}
	wanted := traffic.Intent{Splits: composition.Intents[key.String()].Splits}
	if wanted.Retries, out.lost, err = retriesOf(out.policies, key); err != nil {
		return nil, err
	}
	if out.live == nil {
		out.unchosen = traffic.Refused(traffic.NotFound, "there is no such %s in this namespace; correct the name or create it", key.kind.Kind)
		return out, nil
	}
	if err := p.choose(ctx, out); err != nil || out.unchosen != nil {
		return out, err
	}
	if err := out.settle(wanted); err != nil {
		return nil, err
	}
	return out, p.leave(out)
}

// leave finds what another data plane was told, and takes it back as soon as the present one carries every split.
func (p planner) leave(t *targetPlan) error {
	if t.choice.Router == nil || !appliedBy(t) {
		return nil
	}
	for plane, seen := range t.views {
		router := p.router(plane)
		if plane == t.choice.Router.DataPlane() || router.Carried(seen).Empty() {
			continue
		}
		back, err := router.Restore(seen)
		if err != nil {
			return err
		}
		for _, obj := range back.Patched {
			before := seen.Find(traffic.KindOf(obj), obj.GetName())
			patchedToo := slices.ContainsFunc(t.rendering.Patched, func(o *unstructured.Unstructured) bool {
				return o.GetName() == obj.GetName() && traffic.KindOf(o) == traffic.KindOf(obj)
			})
			if before != nil && !patchedToo {
				t.left = append(t.left, change{before, obj})
			}
		}
	}
	slices.SortFunc(t.left, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.after.GetKind(), b.after.GetKind()), cmp.Compare(a.after.GetName(), b.after.GetName()))
	})
	return nil
}

// appliedBy says whether every split of the target is applied by the data plane that was chosen.
func appliedBy(t *targetPlan) bool {
	for _, s := range t.splits {
		for _, r := range s.Status.Routes {
			if r.Name == t.key.Name && r.Kind == t.key.kind.Kind && (r.Applied != metav1.ConditionTrue || r.DataPlane != t.choice.Router.DataPlane()) {
				return false
			}
		}
	}
	return true
}

func (p planner) router(plane v1alpha1.DataPlane) traffic.Router {
	return p.routers[slices.IndexFunc(p.routers, func(r traffic.Router) bool { return r.DataPlane() == plane })]
}

// choose finds the router: by what the oldest split or policy names, or by what serves the target.
func (p planner) choose(ctx context.Context, t *targetPlan) error {
	t.views = map[v1alpha1.DataPlane]traffic.Seen{}
	apis, err := p.installed(ctx)
	if err != nil {
		return err
	}
	for _, router := range p.routers {
		if !router.Takes(t.key.kind) || !isPresent(router, apis) {
			continue
		}
		seen, err := p.seen(ctx, t.live, router)
		if err != nil {
			return err
		}
		t.views[router.DataPlane()] = seen
	}
	view := func(r traffic.Router) traffic.Seen {
		if seen, ok := t.views[r.DataPlane()]; ok {
			return seen
		}
		return traffic.Seen{Target: t.live, Observed: traffic.Observed{APIs: apis}}
	}
	if len(t.splits) == 0 && len(t.policies) == 0 {
		t.choice.Router = p.carrier(view, t)
		t.seen = traffic.Seen{Target: t.live}
		if t.choice.Router != nil {
			t.seen = view(t.choice.Router)
		}
		return nil
	}
	t.choice, t.unchosen = p.routers.Choose(t.named(), view)
	if t.unchosen != nil {
		// What a data plane that is gone or unknown was told is still to be taken back.
		t.choice.Router = p.carrier(view, t)
	}
	if t.choice.Router != nil {
		t.seen = view(t.choice.Router)
		return nil
	}
	for _, router := range p.routers { // what is known of it all the same, for messages
		if seen, ok := t.views[router.DataPlane()]; ok {
			t.seen = seen
			break
		}
	}
	return nil
}

// carriedOf are what the target carries of a split, one for each rule that the split was for.
func (t *targetPlan) carriedOf(split *v1alpha1.TrafficSplit) []traffic.Split {
	if t.live == nil || t.choice.Router == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(t.choice.Router.Carried(t.seen).Splits), func(s traffic.Split) bool { return s.UID != string(split.UID) })
}

// carrier is a router by whose record the target carries something, or nil.
func (p planner) carrier(view func(traffic.Router) traffic.Seen, t *targetPlan) traffic.Router {
	for _, r := range p.routers {
		if r.Takes(t.key.kind) && !r.Carried(view(r)).Empty() {
			return r
		}
	}
	return nil
}

// carries says whether some data plane was told something of a target.
func (p planner) carries(ctx context.Context, key targetKey) (bool, error) {
	live, err := p.target(ctx, key)
	if err != nil || live == nil {
		return false, err
	}
	apis, err := p.installed(ctx)
	if err != nil {
		return false, err
	}
	for _, router := range p.routers {
		if !router.Takes(key.kind) || !isPresent(router, apis) {
			continue
		}
		seen, err := p.seen(ctx, live, router)
		if err != nil {
			return false, err
		}
		if !router.Carried(seen).Empty() {
			return true, nil
		}
	}
	return false, nil
}

// named is the data plane that the oldest of those that name one names. A target that is only being left is left by the one
// that it was served by.
func (t *targetPlan) named() v1alpha1.DataPlane {
	plane, by := v1alpha1.DataPlaneAuto, client.Object(nil)
	consider := func(o client.Object, named v1alpha1.DataPlane) {
		if named == "" || named == v1alpha1.DataPlaneAuto || (by != nil && !older(o, by)) {
			return
		}
		plane, by = named, o
	}
	onlyLeft := len(t.policies) == 0
	for _, s := range t.splits {
		for _, ref := range s.Spec.RouteRefs {
			if splitTarget(s, ref) == t.key {
				onlyLeft = false
				consider(s, ref.DataPlane)
			}
		}
	}
	for _, policy := range t.policies {
		consider(policy, policy.Spec.DataPlane)
	}
	for _, s := range t.splits {
		for _, ref := range leavingRefs(s) {
			if onlyLeft && splitTarget(s, ref) == t.key {
				consider(s, ref.DataPlane)
			}
		}
	}
	return plane
}

func older(a, b client.Object) bool {
	at, bt := a.GetCreationTimestamp(), b.GetCreationTimestamp()
	if !at.Equal(&bt) {
		return at.Before(&bt)
	}
	return a.GetName() < b.GetName()
}

// settle finds out how much of what is wanted can be written. Mostly that is all. If not, each split and policy is tried by
// itself beside those before it, so that one that cannot be does not keep the others.
func (t *targetPlan) settle(wanted traffic.Intent) error {
	if t.choice.Router == nil {
		return nil
	}
	wanted.Splits = withRecord(wanted.Splits, t.choice.Router.Carried(t.seen).Splits)
	if done, err := t.try(wanted); done || !isRefusal(err) {
		return err
	}
	carried := t.choice.Router.Carried(t.seen)
	for _, s := range wanted.Splits {
		if err := t.trySplit(s, carried); err != nil {
			return err
		}
	}
	for _, r := range wanted.Retries {
		if err := t.tryRetry(r, carried); err != nil {
			return err
		}
	}
	_, err := t.try(t.intent)
	return err
}

// withRecord are the splits that have a record. One that has none and is carried has lost it: it stays as it is carried until
// its own controller has taken that up.
func withRecord(wanted, carried []traffic.Split) []traffic.Split {
	var out []traffic.Split
	for _, s := range wanted {
		if len(s.Backends) > 0 {
			out = append(out, s)
			continue
		}
		for _, on := range carried {
			if on.UID == s.UID && on.SectionName == s.SectionName {
				on.Created = s.Created
				out = append(out, on)
			}
		}
	}
	return out
}

// try renders an intent and takes it up if that can be done.
func (t *targetPlan) try(intent traffic.Intent) (bool, error) {
	rendering, err := t.choice.Router.Render(t.seen, intent)
	if err != nil {
		return false, err
	}
	t.intent, t.rendering = intent, rendering
	return true, nil
}

// trySplit adds a split. One that cannot be added stays as the target carries it, and one that cannot even stay goes: then
// all of its traffic is the Service's.
func (t *targetPlan) trySplit(s traffic.Split, carried traffic.Intent) error {
	with := func(s traffic.Split) traffic.Intent {
		return traffic.Intent{Splits: append(slices.Clone(t.intent.Splits), s), Retries: t.intent.Retries}
	}
	done, err := t.try(with(s))
	if done || !isRefusal(err) {
		return err
	}
	t.splitProblems[s.Name] = err
	for _, on := range carried.Splits {
		if on.UID != s.UID || onlyHome(s) {
			continue
		}
		on.Created = s.Created
		if done, err := t.try(with(on)); done || !isRefusal(err) {
			return err
		}
	}
	return nil
}

// tryRetry adds a policy. One that cannot be added stays as the target carries it, if it can.
func (t *targetPlan) tryRetry(r traffic.Retry, carried traffic.Intent) error {
	with := func(r traffic.Retry) traffic.Intent {
		return traffic.Intent{Splits: t.intent.Splits, Retries: append(slices.Clone(t.intent.Retries), r)}
	}
	done, err := t.try(with(r))
	if done || !isRefusal(err) {
		return err
	}
	t.retryProblems[traffic.RetryKey(r)] = err
	for _, on := range carried.Retries {
		if on.UID != r.UID || on.SectionName != r.SectionName {
			continue
		}
		if done, err := t.try(with(on)); done || !isRefusal(err) {
			return err
		}
	}
	return nil
}

// wouldRefuse is why a split cannot be what is wanted of it, beside everything else that the target carries; nil if it can.
func (t *targetPlan) wouldRefuse(s traffic.Split) error {
	if t.unchosen != nil {
		return t.unchosen
	}
	others := slices.DeleteFunc(slices.Clone(t.intent.Splits), func(o traffic.Split) bool { return o.UID == s.UID })
	_, err := t.choice.Router.Render(t.seen, traffic.Intent{Splits: append(others, s), Retries: t.intent.Retries})
	if errors.Is(err, traffic.ErrOvertaken) {
		return nil
	}
	return err
}

// onlyHome says whether a split sends everything to its own Service.
func onlyHome(s traffic.Split) bool {
	return len(s.Matches) == 0 && s.Mirror == nil && !slices.ContainsFunc(s.Backends, func(b traffic.Backend) bool { return b.Name != s.Service && b.Weight > 0 })
}

// isRefusal says whether somebody has to change something, as opposed to what goes away by itself.
func isRefusal(err error) bool {
	_, refused := errors.AsType[*traffic.RefusedError](err)
	_, unsupported := errors.AsType[*traffic.UnsupportedError](err)
	return refused || unsupported
}

// retriesOf are the policies as a target is to carry them.
func retriesOf(policies []*v1alpha1.RetryPolicy, key targetKey) (held []traffic.Retry, lost map[string]string, err error) {
	var all []traffic.Retry
	for _, policy := range policies {
		if !policy.DeletionTimestamp.IsZero() {
			continue
		}
		for _, ref := range policy.Spec.TargetRefs {
			if policyTarget(policy, ref) != key {
				continue
			}
			retry, err := traffic.RetryOf(policy, ref)
			if err != nil {
				return nil, nil, fmt.Errorf("RetryPolicy %s: %w", client.ObjectKeyFromObject(policy), err)
			}
			all = append(all, retry)
		}
	}
	held, lost = traffic.ComposeRetries(all)
	return held, lost, nil
}
