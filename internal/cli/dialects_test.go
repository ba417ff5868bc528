package cli

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/retrylint"
	"slipway.dev/slipway/internal/telemetry"
)

var updateTables = flag.Bool("update-tables", false, "write the tables of the documentation anew")

// TestTablesOfTheDocumentation: what the documentation says of data planes is what the code does.
func TestTablesOfTheDocumentation(t *testing.T) {
	for name, c := range map[string]struct{ file, marker, want string }{
		"metrics of each data plane": {"../../docs/metrics-sources.md", "dialects", dialectTables()},
		"retries of each data plane": {"../../docs/retries.md", "defaults", defaultsTable()},
	} {
		t.Run(name, func(t *testing.T) {
			content, err := os.ReadFile(c.file)
			if err != nil {
				t.Fatal(err)
			}
			open, end := fmt.Sprintf("<!-- %s: made by go test ./internal/cli -update-tables -->\n", c.marker), fmt.Sprintf("<!-- end of %s -->", c.marker)
			before, rest, opened := strings.Cut(string(content), open)
			got, after, closed := strings.Cut(rest, end)
			if !opened || !closed {
				t.Fatalf("%s has no place for the table %s", c.file, c.marker)
			}
			if *updateTables {
				if err := os.WriteFile(c.file, []byte(before+open+c.want+end+after), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s is not what the code says; run go test ./internal/cli -update-tables (-want +got):\n%s", c.file, diff)
			}
		})
	}
}

func dialectTables() string {
	var b strings.Builder
	b.WriteString("| data plane | errors | latency | arms by | pods |\n|---|---|---|---|---|\n")
	for _, p := range Dialects() {
		f := p.Facts()
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", f.Plane, signalText(f, telemetry.Errors), signalText(f, telemetry.Latency), code(f.Arms), yes(f.PerPod, "by pod", "one sum"))
	}
	b.WriteString("\n| data plane | retries | tries that reach no pod | copies (mirror) | what to know |\n|---|---|---|---|---|\n")
	for _, p := range Dialects() {
		f := p.Facts()
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", f.Plane, yes(f.RetriesStay, "stay on the arm", "may change the arm"), yes(f.Unreachable, "count", "are not seen"), f.Mirrors, pipes(f.Caveat))
	}
	b.WriteString("\n| refused | why |\n|---|---|\n")
	for _, n := range NoDialects() {
		fmt.Fprintf(&b, "| %s | %s |\n", n.Plane, n.Why)
	}
	b.WriteString("\nWhere these facts are from:\n\n")
	for _, p := range Dialects() {
		fmt.Fprintf(&b, "- %s: %s.\n", p.Facts().Plane, strings.Join(p.Facts().Sources, "; "))
	}
	for _, n := range NoDialects() {
		fmt.Fprintf(&b, "- %s: %s.\n", n.Plane, strings.Join(n.Sources, "; "))
	}
	return b.String()
}

// signalText says what there is of a signal. Envoy's metrics are named once, in the text above the table.
func signalText(f telemetry.Facts, signal telemetry.Signal) string {
	var said []string
	for _, c := range f.Counted {
		if c.Signal != signal {
			continue
		}
		metrics := code(c.Metrics)
		if strings.HasPrefix(c.Metrics[0], "envoy_") {
			metrics = "Envoy's"
		}
		if c.Unit != "" {
			metrics += " (" + c.Unit + ")"
		}
		said = append(said, c.View.String()+": "+metrics)
	}
	return orDash(strings.Join(said, "; "))
}

func defaultsTable() string {
	var b strings.Builder
	b.WriteString("| data plane | retries by itself | on | what to know | from |\n|---|---|---|---|---|\n")
	for _, d := range retrylint.Defaults() {
		count, triggers := "not known", []string{}
		if d.Known {
			count = fmt.Sprint(d.Policy.Retries)
		}
		for _, f := range d.Policy.Triggers {
			triggers = append(triggers, string(f))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", d.Plane, count, orDash(strings.Join(triggers, ", ")), orDash(pipes(d.Says)), d.Source)
	}
	return b.String()
}

func code(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = "`" + n + "`"
	}
	return strings.Join(quoted, ", ")
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

func pipes(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

func yes(is bool, then, otherwise string) string {
	if is {
		return then
	}
	return otherwise
}

// TestEveryDialectKeepsItsWord: what the facts of a dialect say is there can be asked for, and nothing else.
func TestEveryDialectKeepsItsWord(t *testing.T) {
	canary := telemetry.Backend{Namespace: "shop", Service: "checkout-canary", Workload: "checkout-canary", Port: 80, Config: "infra/gw"}
	stable := telemetry.Backend{Namespace: "shop", Service: "checkout", Workload: "checkout", Port: 80, Config: "infra/gw"}
	keys := map[string]string{}
	for _, p := range Dialects() {
		f := p.Facts()
		if f.Plane == "" || len(f.Sources) == 0 || len(f.Arms) == 0 || len(f.Counted) == 0 {
			t.Errorf("%T: facts are missing: %+v", p, f)
		}
		ask := telemetry.Ask{SlowerThan: time.Second}
		var err error
		if f.Plane == "AWS App Mesh" { // its mesh is named in the configuration
			ask.Canary, ask.Stable = []string{"c"}, []string{"s"}
		} else if ask.Canary, err = p.Names(canary); err != nil {
			t.Fatalf("%s: %v", f.Plane, err)
		} else if ask.Stable, err = p.Names(stable); err != nil {
			t.Fatalf("%s: %v", f.Plane, err)
		}
		for _, signal := range []telemetry.Signal{telemetry.UnknownSignal, telemetry.Errors, telemetry.Latency} {
			for _, view := range []telemetry.View{telemetry.AfterRetries, telemetry.Attempts} {
				ask.Signal, ask.View = signal, view
				q, err := p.Query(ask)
				var unsupported *telemetry.UnsupportedError
				switch {
				case f.Sees(signal, view) && err != nil:
					t.Errorf("%s: %s, %s is there and refused: %v", f.Plane, signal, view, err)
				case !f.Sees(signal, view) && !errors.As(err, &unsupported):
					t.Errorf("%s: %s, %s is not there: %v, want an UnsupportedError", f.Plane, signal, view, err)
				case err == nil:
					key := fmt.Sprintf("%v %s", q.Selector(nil), q.Key())
					if other := keys[key]; other != "" {
						t.Errorf("%s and %s ask the same under one key", f.Plane, other)
					}
					keys[key] = f.Plane
					checkQuery(t, f, q, ask)
				}
			}
		}
		if _, err := p.Names(telemetry.Backend{}); err == nil {
			t.Errorf("%s names a backend that nobody knows", f.Plane)
		}
	}
}

// checkQuery: only the metrics that the facts name are fetched, the arms cannot be the same, and queries are values.
func checkQuery(t *testing.T, f telemetry.Facts, q telemetry.Query, ask telemetry.Ask) {
	t.Helper()
	var metrics []string
	for _, c := range f.Counted {
		metrics = append(metrics, c.Metrics...)
	}
	for _, name := range q.Selector(nil).Names {
		if !slices.Contains(metrics, name) {
			t.Errorf("%s fetches %s, which its facts do not name", f.Plane, name)
		}
	}
	if q.PodsUnknown() == f.PerPod {
		t.Errorf("%s: pods unknown: %t, by pod: %t", f.Plane, q.PodsUnknown(), f.PerPod)
	}
	if _, ours := q.Role(telemetry.Labels{telemetry.NameLabel: metrics[0]}); ours {
		t.Errorf("%s counts a series of nobody", f.Plane)
	}
}

func TestADialectRefusesAnArmThatIsBoth(t *testing.T) {
	for _, p := range Dialects() {
		name := "a" + strings.Repeat("/a", len(p.Facts().Arms)-1)
		for what, ask := range map[string]telemetry.Ask{
			"one backend in both arms": {Canary: []string{name}, Stable: []string{name}},
			"no canary":                {Stable: []string{name}},
			"no stable":                {Canary: []string{name}},
		} {
			ask.Signal = telemetry.Errors
			if _, err := p.Query(ask); err == nil {
				t.Errorf("%s: %s is accepted", p.Facts().Plane, what)
			}
		}
	}
}

func TestDataPlanesAreKnownByName(t *testing.T) {
	for controller, want := range map[string]string{
		"gateway.envoyproxy.io/gatewayclass-controller": "Envoy Gateway",
		"istio.io/gateway-controller":                   "Istio, reporter source",
		"projectcontour.io/gateway-controller":          "Contour",
		"traefik.io/gateway-controller":                 "Traefik",
		"kgateway.dev/kgateway":                         "kgateway",
		"io.cilium/gateway-controller":                  "Cilium, Envoy",
	} {
		found, err := telemetry.ByController(controller, Dialects(), NoDialects())
		if err != nil || found[0].Facts().Plane != want {
			t.Errorf("%s: %v, %v; want %s", controller, found, err, want)
		}
	}
	for _, n := range NoDialects() {
		for _, controller := range n.Controllers {
			_, err := telemetry.ByController(controller, Dialects(), NoDialects())
			var refused *telemetry.NoArmsError
			if !errors.As(err, &refused) || refused.Plane != n.Plane {
				t.Errorf("%s: %v, want a refusal of %s", controller, err, n.Plane)
			}
		}
	}
	var unknown *telemetry.UnknownControllerError
	if _, err := telemetry.ByController("example.com/new", Dialects(), NoDialects()); !errors.As(err, &unknown) {
		t.Errorf("an unknown data plane: %v", err)
	}
}
