package gitops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/tracing"
	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/rest"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const argoManager = "argocd-controller"

// ArgoCD applies and compares as its application controller does.
type ArgoCD struct {
	client  client.Client
	applier kube.ResourceOperations
	dryRuns diff.KubeApplier
	parser  *managedfields.GvkParser
	options ArgoOptions
	// Close takes away the files that its kubectl works with.
	Close func()
}

// ArgoOptions are what an Application, and argocd-cm, set.
type ArgoOptions struct {
	// Application is its name.
	Application string
	// ServerSide is compare-options ServerSideDiff=true with syncOptions ServerSideApply=true. False compares manifest, live
	// object and what was applied last.
	ServerSide bool
	// IgnoreRoutePaths are the jqPathExpressions of ignoreDifferences for HTTPRoutes.
	IgnoreRoutePaths []string
	// ReleaseHealth is the Lua script for CanaryReleases.
	ReleaseHealth string
}

// NewArgoCD reads the cluster's schema, which takes a second.
func NewArgoCD(c client.Client, config *rest.Config, options ArgoOptions) (*ArgoCD, error) {
	kubectl := &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
	_, parser, err := kubectl.LoadOpenAPISchema(config)
	if err != nil {
		return nil, err
	}
	applier, closeApplier, err := kubectl.ManageResources(config)
	if err != nil {
		return nil, err
	}
	dryRuns, closeDryRuns, err := kubectl.ManageServerSideDiffDryRuns(config)
	if err != nil {
		closeApplier()
		return nil, err
	}
	return &ArgoCD{
		client: c, applier: applier, dryRuns: dryRuns, parser: parser, options: options,
		Close: func() { closeApplier(); closeDryRuns() },
	}, nil
}

// Mine says whether an object has the annotation by which Argo CD knows its own.
func (a *ArgoCD) Mine(object client.Object) bool {
	return hasKey("argocd.argoproj.io/", object.GetLabels(), object.GetAnnotations())
}

// Apply gives the objects as they are in Git to the cluster.
func (a *ArgoCD) Apply(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		_, err := a.applier.ApplyResource(ctx, a.tracked(object), cmdutil.DryRunNone, false, true, a.options.ServerSide, argoManager)
		if err != nil {
			return fmt.Errorf("sync %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

// Drift is the difference of an object in Git to what is in the cluster; empty when there is none.
func (a *ArgoCD) Drift(ctx context.Context, object *unstructured.Unstructured) (string, error) {
	return a.drift(ctx, object, a.options.IgnoreRoutePaths)
}

// DriftWithoutIgnoring is Drift as it would be without ignoreDifferences.
func (a *ArgoCD) DriftWithoutIgnoring(ctx context.Context, object *unstructured.Unstructured) (string, error) {
	return a.drift(ctx, object, nil)
}

func (a *ArgoCD) drift(ctx context.Context, object *unstructured.Unstructured, ignored []string) (string, error) {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(object.GroupVersionKind())
	if err := a.client.Get(ctx, client.ObjectKeyFromObject(object), live); err != nil {
		return "", err
	}
	normal, err := newNormalizer(ignored)
	if err != nil {
		return "", err
	}
	options := []diff.Option{diff.WithLogr(logr.Discard()), diff.WithNormalizer(normal), diff.WithGVKParser(a.parser), diff.WithManager(argoManager)}
	if a.options.ServerSide {
		options = append(options, diff.WithServerSideDiff(true), diff.WithServerSideDryRunner(diff.NewK8sServerSideDryRunner(a.dryRuns)))
	}
	result, err := diff.Diff(a.tracked(object), live, options...)
	if err != nil || !result.Modified {
		return "", err
	}
	var is, wanted map[string]any
	if err := errors.Join(json.Unmarshal(result.NormalizedLive, &is), json.Unmarshal(result.PredictedLive, &wanted)); err != nil {
		return "", err
	}
	return cmp.Diff(is, wanted), nil
}

func (a *ArgoCD) tracked(object *unstructured.Unstructured) *unstructured.Unstructured {
	object = object.DeepCopy()
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	kind := object.GroupVersionKind()
	annotations["argocd.argoproj.io/tracking-id"] = fmt.Sprintf("%s:%s/%s:%s/%s", a.options.Application, kind.Group, kind.Kind,
		object.GetNamespace(), object.GetName())
	object.SetAnnotations(annotations)
	return object
}

// Health is Argo CD's word for an object.
func (a *ArgoCD) Health(object *unstructured.Unstructured) (string, error) {
	h, err := health.GetResourceHealth(object, luaHealth{kind: "CanaryRelease", script: a.options.ReleaseHealth})
	if err != nil {
		return "", err
	}
	if h == nil {
		return "", fmt.Errorf("no health check of Argo CD for %s", object.GetKind())
	}
	return string(h.Status), nil
}
