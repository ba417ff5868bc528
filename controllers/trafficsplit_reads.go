package controllers

import (
	"context"
	"fmt"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
)

// Indexes of the cache.
const (
	// indexSplitRoute finds TrafficSplits by a route that they name.
	indexSplitRoute = "slipway.dev/split-route"
	// indexSplitService finds TrafficSplits by a Service that they or their records name.
	indexSplitService = "slipway.dev/split-service"
	// indexSliceService finds EndpointSlices by their Service.
	indexSliceService = "slipway.dev/slice-service"
)

func indexTraffic(ctx context.Context, indexer client.FieldIndexer) error {
	err := indexer.IndexField(ctx, &v1alpha1.TrafficSplit{}, indexSplitRoute, func(o client.Object) []string {
		return splitRouteNames(o.(*v1alpha1.TrafficSplit))
	})
	if err != nil {
		return fmt.Errorf("index TrafficSplits by route: %w", err)
	}
	err = indexer.IndexField(ctx, &v1alpha1.TrafficSplit{}, indexSplitService, func(o client.Object) []string {
		return splitServices(o.(*v1alpha1.TrafficSplit))
	})
	if err != nil {
		return fmt.Errorf("index TrafficSplits by Service: %w", err)
	}
	err = indexer.IndexField(ctx, &discoveryv1.EndpointSlice{}, indexSliceService, func(o client.Object) []string {
		return []string{o.GetLabels()[discoveryv1.LabelServiceName]}
	})
	if err != nil {
		return fmt.Errorf("index EndpointSlices by Service: %w", err)
	}
	return nil
}

// splitRouteNames are the names of a split's routes, and of those that it leaves, each once.
func splitRouteNames(split *v1alpha1.TrafficSplit) []string {
	var out []string
	for _, ref := range split.Spec.RouteRefs {
		if fieldOrHTTPRoute(ref.Kind) == httpRouteKind.Kind && !slices.Contains(out, ref.Name) {
			out = append(out, ref.Name)
		}
	}
	for _, l := range split.Status.Run.Leaving {
		if !slices.Contains(out, l.Name) {
			out = append(out, l.Name)
		}
	}
	return out
}

// splitServices are the names of all Services that a split or its record names, each once.
func splitServices(split *v1alpha1.TrafficSplit) []string {
	out := []string{split.Spec.ServiceRef.Name}
	for _, b := range slices.Concat(split.Spec.Backends, split.Status.Run.Backends) {
		if !slices.Contains(out, b.Name) {
			out = append(out, b.Name)
		}
	}
	return out
}

// splitsOn are the splits that name a route.
func splitsOn(ctx context.Context, reader client.Reader, route types.NamespacedName) ([]v1alpha1.TrafficSplit, error) {
	var list v1alpha1.TrafficSplitList
	if err := reader.List(ctx, &list, client.InNamespace(route.Namespace), client.MatchingFields{indexSplitRoute: route.Name}); err != nil {
		return nil, fmt.Errorf("list TrafficSplits of HTTPRoute %s: %w", route, err)
	}
	return list.Items, nil
}

// composeNamespace decides who gets what of the routes in a namespace. A deleted split that wants nothing but its
// Service holds nothing any more.
func composeNamespace(ctx context.Context, reader client.Reader, namespace string) (traffic.Composition, error) {
	var list v1alpha1.TrafficSplitList
	if err := reader.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return traffic.Composition{}, fmt.Errorf("list TrafficSplits in %s: %w", namespace, err)
	}
	var wishes []traffic.Wish
	for i := range list.Items {
		split := &list.Items[i]
		backends := trafficBackends(split.Status.Run.Backends)
		if !split.DeletionTimestamp.IsZero() && (len(backends) == 0 || onlyService(split, backends)) {
			continue
		}
		for _, ref := range split.Spec.RouteRefs {
			if fieldOrHTTPRoute(ref.Kind) != httpRouteKind.Kind {
				continue
			}
			wishes = append(wishes, traffic.Wish{Route: ref.Name, Split: routeSplit(split, ref, split.Status.Run, backends)})
		}
		for _, l := range split.Status.Run.Leaving {
			ref := v1alpha1.RouteReference{Name: l.Name, SectionName: l.SectionName}
			wish := traffic.Wish{Route: l.Name, Split: routeSplit(split, ref, split.Status.Run, leavingBackends(split, backends)), Leaving: true}
			wishes = append(wishes, wish)
		}
	}
	return traffic.Compose(wishes), nil
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
