package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// pluginName is the name under which kubectl finds this binary as `kubectl slipway`.
const pluginName = "kubectl-slipway"

// Exit statuses of the commands for people. wait says by them what became of a change.
const (
	exitNo    = 1 // refused, rolled back, or not possible
	exitOther = 2 // not known: no answer in time, or something else came in between
)

// exitError is an error with an exit status of its own.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func exitWith(status int, format string, args ...any) error {
	return &exitError{status, fmt.Errorf(format, args...)}
}

func exitStatus(err error) int {
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.status
	}
	return exitNo
}

// cluster is what the commands for people talk to, as whoever runs them.
type cluster struct {
	client    client.Client
	namespace string
}

// people are the commands for people. They write nothing but requests.
type people struct {
	rules     *clientcmd.ClientConfigLoadingRules
	overrides *clientcmd.ConfigOverrides
	// connect, now and every are replaced in tests.
	connect func() (cluster, error)
	now     func() time.Time
	// every is how often the API server is asked while something is waited for.
	every time.Duration
}

func newPeople() *people {
	p := &people{
		rules: clientcmd.NewDefaultClientConfigLoadingRules(), overrides: &clientcmd.ConfigOverrides{},
		now: time.Now, every: time.Second,
	}
	p.connect = p.dial
	return p
}

func (p *people) dial() (cluster, error) {
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(p.rules, p.overrides)
	config, err := loader.ClientConfig()
	if err != nil {
		return cluster{}, fmt.Errorf("find the cluster: %w; name one by --kubeconfig or --context", err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return cluster{}, fmt.Errorf("find the namespace: %w; name one by --namespace", err)
	}
	c, err := client.New(config, client.Options{Scheme: scheme()})
	if err != nil {
		return cluster{}, fmt.Errorf("reach the API server: %w", err)
	}
	return cluster{client: c, namespace: namespace}, nil
}

// addTo gives root the commands for people. Under kubectl's name for a plug-in, nothing else is offered.
func (p *people) addTo(root *cobra.Command, calledAs string) {
	if strings.TrimSuffix(filepath.Base(calledAs), ".exe") == pluginName {
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl slipway"}
		for _, c := range root.Commands() {
			c.Hidden = c.Name() != "version"
		}
	}
	commands := append(p.verbCommands(), p.statusCommand(), p.waitCommand())
	for _, c := range commands {
		p.addConnectionFlags(c)
	}
	root.AddCommand(commands...)
}

// addConnectionFlags are kubectl's own, by kubectl's names.
func (p *people) addConnectionFlags(c *cobra.Command) {
	c.Flags().StringVar(&p.rules.ExplicitPath, "kubeconfig", "", "path of the kubeconfig; otherwise as kubectl finds it")
	clientcmd.BindOverrideFlags(p.overrides, c.Flags(), clientcmd.RecommendedConfigOverrideFlags(""))
}

// release reads a CanaryRelease. What is missing is said with what there is.
func (c cluster) release(ctx context.Context, name string) (*v1alpha1.CanaryRelease, error) {
	cr := &v1alpha1.CanaryRelease{}
	err := c.client.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: name}, cr)
	switch {
	case meta.IsNoMatchError(err):
		return nil, errors.New("this cluster has no CanaryReleases: Slipway is not installed in it, or --context names another one")
	case apierrors.IsNotFound(err):
		return nil, c.noRelease(ctx, name, err)
	case err != nil:
		return nil, fmt.Errorf("read CanaryRelease %s/%s: %w", c.namespace, name, err)
	}
	return cr, nil
}

func (c cluster) noRelease(ctx context.Context, name string, cause error) error {
	there := "it has none; name another one by --namespace"
	if list, err := c.releases(ctx); err == nil && len(list) > 0 {
		var names []string
		for _, cr := range list {
			names = append(names, cr.Name)
		}
		slices.Sort(names)
		there = "it has: " + strings.Join(names, ", ")
	}
	return fmt.Errorf("find CanaryRelease %q in namespace %q (%s): %w", name, c.namespace, there, cause)
}

func (c cluster) releases(ctx context.Context) ([]v1alpha1.CanaryRelease, error) {
	list := &v1alpha1.CanaryReleaseList{}
	if err := c.client.List(ctx, list, client.InNamespace(c.namespace)); err != nil {
		return nil, fmt.Errorf("list CanaryReleases in namespace %q: %w", c.namespace, err)
	}
	return list.Items, nil
}

// reason is where a release stands, in a word and a sentence.
func reason(cr *v1alpha1.CanaryRelease) (word, sentence string) {
	ready := meta.FindStatusCondition(cr.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return "Unknown", "the operator has not looked at it yet"
	}
	return ready.Reason, ready.Message
}

func oneName(c *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return exitWith(exitOther, "%s takes one name, and was given %d", c.CommandPath(), len(args))
}
