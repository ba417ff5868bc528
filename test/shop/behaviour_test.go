package main

import (
	"testing"
	"time"
)

func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func TestBehaviourComesFromTheEnvironment(t *testing.T) {
	have, err := behaviourFrom(env(map[string]string{
		"VERSION": "v2", "ERROR_PERCENT": "2.5", "LATENCY_MS": "300", "SLOW_PERCENT": "10", "START_DELAY_MS": "1500", "CRASH": "true",
	}))
	want := behaviour{Version: "v2", ErrorPercent: 2.5, Latency: 300 * time.Millisecond, SlowPercent: 10, StartDelay: 1500 * time.Millisecond, Crash: true}
	if err != nil || have != want {
		t.Errorf("have %+v, %v", have, err)
	}
}

func TestAnEmptyEnvironmentIsAGoodVersion(t *testing.T) {
	have, err := behaviourFrom(env(nil))
	if err != nil || have != (behaviour{Version: "unversioned", SlowPercent: 100}) {
		t.Errorf("have %+v, %v", have, err)
	}
}

func TestATypoIsNotAGoodVersion(t *testing.T) {
	for name, value := range map[string]string{
		"ERROR_PERCENT": "NaN", "SLOW_PERCENT": "101", "LATENCY_MS": "300ms", "START_DELAY_MS": "-1", "CRASH": "ja",
	} {
		if _, err := behaviourFrom(env(map[string]string{name: value})); err == nil {
			t.Errorf("%s=%s was taken", name, value)
		}
	}
}
