package controllers

import (
	"context"
	"fmt"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// Indexes of the cache.
const (
	// indexSplitTarget finds TrafficSplits, and indexPolicyTarget RetryPolicies, by a target that they name.
	indexSplitTarget  = "slipway.dev/split-target"
	indexPolicyTarget = "slipway.dev/policy-target"
	// indexSplitService finds TrafficSplits by a Service that they or their records name.
	indexSplitService = "slipway.dev/split-service"
	// indexSliceService finds EndpointSlices by their Service.
	indexSliceService = "slipway.dev/slice-service"
)

func indexTraffic(ctx context.Context, indexer client.FieldIndexer) error {
	for _, index := range []struct {
		of   client.Object
		name string
		by   client.IndexerFunc
	}{
		{&v1alpha1.TrafficSplit{}, indexSplitTarget, func(o client.Object) []string { return keyNames(splitTargets(o.(*v1alpha1.TrafficSplit))) }},
		{&v1alpha1.TrafficSplit{}, indexSplitService, func(o client.Object) []string { return splitServices(o.(*v1alpha1.TrafficSplit)) }},
		{&v1alpha1.RetryPolicy{}, indexPolicyTarget, func(o client.Object) []string { return keyNames(policyTargets(o.(*v1alpha1.RetryPolicy))) }},
		{&discoveryv1.EndpointSlice{}, indexSliceService, func(o client.Object) []string { return []string{o.GetLabels()[discoveryv1.LabelServiceName]} }},
	} {
		if err := indexer.IndexField(ctx, index.of, index.name, index.by); err != nil {
			return fmt.Errorf("index %T by %s: %w", index.of, index.name, err)
		}
	}
	return nil
}

func keyNames(keys []targetKey) []string {
	out := make([]string, 0, len(keys))
	for _, key := range keys {
		out = append(out, key.String())
	}
	return out
}

// splitTarget is one of a split's routes.
func splitTarget(split *v1alpha1.TrafficSplit, ref v1alpha1.RouteReference) targetKey {
	kind := schema.GroupKind{Group: gatewayGroup, Kind: httpRouteKind.Kind}
	if ref.Group != nil {
		kind.Group = *ref.Group
	}
	if ref.Kind != "" {
		kind.Kind = ref.Kind
	}
	return targetKey{kind: kind, NamespacedName: types.NamespacedName{Namespace: split.Namespace, Name: ref.Name}}
}

// namedTargets are the routes that a split's spec names, each once.
func namedTargets(split *v1alpha1.TrafficSplit) []targetKey {
	var out []targetKey
	for _, ref := range split.Spec.RouteRefs {
		if key := splitTarget(split, ref); !slices.Contains(out, key) {
			out = append(out, key)
		}
	}
	return out
}

// splitTargets are the routes that a split names, and those that it leaves, each once.
func splitTargets(split *v1alpha1.TrafficSplit) []targetKey {
	out := namedTargets(split)
	for _, l := range split.Status.Run.Leaving {
		if key := splitTarget(split, leavingRef(l)); !slices.Contains(out, key) {
			out = append(out, key)
		}
	}
	return out
}

// policyTarget is one of a policy's targets.
func policyTarget(policy *v1alpha1.RetryPolicy, ref v1alpha1.PolicyTargetReference) targetKey {
	kind := schema.GroupKind{Kind: ref.Kind}
	if ref.Group != nil {
		kind.Group = *ref.Group
	}
	return targetKey{kind: kind, NamespacedName: types.NamespacedName{Namespace: policy.Namespace, Name: ref.Name}}
}

// policyTargets are a policy's targets, each once.
func policyTargets(policy *v1alpha1.RetryPolicy) []targetKey {
	var out []targetKey
	for _, ref := range policy.Spec.TargetRefs {
		if key := policyTarget(policy, ref); !slices.Contains(out, key) {
			out = append(out, key)
		}
	}
	return out
}

// splitServices are the names of all Services that a split or its record names, each once.
func splitServices(split *v1alpha1.TrafficSplit) []string {
	out := []string{split.Spec.ServiceRef.Name}
	add := func(name string) {
		if name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for _, b := range slices.Concat(split.Spec.Backends, split.Status.Run.Backends) {
		add(b.Name)
	}
	for _, m := range slices.Concat(split.Spec.Matches, split.Status.Run.Matches) {
		add(m.Backend)
	}
	add(split.Spec.Mirror.Backend)
	add(split.Status.Run.Mirror.Backend)
	return out
}

// splitsOn are the splits that name a target. They are the cache's own and must not be changed.
func splitsOn(ctx context.Context, reader client.Reader, key targetKey) ([]*v1alpha1.TrafficSplit, error) {
	var list v1alpha1.TrafficSplitList
	err := reader.List(ctx, &list, client.InNamespace(key.Namespace), client.MatchingFields{indexSplitTarget: key.String()}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list TrafficSplits of %s in %s: %w", key, key.Namespace, err)
	}
	return pointers(list.Items), nil
}

// policiesOn are the policies that name a target. They are the cache's own and must not be changed.
func policiesOn(ctx context.Context, reader client.Reader, key targetKey) ([]*v1alpha1.RetryPolicy, error) {
	var list v1alpha1.RetryPolicyList
	err := reader.List(ctx, &list, client.InNamespace(key.Namespace), client.MatchingFields{indexPolicyTarget: key.String()}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list RetryPolicies of %s in %s: %w", key, key.Namespace, err)
	}
	return pointers(list.Items), nil
}

func pointers[T any](items []T) []*T {
	out := make([]*T, 0, len(items))
	for i := range items {
		out = append(out, &items[i])
	}
	return out
}

// around is a composition, with the splits that name the target it was made for.
type around struct {
	traffic.Composition
	splits []*v1alpha1.TrafficSplit
}

// composeAround decides who gets what of a target. Whether a split has it depends on the others on that split's other
// targets, and on theirs: all that hang together are read, and no more. A deleted split that wants nothing but its Service
// holds nothing any more.
func composeAround(ctx context.Context, reader client.Reader, key targetKey) (around, error) {
	var out around
	var wishes []traffic.Wish
	seen := map[string]bool{}
	looked := []targetKey{key}
	for i := 0; i < len(looked); i++ {
		splits, err := splitsOn(ctx, reader, looked[i])
		if err != nil {
			return out, err
		}
		if i == 0 {
			out.splits = splits
		}
		for _, split := range splits {
			if seen[split.Name] {
				continue
			}
			seen[split.Name] = true
			for _, target := range splitTargets(split) {
				if !slices.Contains(looked, target) {
					looked = append(looked, target)
				}
			}
			wishes = append(wishes, wishesOf(split)...)
		}
	}
	out.Composition = traffic.Compose(wishes)
	return out, nil
}

func wishesOf(split *v1alpha1.TrafficSplit) []traffic.Wish {
	backends := trafficBackends(split.Status.Run.Backends)
	if !split.DeletionTimestamp.IsZero() && (len(backends) == 0 || isHome(split, split.Status.Run)) {
		return nil
	}
	var out []traffic.Wish
	for _, ref := range split.Spec.RouteRefs {
		out = append(out, traffic.Wish{Route: splitTarget(split, ref).String(), Split: routeSplit(split, ref, split.Status.Run)})
	}
	for _, l := range split.Status.Run.Leaving {
		ref := leavingRef(l)
		out = append(out, traffic.Wish{Route: splitTarget(split, ref).String(), Split: routeSplit(split, ref, leavingRun(split, split.Status.Run)), Leaving: true})
	}
	return out
}

// readyEndpoints counts the ready endpoints of a Service. One that says nothing about being ready is ready.
func readyEndpoints(ctx context.Context, reader client.Reader, namespace, service string) (int, error) {
	var slices discoveryv1.EndpointSliceList
	if err := reader.List(ctx, &slices, client.InNamespace(namespace), client.MatchingFields{indexSliceService: service}); err != nil {
		return 0, fmt.Errorf("list EndpointSlices of Service %s/%s: %w", namespace, service, err)
	}
	ready := 0
	for _, s := range slices.Items {
		for _, e := range s.Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				ready++
			}
		}
	}
	return ready, nil
}
