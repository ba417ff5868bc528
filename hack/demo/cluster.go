package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"slipway.dev/slipway/api/v1alpha1"
)

// cluster is how the demo speaks to the API server; proxy reaches pods and Services through it.
type cluster struct {
	client.WithWatch
	proxy kubernetes.Interface
}

func connect() (*cluster, error) {
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w; set KUBECONFIG, or start the test cluster with make rig-up", err)
	}
	config.QPS, config.Burst = 50, 100
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, gatewayv1.Install, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	c := &cluster{}
	if c.WithWatch, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return nil, fmt.Errorf("reach the cluster %s: %w", config.Host, err)
	}
	if c.proxy, err = kubernetes.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("reach the cluster %s: %w", config.Host, err)
	}
	return c, nil
}

const (
	lookEvery = 500 * time.Millisecond
	sayEvery  = 10 * time.Second
)

// awaited is something that the demo waits for. look returns what it saw, for the user, and whether that is it.
type awaited struct {
	what  string
	limit time.Duration
	look  func(context.Context) (seen string, done bool, err error)
}

// await looks until it is there, says every ten seconds that it still waits, and in the end what it saw instead. An error
// of look is taken for something that may pass, but not a hopelessError.
func (d *demo) await(ctx context.Context, a awaited) error {
	started, said, seen := d.now(), d.now(), "nothing yet"
	err := wait.PollUntilContextTimeout(ctx, lookEvery, a.limit, true, func(ctx context.Context) (bool, error) {
		have, done, err := a.look(ctx)
		switch {
		case isHopeless(err):
			return false, err
		case err != nil && ctx.Err() == nil:
			seen = err.Error()
		case err == nil:
			seen = have
		}
		if now := d.now(); !done && now.Sub(said) >= sayEvery {
			said = now
			d.screen.print("  ... waiting for %s since %s of at most %s: %s", a.what, round(now.Sub(started)), a.limit, seen)
		}
		return done && err == nil, nil
	})
	if err != nil && ctx.Err() == nil && !isHopeless(err) {
		return fmt.Errorf("wait for %s: not there after %s: %s", a.what, a.limit, seen)
	}
	return err
}

// hopelessError is one that waiting does not cure: its message says what to do.
type hopelessError struct{ message string }

func (e *hopelessError) Error() string { return e.message }

func hopeless(format string, args ...any) error { return &hopelessError{fmt.Sprintf(format, args...)} }

func isHopeless(err error) bool {
	var h *hopelessError
	return errors.As(err, &h)
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }

// conditionsOf shows conditions as a user reads them, sorted by type.
func conditionsOf(conditions []metav1.Condition) string {
	if len(conditions) == 0 {
		return "no conditions yet"
	}
	lines := make([]string, 0, len(conditions))
	for _, c := range conditions {
		text := fmt.Sprintf("%s=%s (%s)", c.Type, c.Status, c.Reason)
		if c.Message != "" {
			text += ": " + c.Message
		}
		lines = append(lines, text)
	}
	slices.Sort(lines)
	return strings.Join(lines, "; ")
}

func isTrue(conditions []metav1.Condition, kind string) bool {
	return slices.ContainsFunc(conditions, func(c metav1.Condition) bool { return c.Type == kind && c.Status == metav1.ConditionTrue })
}
