package retrylint

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func compareFold(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) }

var failures = []Failure{Connect, Refused, Reset, Timeout, "500", "503", "504", "UNAVAILABLE"}

func randomPath(r *rand.Rand) []Hop {
	path := make([]Hop, r.IntN(MaxHops+1))
	for i := range path {
		p := Policy{Retries: r.IntN(6), Request: time.Duration(r.IntN(4)) * time.Second, PerTry: time.Duration(r.IntN(900)) * time.Millisecond}
		for _, f := range failures {
			if r.IntN(2) == 0 {
				p.Triggers = append(p.Triggers, f)
			}
		}
		p.Budget = Budget{Kind: BudgetKind(r.IntN(3)), Share: r.Float64()}
		path[i] = Hop{Name: string(rune('a' + i)), Known: r.IntN(5) > 0, Policy: p}
	}
	return path
}

// tries is the same by simulation: a request fails at the end of the path, every time, and each hop does what it is told.
func tries(path []Hop, f Failure) (count float64, sees Failure) {
	if len(path) == 0 {
		return 1, f
	}
	hop := path[0]
	inner, sees := tries(path[1:], f)
	if len(path) > 1 {
		sees = sees.said()
	}
	if !hop.Known || !slices.Contains(hop.Policy.Triggers, sees) {
		return inner, sees
	}
	for n := 1; n <= hop.Policy.Retries; n++ {
		spent := time.Duration(n) * hop.Policy.PerTry
		if sees == Timeout && hop.Policy.Request > 0 && hop.Policy.PerTry > 0 && spent >= hop.Policy.Request {
			break // there is no time left for another one
		}
		count += inner
	}
	return count + inner, sees
}

func TestWorstIsWhatHopsDoOneByOne(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		path := randomPath(r)
		f := failures[r.IntN(len(failures))]
		want, _ := tries(path, f)
		if got, _ := of(path, f); math.Abs(got-want) > 1e-6*want {
			t.Fatalf("path %+v, failure %s: worst %v, want %v", path, f, got, want)
		}
	}
}

func TestPropertiesOfAmplification(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		path := randomPath(r)
		f := failures[r.IntN(len(failures))]
		worst, sustained := of(path, f)
		if !(sustained >= 1 && worst >= sustained) {
			t.Fatalf("path %+v, failure %s: worst %v, sustained %v", path, f, worst, sustained)
		}
		if len(path) == 0 {
			continue
		}
		i := r.IntN(len(path))
		more := slices.Clone(path)
		more[i].Policy.Retries++
		if w, s := of(more, f); w < worst || s < sustained {
			t.Fatalf("one retry more at %d makes less: %v, %v after %v, %v", i, w, s, worst, sustained)
		}
		tighter := slices.Clone(path)
		tighter[i].Policy.Budget.Share /= 2
		if w, s := of(tighter, f); w != worst || s > sustained+1e-9 {
			t.Fatalf("half the budget at %d makes %v, %v after %v, %v", i, w, s, worst, sustained)
		}
		if w, _ := of(append([]Hop{{Name: "?"}}, path...), f); w != worst {
			t.Fatalf("an unknown hop in front makes %v of %v", w, worst)
		}
		none := slices.Clone(path)
		for j := range none {
			none[j].Policy.Retries = 0
		}
		if w, s := of(none, f); w != 1 || s != 1 {
			t.Fatalf("no retries make %v, %v", w, s)
		}
	}
}

// TestTheAdviceHelps: with the budget that a message suggests, the path is within the threshold.
func TestTheAdviceHelps(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	advised := 0
	for range 2000 {
		path := randomPath(r)
		for _, a := range Amplify(path) {
			if a.Sustained <= DefaultThreshold {
				continue
			}
			advised++
			percent := min(usual, int(math.Floor(100*(1-math.Pow(DefaultThreshold, -1/float64(len(a.Hops)))))))
			limited := slices.Clone(path)
			for i := range limited {
				limited[i].Policy.Budget = Budget{Kind: Concurrency, Share: float64(percent) / 100}
			}
			if _, s := of(limited, a.Failure); s > DefaultThreshold+1e-9 {
				t.Fatalf("with %d %% on %d hops %v tries are sustained", percent, len(a.Hops), s)
			}
		}
	}
	if advised == 0 {
		t.Fatal("no path needed advice")
	}
}

func TestTheOrderOfWhatIsKnownChangesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	n := nodes("web", "checkout,search", "checkout", "bank/payments", "search", "bank/payments", "bank/payments", "")
	e := []Entry{{"infra/gw", svc("web")}, {"infra/internal", svc("checkout")}}
	k := []Known{
		{toWeb, on(2, "503")},
		{toCheckout, on(2, "503")},
		{toPayments, on(2, "503", Connect)},
		{Call{From: svc("search"), To: svc("bank/payments")}, on(3, Connect)},
	}
	want, err := Lint(graph(t, n, e, k), 0)
	if err != nil || len(want.Findings) == 0 {
		t.Fatalf("%d findings, %v", len(want.Findings), err)
	}
	for range 50 {
		r.Shuffle(len(n), func(i, j int) { n[i], n[j] = n[j], n[i] })
		r.Shuffle(len(e), func(i, j int) { e[i], e[j] = e[j], e[i] })
		r.Shuffle(len(k), func(i, j int) { k[i], k[j] = k[j], k[i] })
		got, err := Lint(graph(t, n, e, k), 0)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("report (-want +got):\n%s", diff)
		}
	}
}

// FuzzCalls: whatever annotations say, the graph is refused by name or its paths end, and each hop of a path is a call.
func FuzzCalls(f *testing.F) {
	f.Add("checkout", "bank/payments", "")
	f.Add("b", "c", "a")
	f.Add("b,c", "c,,", "web")
	f.Add("a/b/c", "\x00", "é")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		g, _ := Build(nodes("a", a, "b", b, "c", c), []Entry{{"gw", svc("a")}}, []Known{{Call{Gateway: "gw", To: svc("a")}, on(2, "503")}})
		r, err := Lint(g, 1)
		if err != nil {
			if len(r.Findings) != 0 {
				t.Fatalf("refused (%v), and yet %d findings", err, len(r.Findings))
			}
			return
		}
		paths, _ := g.Paths()
		for _, p := range paths {
			if len(p.Hops) == 0 || len(p.Hops) > MaxHops {
				t.Fatalf("%d hops", len(p.Hops))
			}
		}
		if again, _ := Lint(g, 1); r.Message() != again.Message() || len(r.Findings) != len(again.Findings) || r.Worst != 3 {
			t.Fatalf("worst %v, want 3, twice", r.Worst)
		}
	})
}
