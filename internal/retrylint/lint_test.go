package retrylint

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func svc(name string) Service {
	if namespace, name, ok := strings.Cut(name, "/"); ok {
		return Service{namespace, name}
	}
	return Service{"shop", name}
}

func nodes(pairs ...string) []Node {
	var all []Node
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, Node{Service: svc(pairs[i]), Calls: pairs[i+1]})
	}
	return all
}

func graph(t *testing.T, n []Node, e []Entry, k []Known) Graph {
	t.Helper()
	g, err := Build(n, e, k)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// shop is a gateway before web, which calls checkout, which calls payments in another namespace.
func shop(t *testing.T, known ...Known) Graph {
	t.Helper()
	return graph(t, nodes("web", "checkout", "checkout", "bank/payments", "bank/payments", ""), []Entry{{"infra/gw", svc("web")}}, known)
}

var (
	toWeb      = Call{Gateway: "infra/gw", To: svc("web")}
	toCheckout = Call{From: svc("web"), To: svc("checkout")}
	toPayments = Call{From: svc("checkout"), To: svc("bank/payments")}
)

func TestPathsAreAllWaysIn(t *testing.T) {
	paths, err := shop(t).Paths()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range paths {
		got = append(got, p.End.String()+": "+hopNames(p.Hops))
	}
	want := []string{
		"shop/web: gateway infra/gw to shop/web",
		"shop/checkout: gateway infra/gw to shop/web, calls of shop/web to shop/checkout",
		"bank/payments: gateway infra/gw to shop/web, calls of shop/web to shop/checkout, calls of shop/checkout to bank/payments",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

func TestLintSaysWhereRetriesMultiply(t *testing.T) {
	r, err := Lint(shop(t, Known{toWeb, on(2, "503")}, Known{toPayments, on(2, "503", Connect)}), 0)
	if err != nil {
		t.Fatal(err)
	}
	const want = "while requests to bank/payments fail with connect, each is tried 9 times, more than 4: " +
		"gateway infra/gw to shop/web (2 retries on 503) × calls of shop/checkout to bank/payments (2 retries on connect); " +
		"with a retry budget of 20 % on each of these hops (budget: {percent: 20}) it would be 1.56, with retries on the last of them only 3; " +
		"not counted, because their retries are not known: calls of shop/web to shop/checkout"
	if diff := cmp.Diff(want, r.Message()); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	if r.Worst != 9 || r.Sustained != 9 {
		t.Errorf("worst %v, sustained %v; want 9, 9", r.Worst, r.Sustained)
	}
	if diff := cmp.Diff([]string{"calls of shop/web to shop/checkout"}, r.Uncounted); diff != "" {
		t.Errorf("uncounted (-want +got):\n%s", diff)
	}
}

func TestLintSaysNothingWithinTheThreshold(t *testing.T) {
	budget := Policy{Retries: 2, Triggers: []Failure{"503", Connect}, Budget: Budget{Concurrency, 0.2}}
	r, err := Lint(shop(t, Known{toWeb, budget}, Known{toCheckout, budget}, Known{toPayments, budget}), 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) != 0 || r.Message() != "" || r.Worst != 27 || number(r.Sustained) != "1.95" {
		t.Errorf("findings %v, message %q, worst %v, sustained %v; want none, 27, 1.95", r.Findings, r.Message(), r.Worst, r.Sustained)
	}
}

func TestTheThresholdIsTheUsers(t *testing.T) {
	g := shop(t, Known{toWeb, on(2, "503")})
	for threshold, want := range map[float64]int{2.9: 3, 3: 0, 0: 0} {
		r, err := Lint(g, threshold)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Findings) != want {
			t.Errorf("threshold %v: %d findings, want %d", threshold, len(r.Findings), want)
		}
	}
}

func TestAdviceForOneHop(t *testing.T) {
	r, err := Lint(shop(t, Known{toWeb, on(5, "503")}), 0)
	if err != nil {
		t.Fatal(err)
	}
	const want = "with a retry budget of 20 % on each of these hops (budget: {percent: 20}) it would be 1.25"
	if !strings.HasSuffix(r.Findings[0].Message, want) {
		t.Errorf("message %q does not end with %q", r.Findings[0].Message, want)
	}
}

func TestManyPathsAreCountedAndNotTold(t *testing.T) {
	var n []Node
	var entries []Entry
	var known []Known
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		n = append(n, Node{Service: svc(name)})
		entries = append(entries, Entry{"infra/gw", svc(name)})
		known = append(known, Known{Call{Gateway: "infra/gw", To: svc(name)}, on(5, "503")})
	}
	r, err := Lint(graph(t, n, entries, known), 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) != 5 || !strings.HasSuffix(r.Message(), "; and 2 more paths") {
		t.Errorf("%d findings, message %q", len(r.Findings), r.Message())
	}
}

func TestRefusedGraphs(t *testing.T) {
	chain := func(last string) []Node {
		return nodes("a", "b", "b", "c", "c", "d", "d", "e", "e", "f", "f", "g", "g", "h", "h", "i", "i", last, "j", "")
	}
	var cycle *CycleError
	_, err := graph(t, nodes("x", "b", "b", "c", "c", "a", "a", "b"), nil, nil).Paths()
	if !errors.As(err, &cycle) {
		t.Fatalf("a circle: %v", err)
	}
	if diff := cmp.Diff("shop/a → shop/b → shop/c → shop/a", arrows(cycle.Services)); diff != "" {
		t.Errorf("circle (-want +got):\n%s", diff)
	}
	var long *LongPathError
	if _, err := graph(t, chain(""), nil, nil).Paths(); err != nil {
		t.Errorf("a path of eight hops: %v", err)
	}
	if _, err := graph(t, chain("j"), nil, nil).Paths(); !errors.As(err, &long) {
		t.Errorf("a path of nine hops: %v", err)
	}
	wide := nodes()
	names := "abcdefghijklmnop"
	for layer := range 4 {
		for _, c := range names {
			var calls []string
			for _, d := range names {
				calls = append(calls, string(d)+string(rune('1'+layer)))
			}
			wide = append(wide, nodes(string(c)+string(rune('0'+layer)), strings.Join(calls, ","))...)
		}
	}
	if _, err := graph(t, wide, nil, nil).Paths(); !errors.Is(err, ErrTooManyPaths) {
		t.Errorf("too many paths: %v", err)
	}
}

func TestAnnotations(t *testing.T) {
	for value, want := range map[string][]Service{
		"":                                nil,
		" ":                               nil,
		"b":                               {svc("b")},
		"c, bank/payments ,b,c":           {svc("bank/payments"), svc("b"), svc("c")},
		"bank/payments":                   {svc("bank/payments")},
		strings.Repeat("a", 63) + "\t":    {svc(strings.Repeat("a", 63))},
		"a-1,\n  b-2":                     {svc("a-1"), svc("b-2")},
		"shop/other/../../etc is refused": nil,
	} {
		got, err := ParseCalls(svc("web"), value)
		if strings.HasSuffix(value, "is refused") {
			if err == nil {
				t.Errorf("%q is read as %v", value, got)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", value, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", value, diff)
		}
	}
	for _, value := range []string{",", "a,", "A", "a b", "/a", "a/", "web", "shop/web", "a_b", "-a", strings.Repeat("a", 64), "http://a"} {
		if got, err := ParseCalls(svc("web"), value); err == nil {
			t.Errorf("%q is read as %v", value, got)
		}
	}
}

func TestABrokenAnnotationDoesNotHideTheOthers(t *testing.T) {
	g, err := Build(nodes("web", "check out", "checkout", "gone"), []Entry{{"gw", svc("web")}, {"gw", svc("web")}}, nil)
	if err == nil || !strings.Contains(err.Error(), "shop/web") || !strings.Contains(err.Error(), `"check out"`) {
		t.Errorf("error %v does not name the Service and the word", err)
	}
	if diff := cmp.Diff([]Service{svc("gone")}, g.Missing()); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	paths, err := g.Paths()
	if err != nil || len(paths) != 2 {
		t.Errorf("%d paths, %v; want those of the gateway and of checkout", len(paths), err)
	}
}
