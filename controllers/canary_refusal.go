package controllers

import (
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// refused keeps what the API server says against the canary while one is wanted: a quota, a policy. That is a reason for
// people to act on, and no error to be tried again at once; every look asks anew.
func (b *Bench) refused(w *world, err error) error {
	if !hearsEvidence(w.run.Stage) {
		return err
	}
	why, against := refusedByServer(err)
	if err != nil && !against {
		return err
	}
	w.refusal = why
	b.seat(w).refusal = w.refusal
	return nil
}

// refusedByServer is what the API server says against an object itself. Such an answer is the user's to act on.
func refusedByServer(err error) (why string, refused bool) {
	if !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) {
		return "", false
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status().Message, true
	}
	return err.Error(), true
}

// refusal is what the API server said against the canary, if it did.
func (b *Bench) refusal(w *world) string {
	if !hearsEvidence(w.run.Stage) {
		return ""
	}
	return b.seat(w).refusal
}

// refusalPause is how often a release that was refused is looked at again: not everything that it may be refused for is
// watched, such as routes, what serves them, admission policies and quotas.
const refusalPause = 30 * time.Second

// lookAgain is when something may have changed without an event: what was refused may have been put right, or is to be
// said, and stable may have been without pods for long enough to count as broken.
func (w *world) lookAgain(now time.Time) time.Duration {
	var wake time.Duration
	if w.target != nil && stableBroken(w.target, w.stable) {
		wake = w.untilBroken(now)
	}
	switch {
	case w.refusal != w.refusalSaid:
		wake = soonest(wake, conflictPause)
	case len(w.refusals) > 0 || w.refusal != "":
		wake = soonest(wake, refusalPause)
	}
	return wake
}
