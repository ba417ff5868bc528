package istio

import (
	"math"
	"math/rand/v2"
	"testing"

	"slipway.dev/slipway/internal/traffic"
)

// TestApportionKeepsShares divides random rules and compares every share with what it should be.
func TestApportionKeepsShares(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for n := range 2000 {
		own := make([]int64, 1+random.IntN(4))
		splits := make([]*traffic.Split, len(own))
		var total int64
		for i := range own {
			own[i] = 1 + random.Int64N([]int64{1, 100, 1_000_000, math.MaxInt32}[random.IntN(4)])
			total += own[i]
			if random.IntN(2) == 0 {
				splits[i] = &traffic.Split{Service: "a", Backends: []traffic.Backend{
					{Name: "a", Weight: random.Int32N(1_000_001)}, {Name: "b", Weight: 1 + random.Int32N(1_000_000)},
				}}
			}
		}
		portions := apportion(own, splits)
		var sum int64
		for _, p := range portions {
			sum += p.weight
		}
		if sum > math.MaxInt32 {
			t.Fatalf("case %d: weights of %v are %d in sum", n, own, sum)
		}
		for _, p := range portions {
			want := float64(own[p.index]) / float64(total)
			if s := splits[p.index]; s != nil {
				parts := divided(*s)
				for _, b := range parts {
					if b.Name == p.backend {
						want *= float64(b.Weight) / float64(totalOf(parts))
					}
				}
			}
			// A weight of 1 may stand for less than it; see maxTotal.
			if got := float64(p.weight) / float64(sum); p.weight < 1 || math.Abs(got-want) > 1e-8 {
				t.Fatalf("case %d: %v of %v has %g, want %g", n, p, own, got, want)
			}
		}
	}
}

func TestHosts(t *testing.T) {
	for host, want := range map[string]string{
		"checkout": "checkout", "checkout.shop.svc.cluster.local": "checkout", "checkout.shop.svc.mesh.example": "checkout",
		"checkout.bank.svc.cluster.local": "", "checkout.shop": "", "checkout.shop.svc": "", "*": "", "*.shop.svc.cluster.local": "", "api.example.com": "",
	} {
		if got := serviceOf(host, "shop"); got != want {
			t.Errorf("%s is Service %q, want %q", host, got, want)
		}
	}
	for host, want := range map[string]bool{
		"*": true, "*.local": true, "*.svc.cluster.local": true, "*.shop.svc.cluster.local": true, "*.shop.svc.mesh.example": true,
		"*.bank.svc.cluster.local": false, "*.example.com": false, "checkout": false, "*-canary.shop.svc.cluster.local": false,
	} {
		if got := coversByWildcard(host, "checkout", "shop"); got != want {
			t.Errorf("%s covers checkout: %t", host, got)
		}
	}
}
