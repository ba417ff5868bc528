package hold

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestFloorOfScale(t *testing.T) {
	tests := map[string]struct {
		from, ask, want int32
		by              client.Client
	}{
		"an autoscaler stops at the floor":                          {from: 10, ask: 2, by: server.autoscaler, want: 4},
		"an autoscaler may stop above the floor":                    {from: 10, ask: 6, by: server.autoscaler, want: 6},
		"an autoscaler may go up":                                   {from: 4, ask: 12, by: server.autoscaler, want: 12},
		"an autoscaler below the floor stays where people put it":   {from: 3, ask: 1, by: server.autoscaler, want: 3},
		"an autoscaler below the floor may go up by less than that": {from: 2, ask: 3, by: server.autoscaler, want: 3},
		"an autoscaler does not go to zero":                         {from: 10, ask: 0, by: server.autoscaler, want: 4},
		"KEDA does not go to zero":                                  {from: 10, ask: 0, by: server.keda, want: 4},
		"KEDA below the floor stays where people put it":            {from: 3, ask: 1, by: server.keda, want: 3},
		"an autoscaler without an account of its own is one too":    {from: 10, ask: 2, by: server.manager, want: 4},
		"people go below the floor":                                 {from: 10, ask: 2, by: server.person, want: 2},
		"people do not go to zero":                                  {from: 10, ask: 0, by: server.person, want: 1},
		"the operator does not go to zero either":                   {from: 10, ask: 0, by: server.operator, want: 1},
		"one pod stays one pod":                                     {from: 1, ask: 0, by: server.person, want: 1},
		"what is at zero may come back":                             {from: 0, ask: 5, by: server.person, want: 5},
	}
	s := newShop(t)
	s.setFloor(4)
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.update(server.person, "shop", replicas(tc.from))
			if got := s.scale(tc.by, tc.ask); got != tc.want {
				t.Errorf("scaled from %d to %d: answered %d, want %d", tc.from, tc.ask, got, tc.want)
			}
			if got := *s.get("shop").Spec.Replicas; got != tc.want {
				t.Errorf("scaled from %d to %d: stored %d, want %d", tc.from, tc.ask, got, tc.want)
			}
		})
	}
}

func TestNoFloorWithoutARelease(t *testing.T) {
	s := newShop(t)
	for name, by := range map[string]client.Client{"an autoscaler": server.autoscaler, "a person": server.person} {
		s.update(server.person, "shop", replicas(10))
		if got := s.scale(by, 0); got != 0 {
			t.Errorf("%s asked for zero with no floor in the status: got %d", name, got)
		}
	}
	s.setFloor(4)
	s.writeFloor(0)
	s.update(server.person, "shop", replicas(10))
	s.eventually("the floor is gone", func() bool {
		s.update(server.person, "shop", replicas(10))
		return s.scale(server.autoscaler, 2) == 2
	})
}

func TestKubectlScaleToZeroKeepsOnePodWhileHeld(t *testing.T) {
	s := newShop(t)
	s.update(server.person, "shop", image("shop:v2"))
	s.setFloor(1)
	s.mustKubectl("", "scale", "deployment/shop", "--replicas=0")
	if got := stateOf(s.get("shop")); got != (state{Paused: true, HeldBy: "release", Replicas: 1}) {
		t.Errorf("kubectl scale --replicas=0 on a held Deployment left %+v", got)
	}
}
