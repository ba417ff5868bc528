package e2e

import (
	"slices"
	"sync"
	"time"
)

// audit asks the tool for drift again and again, beside what the scenario does: between the stages that a scenario can
// wait for there are moments that it cannot.
type audit struct {
	r *repository
	// mu is held while the tool brings something new into the cluster.
	mu   sync.Mutex
	once sync.Once
	stop chan struct{}
	done chan struct{}
	// looks are how often it asked, by the stage of the release.
	looks map[string]int
}

// backFromPromotion are the stages in which the Deployment has stable's template and not Git's, as the page says.
var backFromPromotion = []string{"PuttingBack", "Returning", "Reholding"}

func startAudit(r *repository) *audit {
	a := &audit{r: r, stop: make(chan struct{}), done: make(chan struct{}), looks: map[string]int{}}
	go a.run()
	r.Cleanup(a.finish)
	return a
}

func (a *audit) finish() {
	a.once.Do(func() { close(a.stop) })
	<-a.done
}

func (a *audit) run() {
	defer close(a.done)
	every := time.NewTicker(700 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case <-a.stop:
			return
		case <-every.C:
			a.look()
		}
	}
}

func (a *audit) look() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for kind := range a.r.git {
		stage := a.stage()
		drift, steady, err := a.r.askForDrift(kind)
		switch {
		case err != nil:
			a.r.Logf("the audit could not look at %s: %v", kind, err)
		case drift == "":
			a.looks[stage]++
		case !steady || stage != a.stage():
		case kind == "Deployment" && slices.Contains(backFromPromotion, stage):
		default:
			a.r.Errorf("while the release was %s, %s was not as in Git (-live +after a sync):\n%s", stage, kind, drift)
		}
	}
}

func (a *audit) stage() string {
	cr, found := a.r.releases.last("shop")
	if !found {
		return "gone"
	}
	return cr.Status.Stage
}

// end says what was looked at. An audit that saw next to nothing is none.
func (a *audit) end() {
	a.r.Helper()
	a.finish()
	a.r.Logf("looked for drift, by stage: %v", a.looks)
	for _, stage := range []string{"Idle", "Preparing", "Judging", "PromotionRolling", "RolledBack"} {
		if a.looks[stage] == 0 {
			a.r.Errorf("nobody looked for drift while the release was %s", stage)
		}
	}
}
