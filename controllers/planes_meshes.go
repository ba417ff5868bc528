package controllers

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/traffic"
	"slipway.dev/slipway/internal/traffic/appmesh"
	"slipway.dev/slipway/internal/traffic/consul"
	"slipway.dev/slipway/internal/traffic/linkerd"
)

// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get
// +kubebuilder:rbac:groups=networking.istio.io,resources=virtualservices;destinationrules,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=networking.istio.io,resources=envoyfilters;sidecars,verbs=get;list;watch
// +kubebuilder:rbac:groups=policy.linkerd.io,resources=httproutes;servers,verbs=get;list;watch
// +kubebuilder:rbac:groups=linkerd.io,resources=serviceprofiles,verbs=get;list;watch
// +kubebuilder:rbac:groups=consul.hashicorp.com,resources=servicesplitters;servicerouters;serviceresolvers,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=consul.hashicorp.com,resources=servicedefaults;serviceintentions;proxydefaults,verbs=get;list;watch
// +kubebuilder:rbac:groups=appmesh.k8s.aws,resources=virtualrouters,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=appmesh.k8s.aws,resources=virtualservices,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=appmesh.k8s.aws,resources=virtualnodes,verbs=get;list;watch

// meshKinds are, for each mesh, a kind without which it is not there.
var meshKinds = map[v1alpha1.DataPlane]schema.GroupKind{
	v1alpha1.DataPlaneIstio:   {Group: istioGroup, Kind: "VirtualService"},
	v1alpha1.DataPlaneLinkerd: linkerd.ServerKind.GroupKind(),
	v1alpha1.DataPlaneConsul:  consul.SplitterKind.GroupKind(),
	v1alpha1.DataPlaneAppMesh: appmesh.RouterKind.GroupKind(),
}

// isPresent says whether what a router writes is installed. One that is not costs nothing: none of what it would read, such
// as all Services of the cluster, is.
func isPresent(router traffic.Router, apis map[string]traffic.API) bool {
	kind, isMesh := meshKinds[router.DataPlane()]
	if !isMesh {
		return true
	}
	_, installed := apis[traffic.APIName(kind)]
	return installed
}

var namespaceKind = schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}

// namespaceLabels reads the namespaces of targets from the API server, and remembers each for a while: the operator may not
// list them.
type namespaceLabels struct {
	live  client.Reader
	clock clock.PassiveClock

	mu    sync.Mutex
	known map[string]namespaceRecord
}

type namespaceRecord struct {
	at     time.Time
	object *unstructured.Unstructured
}

// get is the namespace, or nil when there is none.
func (n *namespaceLabels) get(ctx context.Context, name string) (*unstructured.Unstructured, error) {
	if n == nil {
		return nil, nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if record, ok := n.known[name]; ok && n.clock.Since(record.at) < apisMemory {
		return record.object, nil
	}
	object := newUntyped(namespaceKind)
	err := n.live.Get(ctx, types.NamespacedName{Name: name}, object)
	switch {
	case apierrors.IsNotFound(err):
		object = nil
	case err != nil:
		return nil, fmt.Errorf("read Namespace %s: %w", name, err)
	}
	if n.known == nil {
		n.known = map[string]namespaceRecord{}
	}
	n.known[name] = namespaceRecord{at: n.clock.Now(), object: object}
	return object, nil
}
