package simulation

import (
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// faults are what goes wrong between the operator and the API server. All chances are one in so many; 0 is never.
type faults struct {
	chance *chance
	loop   *loop
	// lagMillis is the longest time by which a cache is late.
	lagMillis    int
	breaks       int
	refuse       int
	loseAnswer   int
	crashBefore  int
	crashAfter   int
	readRefuse   int
	interference int
	// failover: another process takes the lead while this one is in the midst of a reconcile, and goes on with it later.
	failover int
	// onlyTraffic: until then nothing can be written but what takes users off.
	onlyTraffic time.Time
	// forbids is what policies and quotas have against a write.
	forbids func(a attempt) error
}

func (f *faults) hits(oneIn int) bool { return oneIn > 0 && f.chance.in(oneIn) }

func (f *faults) lag() time.Duration {
	if f.lagMillis == 0 {
		return time.Millisecond
	}
	if f.chance.in(3) {
		return f.chance.between(1, f.lagMillis)
	}
	return f.chance.between(1, 20)
}

// behind is by how much the API server is behind that a new process reads from.
func (f *faults) behind() time.Duration {
	if f.lagMillis == 0 || !f.chance.in(3) {
		return 0
	}
	return f.chance.between(1, 2*f.lagMillis)
}

func (f *faults) watchBreaks() time.Duration {
	if !f.hits(f.breaks) {
		return 0
	}
	return f.chance.between(500, 8000)
}

func (f *faults) crashesBefore() bool { return f.hits(f.crashBefore) }

func (f *faults) crashesAfter() bool { return f.hits(f.crashAfter) }

func (f *faults) read() error {
	if f.hits(f.readRefuse) {
		return apierrors.NewServiceUnavailable("the API server is busy")
	}
	return nil
}

// refuses says that a write fails without effect.
func (f *faults) refuses(a attempt) error {
	if f.loop.now.Before(f.onlyTraffic) && !movesTraffic(a) {
		return apierrors.NewInternalError(errUnwell)
	}
	if f.forbids != nil {
		if err := f.forbids(a); err != nil {
			return err
		}
	}
	if f.hits(f.refuse) {
		return apierrors.NewServiceUnavailable("the API server is busy")
	}
	return nil
}

// movesTraffic says that a write is one of those by which users are taken off a version.
func movesTraffic(a attempt) bool {
	kind := kindOf(a.object)
	return kind == kindSplit || kind == kindRoute || (kind == kindRelease && a.sub == "status")
}

// losesAnswer says that a write which has been made seems to have failed.
func (f *faults) losesAnswer() error {
	if f.hits(f.loseAnswer) {
		return apierrors.NewTimeoutError("the answer was lost", 1)
	}
	return nil
}

// stop ends all faults.
func (f *faults) stop() { *f = faults{chance: f.chance, loop: f.loop} }
