package main

import (
	"fmt"
	"strconv"
	"time"
)

// behaviour is what a version of the shop is like; tests make bad versions by changing a pod's environment.
type behaviour struct {
	Version      string
	ErrorPercent float64       // of requests, answered with 500
	Latency      time.Duration // added to the slow ones
	SlowPercent  float64       // of requests that Latency is added to
	StartDelay   time.Duration // before the server listens
	Crash        bool          // end with status 1 soon after the start
}

// behaviourFrom reads the environment. A value that it cannot read is an error: a typo must not look like a good version.
func behaviourFrom(env func(string) string) (behaviour, error) {
	read := reader{env: env}
	b := behaviour{
		Version:      read.text("VERSION", "unversioned"),
		ErrorPercent: read.percent("ERROR_PERCENT", 0),
		Latency:      read.milliseconds("LATENCY_MS"),
		SlowPercent:  read.percent("SLOW_PERCENT", 100),
		StartDelay:   read.milliseconds("START_DELAY_MS"),
		Crash:        read.flag("CRASH"),
	}
	return b, read.err
}

// reader keeps the first error, so that the caller checks once.
type reader struct {
	env func(string) string
	err error
}

func (r *reader) text(name, otherwise string) string {
	if value := r.env(name); value != "" {
		return value
	}
	return otherwise
}

func (r *reader) percent(name string, otherwise float64) float64 {
	value := r.env(name)
	if value == "" {
		return otherwise
	}
	percent, err := strconv.ParseFloat(value, 64)
	if err != nil || !(percent >= 0 && percent <= 100) { // written so that NaN is refused
		r.fail(name, value, "a number from 0 to 100")
	}
	return percent
}

func (r *reader) milliseconds(name string) time.Duration {
	value := r.env(name)
	if value == "" {
		return 0
	}
	number, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		r.fail(name, value, "a whole number of milliseconds")
	}
	return time.Duration(number) * time.Millisecond
}

func (r *reader) flag(name string) bool {
	value := r.env(name)
	if value == "" {
		return false
	}
	on, err := strconv.ParseBool(value)
	if err != nil {
		r.fail(name, value, "true or false")
	}
	return on
}

func (r *reader) fail(name, value, want string) {
	if r.err == nil {
		r.err = fmt.Errorf("read %s: have %q, want %s", name, value, want)
	}
}
