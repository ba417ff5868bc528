package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// sighting is a state of the CanaryRelease and when it was seen.
type sighting struct {
	at     time.Time
	status v1alpha1.CanaryReleaseStatus
}

// watchRelease sends every state of the CanaryRelease until the context ends.
func (d *demo) watchRelease(ctx context.Context, out chan<- sighting) {
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for ctx.Err() == nil {
		d.watchOnce(ctx, out)
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
}

func (d *demo) watchOnce(ctx context.Context, out chan<- sighting) {
	watch, err := d.cluster.Watch(ctx, &v1alpha1.CanaryReleaseList{}, client.InNamespace(namespace), client.MatchingFields{"metadata.name": shopName})
	if err != nil {
		return // tried again; what is waited for says that it did not come
	}
	defer watch.Stop()
	for event := range watch.ResultChan() {
		release, ok := event.Object.(*v1alpha1.CanaryRelease)
		if !ok {
			return
		}
		select {
		case out <- sighting{d.now(), release.Status}:
		case <-ctx.Done():
			return
		}
	}
}

// watchLoad sends the load's counts each second until the context ends.
func (d *demo) watchLoad(ctx context.Context, out chan<- stats) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		if have, err := d.readStats(ctx); err == nil {
			select {
			case out <- have:
			case <-ctx.Done():
			}
		}
		select {
		case <-second.C:
		case <-ctx.Done():
			return
		}
	}
}

// release pushes a version and shows what happens until the release has ended.
func (d *demo) release(ctx context.Context, v version, limit time.Duration) (Ended, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	before := &v1alpha1.CanaryRelease{}
	if err := d.cluster.Get(ctx, shopKey(), before); err != nil {
		return Ended{}, fmt.Errorf("read the CanaryRelease: %w", err)
	}
	if err := d.mark(ctx, v.name); err != nil {
		return Ended{}, err
	}
	releases, loads := make(chan sighting), make(chan stats)
	go d.watchRelease(ctx, releases)
	go d.watchLoad(ctx, loads)
	pushed := d.now()
	d.journal.push(pushed, v.name, before.Status)
	if err := d.push(ctx, v); err != nil {
		return Ended{}, err
	}
	return d.follow(ctx, &scene{now: pushed, started: d.journal.started, version: v.name, steps: d.steps(before)}, following{releases, loads, pushed})
}

// following is what comes in while a release runs.
type following struct {
	releases <-chan sighting
	loads    <-chan stats
	pushed   time.Time
}

func (d *demo) follow(ctx context.Context, s *scene, in following) (Ended, error) {
	redraw := time.NewTicker(d.screen.every())
	defer redraw.Stop()
	defer d.screen.end()
	for {
		select {
		case seen := <-in.releases:
			known := len(d.journal.entries)
			d.journal.see(seen.at, seen.status)
			s.see(seen.status, d.journal.begun(seen.status))
			if len(d.journal.entries) > known {
				s.now = seen.at
				d.screen.draw(s, true)
			}
			if how := d.journal.outcome(seen.status); how != Running {
				return endedAs(how, seen, in.pushed), nil
			}
		case have := <-in.loads:
			s.count(have)
		case <-redraw.C:
			s.now = d.now()
			d.screen.draw(s, false)
		case <-ctx.Done():
			return Ended{}, d.tookTooLong(ctx, s)
		}
	}
}

func endedAs(how Outcome, seen sighting, pushed time.Time) Ended {
	return Ended{
		Outcome: how, Reason: readyReason(seen.status), Message: readyMessage(seen.status), TookSeconds: seconds(seen.at.Sub(pushed)),
	}
}

func (d *demo) tookTooLong(ctx context.Context, s *scene) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ctx.Err()
	}
	return fmt.Errorf("wait for %s to be promoted or rolled back: not there in time: stage %q, step %q, weight %q; %s",
		s.version, s.status.Stage, s.status.Step, s.status.Weight, conditionsOf(s.status.Conditions))
}

func (d *demo) steps(release *v1alpha1.CanaryRelease) []int32 {
	steps := make([]int32, 0, len(release.Spec.Steps))
	for _, step := range release.Spec.Steps {
		steps = append(steps, step.WeightPercent)
	}
	return steps
}
