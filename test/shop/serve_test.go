package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"slipway.dev/slipway/test/load"
)

func get(t *testing.T, s *server, path string) (*http.Response, string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	s.handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	response := recorder.Result()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestEveryAnswerSaysWhoAnswered(t *testing.T) {
	for name, c := range map[string]struct {
		errorPercent float64
		wantCode     int
	}{
		"also a good one": {0, 200},
		"also a bad one":  {100, 500},
	} {
		t.Run(name, func(t *testing.T) {
			response, body := get(t, newServer(behaviour{Version: "v2", ErrorPercent: c.errorPercent}, "pod-1"), "/")
			if response.StatusCode != c.wantCode || response.Header.Get(load.VersionHeader) != "v2" || response.Header.Get(load.PodHeader) != "pod-1" {
				t.Errorf("have %d with %v", response.StatusCode, response.Header)
			}
			if want := `{"pod":"pod-1","version":"v2"}`; strings.TrimSpace(body) != want {
				t.Errorf("have %s", body)
			}
		})
	}
}

func TestErrorsComeInTheShareThatWasAsked(t *testing.T) {
	s := newServer(behaviour{ErrorPercent: 2.5}, "pod-1")
	for roll, want := range map[float64]int{0: 500, 2.4: 500, 2.5: 200, 99: 200} {
		s.roll = func() float64 { return roll }
		if response, _ := get(t, s, "/"); response.StatusCode != want {
			t.Errorf("rolled %g: have %d, want %d", roll, response.StatusCode, want)
		}
	}
}

func TestMetricsHaveBothResultsFromTheStart(t *testing.T) {
	s := newServer(behaviour{}, "pod-1")
	for _, path := range []string{"/", "/", "/healthz"} {
		get(t, s, path)
	}
	_, metrics := get(t, s, "/metrics")
	for _, want := range []string{`shop_requests_total{result="ok"} 2`, `shop_requests_total{result="failed"} 0`, `shop_request_duration_seconds_count 2`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("%s is missing in:\n%s", want, metrics)
		}
	}
}

func TestADrainingPodIsNotReadyButAnswers(t *testing.T) {
	s := newServer(behaviour{Version: "v1"}, "pod-1")
	if response, _ := get(t, s, "/healthz"); response.StatusCode != 200 {
		t.Errorf("not ready before: %d", response.StatusCode)
	}
	s.draining.Store(true)
	if response, _ := get(t, s, "/healthz"); response.StatusCode != 503 {
		t.Errorf("ready while draining: %d", response.StatusCode)
	}
	if response, _ := get(t, s, "/"); response.StatusCode != 200 || response.Header.Get("Connection") != "close" {
		t.Errorf("have %d, Connection %q", response.StatusCode, response.Header.Get("Connection"))
	}
}
