package simulation

import (
	"k8s.io/apimachinery/pkg/types"
)

// Who writes.
const (
	operatorUser   = "slipway"
	gitUser        = "gitops"
	personUser     = "person"
	scalerUser     = "autoscaler"
	deploymentUser = "deployment-controller"
	endpointUser   = "endpoint-controller"
	dataPlaneUser  = "data-plane"
)

// Names of the objects of the shop. All of them are in one namespace.
const (
	namespace = "shop"
	appName   = "web"
	twinName  = "web-canary"
	holdName  = "web-stable-hold"
)

// Kinds.
const (
	kindRelease    = "CanaryRelease"
	kindSplit      = "TrafficSplit"
	kindDeployment = "Deployment"
	kindReplicaSet = "ReplicaSet"
	kindPod        = "Pod"
	kindService    = "Service"
	kindSlice      = "EndpointSlice"
	kindRevision   = "ControllerRevision"
	kindRoute      = "HTTPRoute"
)

var (
	appKey  = types.NamespacedName{Namespace: namespace, Name: appName}
	twinKey = types.NamespacedName{Namespace: namespace, Name: twinName}
)
