package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"slipway.dev/slipway/test/load"
)

func get(s *server, path string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	s.handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	return recorder
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
			response := get(newServer(behaviour{Version: "v2", ErrorPercent: c.errorPercent}, "pod-1"), "/")
			if response.Code != c.wantCode || response.Header().Get(load.VersionHeader) != "v2" || response.Header().Get(load.PodHeader) != "pod-1" {
				t.Errorf("have %d with %v", response.Code, response.Header())
			}
			if want := `{"pod":"pod-1","version":"v2"}`; strings.TrimSpace(response.Body.String()) != want {
				t.Errorf("have %s", response.Body)
			}
		})
	}
}

func TestErrorsComeInTheShareThatWasAsked(t *testing.T) {
	s := newServer(behaviour{ErrorPercent: 2.5}, "pod-1")
	for roll, want := range map[float64]int{0: 500, 2.4: 500, 2.5: 200, 99: 200} {
		s.roll = func() float64 { return roll }
		if response := get(s, "/"); response.Code != want {
			t.Errorf("rolled %g: have %d, want %d", roll, response.Code, want)
		}
	}
}

func TestARequestMayAskForItsAnswer(t *testing.T) {
	for path, want := range map[string]int{"/?code=503": 503, "/?code=": 200, "/?code=7": 200, "/?wait=1ms": 200, "/?wait=long": 200} {
		s := newServer(behaviour{}, "pod-1")
		if response := get(s, path); response.Code != want {
			t.Errorf("%s: have %d, want %d", path, response.Code, want)
		}
	}
	s := newServer(behaviour{}, "pod-1")
	defer func() {
		if recover() == nil {
			t.Error("the connection is not broken off")
		}
		if metrics := get(s, "/metrics").Body.String(); !strings.Contains(metrics, `shop_requests_total{result="failed"} 1`) {
			t.Errorf("it is not counted:\n%s", metrics)
		}
	}()
	get(s, "/?reset=1")
}

func TestAVersionBecomesBadOnCommand(t *testing.T) {
	s := newServer(behaviour{}, "pod-1")
	behave := func(percent string) int {
		recorder := httptest.NewRecorder()
		s.handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/behave?errorPercent="+percent, nil))
		return recorder.Code
	}
	for _, c := range []struct {
		percent    string
		want, then int
	}{{"100", 200, 500}, {"many", 400, 500}, {"0", 200, 200}} {
		if code := behave(c.percent); code != c.want {
			t.Errorf("%s%%: have %d, want %d", c.percent, code, c.want)
		}
		if response := get(s, "/"); response.Code != c.then {
			t.Errorf("after %s%%: have %d, want %d", c.percent, response.Code, c.then)
		}
	}
}

func TestMetricsHaveBothResultsFromTheStart(t *testing.T) {
	s := newServer(behaviour{}, "pod-1")
	for _, path := range []string{"/", "/", "/healthz"} {
		get(s, path)
	}
	metrics := get(s, "/metrics").Body.String()
	for _, want := range []string{`shop_requests_total{result="ok"} 2`, `shop_requests_total{result="failed"} 0`, `shop_request_duration_seconds_count 2`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("%s is missing in:\n%s", want, metrics)
		}
	}
}

func TestADrainingPodIsNotReadyButAnswers(t *testing.T) {
	s := newServer(behaviour{Version: "v1"}, "pod-1")
	if response := get(s, "/healthz"); response.Code != 200 {
		t.Errorf("not ready before: %d", response.Code)
	}
	s.draining.Store(true)
	if response := get(s, "/healthz"); response.Code != 503 {
		t.Errorf("ready while draining: %d", response.Code)
	}
	if response := get(s, "/"); response.Code != 200 || response.Header().Get("Connection") != "close" {
		t.Errorf("have %d, Connection %q", response.Code, response.Header().Get("Connection"))
	}
}
