package simulation

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/release"
)

// gitHabits are what a tool does that applies what is in Git.
func gitHabits() []habit {
	return []habit{
		{3, func(p *people) { p.applyApp(p.version) }},
		{2, func(p *people) { p.applyApp(pick(p.w.chance, "v2", "v3", "v4")) }},
		{1, func(p *people) { p.applyApp("v1") }},
		{3, func(p *people) { p.applyRoute(p.edition) }},
		{2, func(p *people) { p.applyRoute(p.edition + 1) }},
	}
}

// personHabits are what people do who mean well, and some who do not.
func personHabits() []habit {
	return []habit{
		{2, func(p *people) { p.editRoute(int64(p.w.chance.rng.IntN(20))) }},
		{2, func(p *people) { p.scaleTo(personUser, p.w.chance.rng.Int32N(7)) }},
		{2, func(p *people) { p.scaleTo(scalerUser, 1+p.w.chance.rng.Int32N(6)) }},
		{3, func(p *people) {
			p.ask(pick(p.w.chance, release.Abort, release.Pause, release.Resume, release.Resume, release.Promote, release.Retry))
		}},
		{1, func(p *people) {
			p.changeRelease("suspends the release, or goes on", func(s *v1alpha1.CanaryReleaseSpec) {
				s.Suspend = new(!suspended(p.w.release()))
			})
		}},
		{1, func(p *people) {
			p.changeRelease("changes the steps", func(s *v1alpha1.CanaryReleaseSpec) {
				s.Steps = []v1alpha1.Step{{WeightPercent: 10}, {WeightPercent: 50}, {WeightPercent: 60}}[:1+p.w.chance.rng.IntN(3)]
			})
		}},
		{1, func(p *people) { p.pause(p.w.chance.in(2)) }},
	}
}

// harmfulHabits take away or break what is the operator's or the cluster's.
func harmfulHabits() []habit {
	return []habit{
		{2, func(p *people) { p.take(kindDeployment, twinName) }},
		{1, func(p *people) { p.take(kindService, twinName) }},
		{1, func(p *people) { p.take(kindService, holdName) }},
		{2, func(p *people) { p.take(kindSplit, appName) }},
		{1, func(p *people) { p.loseRecord() }},
		{1, func(p *people) { p.takeRoute() }},
		{1, func(p *people) { p.takePods(twinName) }},
		{1, func(p *people) { p.takePods(appName) }},
		{1, func(p *people) { p.takeApp() }},
	}
}

// troubles are what goes wrong in the cluster for a while.
func troubles() []habit {
	return []habit{
		{2, func(p *people) {
			p.w.story.tell("the Deployment controller stands still")
			p.w.rollout.stalledUntil = p.w.loop.now.Add(p.w.chance.between(5000, 60000))
		}},
		{2, func(p *people) {
			p.w.story.tell("the data plane takes nothing up")
			p.w.plane.stalledUntil = p.w.loop.now.Add(p.w.chance.between(2000, 40000))
		}},
		{2, func(p *people) {
			p.w.story.tell("Prometheus does not answer")
			p.w.prometheus.awayFrom = p.w.loop.now
			p.w.prometheus.awayUntil = p.w.loop.now.Add(p.w.chance.between(5000, 60000))
		}},
		{2, func(p *people) {
			p.w.story.tell("Prometheus scrapes nothing")
			p.w.prometheus.deafUntil = p.w.loop.now.Add(p.w.chance.between(5000, 60000))
		}},
		{1, func(p *people) {
			p.w.story.tell("there is no room for the canary's pods, or there is again")
			p.w.rollout.noRoom = !p.w.rollout.noRoom
		}},
		{2, func(p *people) {
			p.w.story.tell("the API server takes nothing but what moves traffic")
			p.w.faults.onlyTraffic = p.w.loop.now.Add(p.w.chance.between(5000, 60000))
		}},
		{1, func(p *people) {
			p.w.admission.routesUnguarded = !p.w.admission.routesUnguarded
			p.w.story.tell("routes are unguarded: %v", p.w.admission.routesUnguarded)
		}},
	}
}

// lyingPrometheus is one that tells nonsense now and then.
func lyingPrometheus() []habit {
	return []habit{{3, func(p *people) {
		prometheus := p.w.prometheus
		prometheus.lie = pick(p.w.chance, lies()...)
		prometheus.liesUntil = p.w.loop.now.Add(p.w.chance.between(5000, 40000))
		p.w.story.tell("Prometheus tells nonsense: %s", prometheus.lie.name)
	}}}
}

// takeRoute deletes the route; Git brings it back after a while.
func (p *people) takeRoute() {
	p.take(kindRoute, appName)
	p.w.loop.after(p.w.chance.between(1000, 20000), func() { p.applyRoute(p.edition) })
}

// takeApp deletes the Deployment; Git brings it back.
func (p *people) takeApp() {
	p.take(kindDeployment, appName)
	p.w.loop.after(p.w.chance.between(1000, 20000), func() { p.applyApp(p.version) })
}

// takePods deletes some pods of a Deployment: a node is lost, or somebody restarts them by hand.
func (p *people) takePods(of string) {
	p.meddles("%-21s deletes pods of %s", personUser, of)
	for _, o := range p.w.server.list(kindPod) {
		if o.(*corev1.Pod).Labels["deployment"] == of && p.w.chance.in(2) {
			p.w.server.delete(personUser, kindPod, client.ObjectKeyFromObject(o))
		}
	}
}

// takeRelease deletes the CanaryRelease itself.
func (p *people) takeRelease() {
	p.w.story.tell("%-21s deletes the release", personUser)
	p.w.server.delete(personUser, kindRelease, appKey)
}

// keepBusy has people do something now and then until a time.
func (p *people) keepBusy(until time.Time, least, most int) {
	if p.w.loop.now.After(until) {
		return
	}
	p.doSomething()
	p.w.loop.after(p.w.chance.between(least, most), func() { p.keepBusy(until, least, most) })
}
