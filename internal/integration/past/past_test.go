package past

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/cli"
)

const (
	scrape = 15 // seconds
	// canaryFrom is the scrape at which the canary's pods are there, the last of the forty minutes being lastScrape.
	canaryFrom, lastScrape = 80, 160
)

// pastRelease is the page of a release of the past: two pods of each arm with 30 requests a second each for stable and 3
// for the canary, of which a share fails. The counters begin anew where a pod of stable is restarted, half-way. A canary
// pod's series of failures begins with its first failure, after two scrapes.
func pastRelease(start time.Time, app string, failing float64) string {
	var b strings.Builder
	for _, c := range []struct {
		version, code string
		from          int
		perScrape     float64
	}{
		{"stable", "200", 0, 30 * scrape},
		{"stable", "500", 0, .03 * scrape},
		{"canary", "200", canaryFrom, 3 * scrape * (1 - failing)},
		{"canary", "500", canaryFrom + 2, 3 * scrape * failing},
	} {
		for pod := range 2 {
			restarted := 0
			for i := c.from; i <= lastScrape; i++ {
				if c.version == "stable" && pod == 0 && i == lastScrape/2 {
					restarted = i
				}
				fmt.Fprintf(&b, "requests_total{app=%q,version=%q,code=%q,pod=\"%s-%d\"} %v %d\n", app, c.version, c.code, c.version, pod,
					c.perScrape*float64(i-max(c.from, restarted)+1), start.Add(time.Duration(scrape*i+pod)*time.Second).UnixMilli())
			}
		}
	}
	return b.String()
}

// byTime puts the lines of a page into the order of time: Prometheus takes no sample that is over an hour older than the
// newest it has.
func byTime(pages ...string) string {
	byTime := map[string][]string{}
	for line := range strings.Lines(strings.Join(pages, "")) {
		at := line[strings.LastIndex(line, " "):]
		byTime[at] = append(byTime[at], line)
	}
	var b strings.Builder
	for _, at := range slices.Sorted(maps.Keys(byTime)) {
		b.WriteString(strings.Join(byTime[at], ""))
	}
	return b.String()
}

type verdict struct {
	Release, Verdict, Reason, Metric string
	Second                           float64
}

func TestReleasesOfThePast(t *testing.T) {
	start := time.Now().Add(-45 * time.Minute).Truncate(time.Second).UTC()
	url := prometheus(t, byTime(pastRelease(start, "broken", .1), pastRelease(start, "fine", .001)), "requests_total")
	look := func(app string, args ...string) (verdict, string) {
		t.Helper()
		var out, errOut bytes.Buffer
		all := append([]string{
			"judge", "--prometheus", url,
			"--canary", fmt.Sprintf(`requests_total{app=%q,version="canary"}`, app),
			"--stable", fmt.Sprintf(`requests_total{app=%q,version="stable"}`, app),
			"--from", start.Format(time.RFC3339), "--to", start.Add(40 * time.Minute).Format(time.RFC3339),
		}, args...)
		if status := cli.Run(all, &out, &errOut); status != 0 {
			return verdict{}, errOut.String()
		}
		var v verdict
		if err := json.Unmarshal(out.Bytes(), &v); err != nil {
			t.Fatalf("%v: %s", err, out.String())
		}
		return v, errOut.String()
	}
	t.Run("a version that fails a tenth is rolled back within two minutes of its first failure", func(t *testing.T) {
		v, said := look("broken")
		first := float64(scrape * (canaryFrom + 2))
		if v.Release != "past" || v.Verdict != "Rollback" || v.Reason != "HarmProven" || v.Second < first || v.Second > first+120 {
			t.Errorf("%+v %s", v, said)
		}
	})
	t.Run("a version that fails as seldom as stable is not", func(t *testing.T) {
		if v, said := look("fine"); v.Verdict == "Rollback" || v.Verdict == "" {
			t.Errorf("%+v %s", v, said)
		}
	})
	t.Run("series that there are not are named", func(t *testing.T) {
		if _, said := look("other"); !strings.Contains(said, "has no series") {
			t.Errorf("said: %q", said)
		}
	})
	t.Run("a query with a function is refused", func(t *testing.T) {
		if _, said := look("fine", "--canary", "rate(requests_total[1m])"); !strings.Contains(said, "look back") && !strings.Contains(said, "Prometheus") {
			t.Errorf("said: %q", said)
		}
	})
}
