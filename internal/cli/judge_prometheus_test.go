package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// pastPrometheus answers range selectors of two arms, a sample every 15 s of each pod. The canary is there from the
// twentieth minute on, and a tenth of its requests fail; its error series comes with its first error.
func pastPrometheus(t *testing.T, start time.Time) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.FormValue("query")
		at, err := strconv.ParseFloat(r.FormValue("time"), 64)
		window, _ := strconv.Atoi(strings.TrimSuffix(query[strings.LastIndex(query, "[")+1:], "ms]"))
		if err != nil || window == 0 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		var series []string
		for _, code := range []string{"200", "500"} {
			if code == "200" && strings.Contains(query, `code=~"5.."`) {
				continue
			}
			for pod := range 2 {
				series = append(series, pastSeries(query, code, pod, start, at, float64(window)/1000))
			}
		}
		text := strings.Join(series, ",")
		_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[%s]}}`, strings.Trim(text, ","))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func pastSeries(query, code string, pod int, start time.Time, at, window float64) string {
	arm, from, perScrape := "stable", 0, 450.0
	if strings.Contains(query, "canary") {
		arm, from, perScrape = "canary", 80, 45
		if code == "500" {
			from, perScrape = 82, 5
		}
	} else if code == "500" {
		perScrape = .1
	}
	var values []string
	for i := from; i <= 160; i++ {
		second := float64(start.Unix()) + float64(15*i+pod)
		if second > at-window && second <= at {
			values = append(values, fmt.Sprintf(`[%.3f,"%v"]`, second, perScrape*float64(i-from+1)))
		}
	}
	if len(values) == 0 {
		return ""
	}
	return fmt.Sprintf(`{"metric":{"__name__":"requests_total","pod":"%s-%d","code":%q},"values":[%s]}`, arm, pod, code, strings.Join(values, ","))
}

func TestLookBack(t *testing.T) {
	start := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	args := []string{
		"judge", "--prometheus", pastPrometheus(t, start), "--canary", `requests_total{app="canary"}`, "--stable", "requests_total",
		"--from", start.Format(time.RFC3339), "--to", start.Add(40 * time.Minute).Format(time.RFC3339),
	}
	var out, errOut bytes.Buffer
	if status := Run(args, &out, &errOut); status != 0 {
		t.Fatal(errOut.String())
	}
	var l said
	if err := json.Unmarshal(out.Bytes(), &l); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if l.Release != "past" || l.Verdict != "Rollback" || l.Second < 20*60 || l.Second > 22*60 {
		t.Errorf("%+v", l)
	}
	if status := Run(args[:len(args)-2], &out, &errOut); status == 0 {
		t.Error("no end was given, and it was run")
	}
}

func TestNarrowedSelectors(t *testing.T) {
	for selector, want := range map[string]string{
		`a`:         `a{x="1"}`,
		`a{}`:       `a{x="1"}`,
		`{y="2"}`:   `{y="2",x="1"}`,
		`a{y="2",}`: `a{y="2",x="1"}`,
	} {
		if got := narrowed(selector, `x="1"`); got != want {
			t.Errorf("%s: %s, want %s", selector, got, want)
		}
	}
}
