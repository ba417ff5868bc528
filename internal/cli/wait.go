package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	kwait "k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/release"
	"slipway.dev/slipway/internal/workload"
)

const waitHelp = `Wait until the template that is in the Deployment now is promoted or rolled back.

NAME is a CanaryRelease, or deployment/NAME for the one of that Deployment. Run it right after the change was applied: what the
operator has not seen yet is waited for too. A template that serves already is promoted.

Exit status 0: promoted. 1: rolled back, or rejected before. 2: neither is known: no verdict in time, another template has
come in its place, or the cluster cannot be asked.`

func (p *people) waitCommand() *cobra.Command {
	w := waiting{people: p}
	c := &cobra.Command{
		Use: "wait NAME | deployment/NAME", Short: "Wait until the present template is promoted or rolled back",
		Long: waitHelp, Args: oneName,
		RunE: func(c *cobra.Command, args []string) error {
			w.out = c.OutOrStdout()
			return unlessKnown(w.run(c.Context(), args[0]))
		},
	}
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return unlessKnown(err) })
	c.Flags().DurationVar(&w.timeout, "timeout", 3*time.Hour, "how long to wait")
	return c
}

// unlessKnown gives an error that says nothing about the change the exit status for that.
func unlessKnown(err error) error {
	if _, ok := errors.AsType[*exitError](err); ok || err == nil {
		return err
	}
	return &exitError{exitOther, err}
}

// waiting is one run of wait.
type waiting struct {
	*people
	timeout time.Duration
	out     io.Writer
	// said is the last line of progress.
	said string
	// elsewhere counts how often in a row the Deployment was seen with another template.
	elsewhere int
}

func (w *waiting) run(ctx context.Context, arg string) error {
	c, err := w.connect()
	if err != nil {
		return err
	}
	cr, err := c.named(ctx, arg)
	if err != nil {
		return err
	}
	target, err := c.target(ctx, cr)
	if err != nil {
		return err
	}
	// The change that was there when the waiting began is waited for, whatever comes later.
	revision := workload.Revision(target.Spec.Template)
	fmt.Fprintf(w.out, "waiting for revision %s of Deployment %s/%s\n", revision, target.Namespace, target.Name)
	return w.until(ctx, c, cr, revision)
}

func (w *waiting) until(ctx context.Context, c cluster, cr *v1alpha1.CanaryRelease, revision string) error {
	var last *v1alpha1.CanaryRelease
	var end error
	err := kwait.PollUntilContextTimeout(ctx, w.every, w.timeout, true, func(ctx context.Context) (bool, error) {
		seen, err := c.look(ctx, cr)
		if err != nil {
			w.say("cannot be asked just now: " + err.Error())
			return false, onlyFinal(err)
		}
		last = seen.release
		var done bool
		done, end = w.judge(seen, revision)
		return done, nil
	})
	switch {
	case kwait.Interrupted(err) && last != nil:
		word, sentence := reason(last)
		return exitWith(exitOther, "no verdict on revision %s within %s; the release is at %s (revision %s): %s", revision, w.timeout, word, last.Status.Revision, sentence)
	case err != nil:
		return err
	}
	return end
}

// seen is one look. The Deployment is read first: what the operator does to it is in the record before.
type seen struct {
	target  *appsv1.Deployment
	release *v1alpha1.CanaryRelease
}

func (c cluster) look(ctx context.Context, cr *v1alpha1.CanaryRelease) (seen, error) {
	target, err := c.target(ctx, cr)
	if err != nil {
		return seen{}, err
	}
	now, err := c.release(ctx, cr.Name)
	return seen{target, now}, err
}

// judge says whether the waiting is over, and with what.
func (w *waiting) judge(s seen, revision string) (done bool, end error) {
	word, sentence := reason(s.release)
	switch standing(s, revision) {
	case promoted:
		fmt.Fprintf(w.out, "promoted: revision %s serves (%s: %s)\n", revision, word, sentence)
		return true, nil
	case rolledBack:
		return true, exitWith(exitNo, "rolled back: %s: %s", word, sentence)
	case leaving:
		return true, exitWith(exitOther, "CanaryRelease %s is being deleted, so there will be no verdict on revision %s", s.release.Name, revision)
	case replaced:
		// The two objects are read one after the other: what is seen only once may be a put-back that has just begun.
		if w.elsewhere++; w.elsewhere > 1 {
			return true, exitWith(exitOther, "revision %s has come in the place of revision %s: wait for that one", workload.Revision(s.target.Spec.Template), revision)
		}
		return false, nil
	case undecided:
	}
	w.elsewhere = 0
	w.say(progress(s.release, revision))
	return false, nil
}

func (w *waiting) say(line string) {
	if line != w.said {
		fmt.Fprintln(w.out, line)
		w.said = line
	}
}

// progress leaves out what changes with every look.
func progress(cr *v1alpha1.CanaryRelease, revision string) string {
	if cr.Status.Revision != revision {
		return "the operator has not begun with this revision yet"
	}
	word, sentence := reason(cr)
	parts := []string{cr.Status.Stage}
	if cr.Status.Step != "" {
		parts = append(parts, "step "+cr.Status.Step+", weight "+cr.Status.Weight)
	}
	line := strings.Join(parts, ", ") + ": " + word
	if needsSomebody(word) {
		line += ": " + sentence
	}
	return line
}

// needsSomebody says that the sentence is for whoever reads the log, and not only a count that grows.
func needsSomebody(word string) bool {
	switch word {
	case v1alpha1.ReasonPreparing, v1alpha1.ReasonShifting, v1alpha1.ReasonJudging, v1alpha1.ReasonPromoting,
		v1alpha1.ReasonWithinTolerance, v1alpha1.ReasonNotEnoughTraffic, v1alpha1.ReasonNoTraffic, v1alpha1.ReasonNoData:
		return false
	}
	return true
}

// standingOf is what became of a template. The zero value is careful: nothing is known.
type standingOf int

const (
	undecided standingOf = iota
	promoted
	rolledBack
	replaced // another template is in the Deployment
	leaving  // the release is being deleted
)

// standing compares names of templates. A release that has not seen the change yet speaks of another template, and so
// does not end the waiting.
func standing(s seen, revision string) standingOf {
	status := s.release.Status
	present := workload.Revision(s.target.Spec.Template)
	stage := stageOf(s.release)
	switch {
	case stage == release.RolledBack && status.Revision == revision:
		return rolledBack
	case !s.release.DeletionTimestamp.IsZero():
		return leaving
	case present != revision && !puttingBack(stage):
		return replaced
	case present == revision && stage == release.Idle && status.StableRevision == revision && !workload.Held(s.target):
		return promoted
	}
	return undecided
}

// idleName is how status names the stage between releases; empty is a release that was not looked at yet.
const idleName = "Idle"

// stageOf reads the stage that status shows.
func stageOf(cr *v1alpha1.CanaryRelease) release.Stage {
	if cr.Status.Stage == idleName {
		return release.Idle
	}
	return release.Stage(cr.Status.Stage)
}

// puttingBack says that the operator itself has another template in the Deployment for a while.
func puttingBack(stage release.Stage) bool {
	switch stage {
	case release.Evacuating, release.PuttingBack, release.Returning, release.Reholding, release.RollingBack:
		return true
	case release.Idle, release.LettingThrough, release.Checking, release.Preparing, release.Shifting, release.Judging,
		release.PromotionPreparing, release.PromotionEntering, release.PromotionRolling, release.PromotionFinishing,
		release.RolledBack, release.Deleting:
	}
	return false
}

// named finds the release that is meant by NAME, KIND/NAME or deployment/NAME.
func (c cluster) named(ctx context.Context, arg string) (*v1alpha1.CanaryRelease, error) {
	kind, name, found := strings.Cut(arg, "/")
	if !found {
		return c.release(ctx, arg)
	}
	switch strings.ToLower(kind) {
	case "canaryrelease", "canaryreleases", "canary", "canaryreleases.slipway.dev":
		return c.release(ctx, name)
	case "deployment", "deployments", "deploy", "deployment.apps", "deployments.apps":
		return c.releaseOf(ctx, name)
	}
	return nil, fmt.Errorf("%q: a CanaryRelease or deployment/NAME can be waited for, and not a %s", arg, kind)
}

func (c cluster) releaseOf(ctx context.Context, deployment string) (*v1alpha1.CanaryRelease, error) {
	all, err := c.releases(ctx)
	if err != nil {
		return nil, err
	}
	var found []*v1alpha1.CanaryRelease
	var names []string
	for i := range all {
		if all[i].Spec.TargetRef.Name == deployment {
			found, names = append(found, &all[i]), append(names, all[i].Name)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("no CanaryRelease in namespace %q has Deployment %q as its targetRef; its changes are not held: use kubectl rollout status", c.namespace, deployment)
	case 1:
		return found[0], nil
	}
	return nil, fmt.Errorf("several CanaryReleases have Deployment %q as their targetRef (%s): remove all but one", deployment, strings.Join(names, ", "))
}

func (c cluster) target(ctx context.Context, cr *v1alpha1.CanaryRelease) (*appsv1.Deployment, error) {
	d := &appsv1.Deployment{}
	err := c.client.Get(ctx, client.ObjectKey{Namespace: cr.Namespace, Name: cr.Spec.TargetRef.Name}, d)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("find Deployment %q, which spec.targetRef of CanaryRelease %s/%s names: %w", cr.Spec.TargetRef.Name, cr.Namespace, cr.Name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read Deployment %s/%s: %w", cr.Namespace, cr.Spec.TargetRef.Name, err)
	}
	return d, nil
}
