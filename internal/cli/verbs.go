package cli

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/release"
)

// A request is answered by taking it away and by an Event with this reason and action about the CanaryRelease.
const (
	answerReason = "Request"
	answerAction = "Answer"
)

// answerLate is how much later than the request's end its Event may be written.
const answerLate = 10 * time.Second

type verb struct {
	name       release.Verb
	annotation string
	short      string
}

func verbs() []verb {
	return []verb{
		{release.Promote, v1alpha1.RequestPromote, "Promote the change now, without waiting for evidence"},
		{release.Abort, v1alpha1.RequestAbort, "Take users off the change and reject it"},
		{release.Retry, v1alpha1.RequestRetry, "Try a rejected change again, from the first step"},
		{release.Pause, v1alpha1.RequestPause, "Keep the share of traffic as it is; harm is still rolled back"},
		{release.Resume, v1alpha1.RequestResume, "Go on after a pause, or past the hold of a step"},
	}
}

func (p *people) verbCommands() []*cobra.Command {
	var out []*cobra.Command
	for _, v := range verbs() {
		out = append(out, p.verbCommand(v))
	}
	return out
}

func (p *people) verbCommand(v verb) *cobra.Command {
	ask := request{people: p, verb: v}
	c := &cobra.Command{
		Use:   string(v.name) + " NAME",
		Short: v.short,
		Long: v.short + ".\n\nNAME is a CanaryRelease. The request is for one revision; it is refused when another one is being released.\n" +
			"Exit status 0: done. 1: refused, by the operator or the API server. 2: no answer in time.",
		Args: oneName,
		RunE: func(c *cobra.Command, args []string) error {
			ask.name, ask.out = args[0], c.OutOrStdout()
			return ask.run(c.Context())
		},
	}
	c.Flags().StringVar(&ask.revision, "revision", "", "the revision that is meant; otherwise the one in status.revision now, which is printed")
	c.Flags().BoolVar(&ask.wait, "wait", true, "wait for the operator's answer")
	c.Flags().DurationVar(&ask.timeout, "timeout", time.Minute, "how long to wait for it")
	return c
}

// request is one run of a verb.
type request struct {
	*people
	verb     verb
	name     string
	revision string
	wait     bool
	timeout  time.Duration
	out      io.Writer
	// known are the answers that were there before.
	known sets.Set[types.UID]
}

func (r *request) run(ctx context.Context) error {
	c, err := r.connect()
	if err != nil {
		return err
	}
	cr, err := c.release(ctx, r.name)
	if err != nil {
		return err
	}
	if err := r.aim(cr); err != nil {
		return err
	}
	// What was answered before is read before asking: clocks of two machines need not agree.
	before, eventsErr := c.answers(ctx, cr)
	r.known = sets.New[types.UID]()
	for _, e := range before {
		r.known.Insert(e.UID)
	}
	if err := r.write(ctx, c); err != nil {
		return err
	}
	fmt.Fprintf(r.out, "asked: %s revision %s of CanaryRelease %s/%s\n", r.verb.name, r.revision, cr.Namespace, cr.Name)
	if !r.wait {
		return nil
	}
	return r.await(ctx, c, eventsErr)
}

// aim fixes the revision that is meant before anything is written, so that a change that comes meanwhile is not hit.
func (r *request) aim(cr *v1alpha1.CanaryRelease) error {
	if r.revision == "" {
		r.revision = cr.Status.Revision
	}
	if r.revision == "" {
		return fmt.Errorf("%s CanaryRelease %s/%s: it has no status.revision, because the operator has not looked at it yet; see that the operator runs, or name a --revision",
			r.verb.name, cr.Namespace, cr.Name)
	}
	return nil
}

// write puts the annotation on what was read, and reads again when somebody was faster: the operator writes progress there.
func (r *request) write(ctx context.Context, c cluster) error {
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		cr, err := c.release(ctx, r.name)
		if err != nil {
			return err
		}
		asked := cr.DeepCopy()
		if asked.Annotations == nil {
			asked.Annotations = map[string]string{}
		}
		asked.Annotations[r.verb.annotation] = r.revision
		return c.client.Patch(ctx, asked, client.MergeFromWithOptions(cr, client.MergeFromWithOptimisticLock{}))
	})
	if err != nil {
		return fmt.Errorf("ask to %s CanaryRelease %s/%s: %w", r.verb.name, c.namespace, r.name, err)
	}
	return nil
}

// await prints the answer. eventsErr is why Events cannot be read, if they cannot.
func (r *request) await(ctx context.Context, c cluster, eventsErr error) error {
	cr, err := r.untilTaken(ctx, c)
	if err != nil {
		return err
	}
	if eventsErr != nil {
		return r.unheard(cr, fmt.Sprintf("(%s)", eventsErr))
	}
	answer, err := r.untilAnswered(ctx, c, cr)
	if err != nil {
		return r.unheard(cr, "(no Event says it)")
	}
	if refused(answer) {
		return exitWith(exitNo, "%s", answer.Message)
	}
	fmt.Fprintf(r.out, "answer: %s\n", answer.Message)
	return nil
}

// untilTaken waits until the operator has taken the annotation away.
func (r *request) untilTaken(ctx context.Context, c cluster) (*v1alpha1.CanaryRelease, error) {
	var cr *v1alpha1.CanaryRelease
	err := wait.PollUntilContextTimeout(ctx, r.every, r.timeout, true, func(ctx context.Context) (bool, error) {
		now, err := c.release(ctx, r.name)
		if err != nil {
			// A server that is away for a moment is no answer.
			return false, onlyFinal(err)
		}
		cr = now
		return cr.Annotations[r.verb.annotation] != r.revision, nil
	})
	if wait.Interrupted(err) {
		return nil, exitWith(exitOther, "the operator has not answered within %s, and the request stays: see that it runs (kubectl -n slipway-system get pods), or take the request back (kubectl -n %s annotate canaryrelease %s %s-)",
			r.timeout, c.namespace, r.name, r.verb.annotation)
	}
	return cr, err
}

// onlyFinal keeps of what went wrong what does not mend itself.
func onlyFinal(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
		return err
	}
	return nil
}

func (r *request) untilAnswered(ctx context.Context, c cluster, cr *v1alpha1.CanaryRelease) (corev1.Event, error) {
	var answer corev1.Event
	err := wait.PollUntilContextTimeout(ctx, r.every, answerLate, true, func(ctx context.Context) (bool, error) {
		events, err := c.answers(ctx, cr)
		if err != nil {
			return false, onlyFinal(err)
		}
		for _, e := range events {
			if !r.known.Has(e.UID) && r.isMine(e.Message) {
				answer = e
				return true, nil
			}
		}
		return false, nil
	})
	return answer, err
}

// isMine leaves out refusals of what somebody else asked for at the same time. An answer that is no refusal has no verb.
func (r *request) isMine(note string) bool {
	m := refusal.FindStringSubmatch(note)
	return m == nil || m[1] == string(r.verb.name)
}

// unheard is the end of a request that was dealt with in a way that is not known: that is no success.
func (r *request) unheard(cr *v1alpha1.CanaryRelease, why string) error {
	word, sentence := reason(cr)
	return exitWith(exitOther, "the operator has dealt with the request, but what it answered cannot be read %s; the release is at %s: %s", why, word, sentence)
}

// answers are the Events that answer requests to a release. They are read by their older API, which everybody may read who
// may view the namespace.
func (c cluster) answers(ctx context.Context, cr *v1alpha1.CanaryRelease) ([]corev1.Event, error) {
	list := &corev1.EventList{}
	err := c.client.List(ctx, list, client.InNamespace(cr.Namespace), client.MatchingFields{"involvedObject.uid": string(cr.UID)})
	if err != nil {
		return nil, fmt.Errorf("list Events of CanaryRelease %s/%s: %w", cr.Namespace, cr.Name, err)
	}
	var out []corev1.Event
	for _, e := range list.Items {
		if e.Reason == answerReason && e.Action == answerAction {
			out = append(out, e)
		}
	}
	return out, nil
}

// refusal is how internal/release words a refusal.
var refusal = regexp.MustCompile(`^(\w+)(?: of revision \S+)? refused: `)

func refused(e corev1.Event) bool {
	return e.Type == corev1.EventTypeWarning || refusal.MatchString(e.Message)
}
