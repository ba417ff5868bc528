package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// demo is one run, from the first look at the cluster to the summary.
type demo struct {
	options options
	cluster *cluster
	now     func() time.Time
	screen  *screen
	address string  // of the Gateway: host:port
	written written // the route, as its user wrote it
	journal journal
	summary Summary
}

// The longest that a release may take. The good one needs about two minutes on a slow machine; the figures leave room
// for one on which everything else is slow as well.
const (
	goodLimit = 10 * time.Minute
	badLimit  = 6 * time.Minute
)

var errNotAsItShould = errors.New("the demo did not go as it should; the faults are above")

// run tells the story. The load ends with it, whatever happens.
func (d *demo) run(ctx context.Context) error {
	d.summary.StartedAt = d.now()
	defer d.leave(ctx)
	for _, phase := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"look whether the cluster has what is needed", d.preflight},
		{"install the operator (kubectl apply -k config/default)", d.install},
		{"set up the shop: version v1, three pods, a route", d.setUp},
		{"add the CanaryRelease", d.adopt},
		{"let users in: 200 requests per second", d.startLoad},
		{"release v2, which is good", d.releaseGood},
		{"release v3, which fails 5% of its requests", d.releaseBad},
		{"look whether everything is as it was", d.lookAtTheEnd},
	} {
		if err := d.phase(ctx, phase.name, phase.do); err != nil {
			return errors.Join(err, d.giveUp(phase.name, err))
		}
	}
	return d.conclude()
}

// giveUp writes how far the demo came, so that nobody reads the summary of an earlier one.
func (d *demo) giveUp(phase string, err error) error {
	d.summary.Timeline = d.journal.entries
	d.summary.Faults = []string{fmt.Sprintf("%s: %v", phase, err)}
	return d.summary.write(d.options.report)
}

func (d *demo) phase(ctx context.Context, name string, do func(context.Context) error) error {
	d.screen.print("== %s", name)
	started := d.now()
	if err := do(ctx); err != nil {
		return err
	}
	took := d.now().Sub(started)
	d.summary.Phases = append(d.summary.Phases, Phase{name, seconds(took)})
	d.screen.print("   %s", round(took))
	return nil
}

func (d *demo) releaseGood(ctx context.Context) (err error) {
	d.journal.started = d.now()
	d.summary.Good, err = d.release(ctx, version{name: "v2"}, goodLimit)
	d.summary.Good.Version = "v2"
	return err
}

func (d *demo) releaseBad(ctx context.Context) (err error) {
	d.summary.Bad, err = d.release(ctx, version{name: "v3", errorPercent: "5"}, badLimit)
	d.summary.Bad.Version = "v3"
	return err
}

func (d *demo) lookAtTheEnd(ctx context.Context) error {
	if err := d.awaitRouteRestored(ctx); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d.screen.print("  %v", err)
	} else {
		d.summary.RouteRestored = true
	}
	load, err := d.readStats(ctx)
	if err != nil {
		return err
	}
	d.summary.count(load)
	return nil
}

func (d *demo) conclude() error {
	d.summary.Timeline = d.journal.entries
	d.summary.judge()
	d.screen.print("\n%s", d.summary.text())
	if err := d.summary.write(d.options.report); err != nil {
		return err
	}
	d.screen.print("The same as JSON: %s\n\n%s", d.options.report, d.lookAround())
	if !d.summary.Passed {
		return errNotAsItShould
	}
	return nil
}

// leave stops the load also when the demo was interrupted.
func (d *demo) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := d.stopLoad(ctx); err != nil {
		d.screen.print("%v; it ends by itself 30 minutes after its start", err)
	}
}

func (d *demo) lookAround() string {
	look := `  kubectl -n %[1]s get canary,deploy,pods
  kubectl -n %[1]s describe canary shop
  kubectl -n %[1]s get events --sort-by=.lastTimestamp
  kubectl -n %[1]s set env deployment/shop VERSION=v4 ERROR_PERCENT-   (the fix; it needs users: kubectl apply -n %[1]s -f hack/demo/manifests/load.yaml)
`
	if d.options.rig {
		return fmt.Sprintf("The cluster stays up. Look around in it with make rig-shell, and then\n"+look+"Stop it with make rig-down.", namespace)
	}
	return fmt.Sprintf("Everything stays as it is. Look around with\n"+look+
		"Remove it with kubectl delete namespace %[1]s, and then kubectl delete -k config/default.", namespace)
}
