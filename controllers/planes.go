package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
	"slipway.dev/slipway/internal/traffic/istio"
)

// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,verbs=get

// apisMemory is for how long what is installed is taken to be the same.
const apisMemory = 30 * time.Second

// APIs says which kinds are installed.
type APIs func(ctx context.Context) (map[string]traffic.API, error)

// installedAPIs asks the API server which kinds it has, and how Gateway API's are defined, and remembers it for a while.
type installedAPIs struct {
	discovery discovery.DiscoveryInterface
	live      client.Reader
	clock     clock.PassiveClock

	mu    sync.Mutex
	at    time.Time
	known map[string]traffic.API
}

// facts are what is installed now, or was a moment ago.
func (i *installedAPIs) facts(ctx context.Context) (map[string]traffic.API, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.known != nil && i.clock.Since(i.at) < apisMemory {
		return i.known, nil
	}
	// Groups whose own server does not answer are left out: none of ours is served by another server.
	lists, err := i.discovery.ServerPreferredResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, fmt.Errorf("find out which kinds are installed: %w", err)
	}
	known := map[string]traffic.API{}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, resource := range list.APIResources {
			if strings.Contains(resource.Name, "/") {
				continue
			}
			kind := schema.GroupKind{Group: version.Group, Kind: resource.Kind}
			known[traffic.APIName(kind)] = traffic.API{Versions: []string{version.Version}}
		}
	}
	for _, d := range described {
		if err := i.describe(ctx, known, d); err != nil {
			return nil, err
		}
	}
	i.known, i.at = known, i.clock.Now()
	return known, nil
}

// definition is a kind that some version of its CRD has no field for, which routers write.
type definition struct {
	kind   schema.GroupVersionKind
	crd    string
	fields []string
}

// described are the kinds whose schema is looked at.
var described = []definition{
	{httpRouteKind, "httproutes.gateway.networking.k8s.io", gatewayapi.OptionalFields},
	{schema.GroupVersionKind{Group: istioGroup, Version: "v1", Kind: "VirtualService"}, "virtualservices.networking.istio.io", istio.OptionalFields},
	{schema.GroupVersionKind{Group: istioGroup, Version: "v1", Kind: "DestinationRule"}, "destinationrules.networking.istio.io", istio.OptionalFields},
}

const istioGroup = "networking.istio.io"

// describe adds what the CRD says of itself, and which optional fields its schema has: what it does not have is dropped by
// the API server without a word.
func (i *installedAPIs) describe(ctx context.Context, known map[string]traffic.API, d definition) error {
	name := traffic.APIName(d.kind.GroupKind())
	api, ok := known[name]
	if !ok {
		return nil
	}
	crd := newUntyped(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	if err := i.live.Get(ctx, types.NamespacedName{Name: d.crd}, crd); err != nil {
		return fmt.Errorf("read how %s is defined: %w", d.kind.Kind, err)
	}
	known[name] = describedBy(crd, d, api)
	return nil
}

func describedBy(crd *unstructured.Unstructured, d definition, api traffic.API) traffic.API {
	api.Bundle = crd.GetAnnotations()["gateway.networking.k8s.io/bundle-version"]
	api.Channel = crd.GetAnnotations()["gateway.networking.k8s.io/channel"]
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, item := range versions {
		version, _ := item.(map[string]any)
		if version["name"] != d.kind.Version {
			continue
		}
		for _, field := range d.fields {
			if hasField(version, field) {
				api.Fields = append(api.Fields, field)
			}
		}
	}
	return api
}

// hasField follows a path of fields through a schema; what is in a list belongs to the list.
func hasField(version map[string]any, field string) bool {
	path := []string{"schema", "openAPIV3Schema", "properties", "spec"}
	for step := range strings.SplitSeq(field, ".") {
		if _, isList, _ := unstructured.NestedMap(version, append(slices.Clone(path), "items")...); isList {
			path = append(path, "items")
		}
		path = append(path, "properties", step)
	}
	_, found, _ := unstructured.NestedFieldNoCopy(version, path...)
	return found
}
