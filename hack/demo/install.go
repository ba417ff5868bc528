package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	defaultImage = "localhost/slipway:dev"
	// installedAnnotation is a hash of what the demo last put into the operator's pods. A tag such as :dev and the
	// content of a ConfigMap may change without a rollout.
	installedAnnotation = "demo.slipway.dev/installed"
)

// applying takes over what somebody applied by another way: the operator's manifests are its own.
var applying = []string{"apply", "--server-side", "--force-conflicts"}

var operator = types.NamespacedName{Namespace: "slipway-system", Name: "slipway-operator"}

// install applies the operator and waits until what runs is what was applied.
func (d *demo) install(ctx context.Context) error {
	known, wanted := &appsv1.Deployment{}, ""
	err := d.cluster.Get(ctx, operator, known)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("look for the operator: %w", err)
	}
	existed := !apierrors.IsNotFound(err)
	if err := d.applyOperator(ctx); err != nil {
		return err
	}
	if wanted, err = d.fingerprint(); err != nil {
		return err
	}
	if existed && known.Annotations[installedAnnotation] != wanted {
		d.screen.print("  restarting the operator: its image or configuration may have changed")
		if err := d.kubectl(ctx, nil, "-n", operator.Namespace, "rollout", "restart", "deployment/"+operator.Name); err != nil {
			return err
		}
	}
	if err := d.annotateOperator(ctx, wanted); err != nil {
		return err
	}
	return d.await(ctx, awaited{"the operator to be ready", 3 * time.Minute, func(ctx context.Context) (string, bool, error) {
		return d.deploymentReady(ctx, operator)
	}})
}

func (d *demo) applyOperator(ctx context.Context) error {
	if d.options.image == defaultImage && d.options.prometheusURL == "" {
		return d.kubectl(ctx, nil, append(slices.Clone(applying), "-k", d.options.config)...)
	}
	built, err := exec.CommandContext(ctx, "kubectl", "kustomize", d.options.config).Output()
	if err != nil {
		return fmt.Errorf("run kubectl kustomize %s: %w", d.options.config, err)
	}
	patched, err := adapt(string(built), d.options.image, d.options.prometheusURL)
	if err != nil {
		return err
	}
	return d.kubectl(ctx, []byte(patched), append(slices.Clone(applying), "-f", "-")...)
}

// adapt puts another image and another Prometheus into what kustomize built.
func adapt(built, image, prometheusURL string) (string, error) {
	changes := []struct{ from, to string }{{"image: " + defaultImage, "image: " + image}}
	if prometheusURL != "" {
		changes = append(changes, struct{ from, to string }{"url: " + defaultPrometheus, "url: " + prometheusURL})
	}
	for _, change := range changes {
		if !strings.Contains(built, change.from) {
			return "", fmt.Errorf("adapt the operator's manifests: there is no %q in them", change.from)
		}
		built = strings.ReplaceAll(built, change.from, change.to)
	}
	return built, nil
}

// kubectl runs with its progress left out: only what went wrong is shown.
func (d *demo) kubectl(ctx context.Context, input []byte, args ...string) error {
	cmd := exec.CommandContext(ctx, "kubectl", args...)
	cmd.Stdin = bytes.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run kubectl %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

func (d *demo) fingerprint() (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, d.options.image, d.options.prometheusURL)
	if d.options.binary != "" {
		content, err := os.ReadFile(d.options.binary)
		if err != nil {
			return "", fmt.Errorf("read --binary: %w", err)
		}
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func (d *demo) annotateOperator(ctx context.Context, wanted string) error {
	o := &appsv1.Deployment{}
	if err := d.cluster.Get(ctx, operator, o); err != nil {
		return fmt.Errorf("look for the operator: %w", err)
	}
	before := o.DeepCopy()
	metav1.SetMetaDataAnnotation(&o.ObjectMeta, installedAnnotation, wanted)
	if err := d.cluster.Patch(ctx, o, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("annotate the operator: %w", err)
	}
	return nil
}

// deploymentReady says whether all pods are of the newest template and available, and if not, what there is instead.
func (d *demo) deploymentReady(ctx context.Context, key types.NamespacedName) (string, bool, error) {
	o := &appsv1.Deployment{}
	if err := d.cluster.Get(ctx, key, o); err != nil {
		return "", false, err
	}
	want, st := ptr.Deref(o.Spec.Replicas, 1), o.Status
	done := st.ObservedGeneration >= o.Generation && st.Replicas == want && st.UpdatedReplicas == want && st.AvailableReplicas == want
	if done {
		return "", true, nil
	}
	seen := []string{fmt.Sprintf("%d of %d pods are new, %d available", st.UpdatedReplicas, want, st.AvailableReplicas)}
	for _, c := range st.Conditions {
		seen = append(seen, fmt.Sprintf("%s=%s (%s): %s", c.Type, c.Status, c.Reason, c.Message))
	}
	return strings.Join(append(seen, d.podsIn(ctx, key.Namespace)...), "; "), false, nil
}
