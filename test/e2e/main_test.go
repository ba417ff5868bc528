package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"
)

// scenesAtOnce is how many scenarios run beside each other; most of their time is waiting.
const scenesAtOnce = "4"

var keep = flag.Bool("keep", false, "leave the namespaces of failed scenarios, to look around")

// shared is the cluster that all tests use; TestMain sets it before any of them.
var shared *cluster

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if !given("test.parallel") {
		if err := flag.Set("test.parallel", scenesAtOnce); err != nil {
			return fail(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	c, err := connect(ctx)
	if err != nil {
		return fail(err)
	}
	if err := c.setUpOperator(ctx); err != nil {
		return fail(err)
	}
	shared = c
	code := m.Run()
	if built != "" {
		if err := os.RemoveAll(built); err != nil {
			return fail(err)
		}
	}
	if err := writeFigures(); err != nil {
		return fail(err)
	}
	return code
}

func given(name string) bool {
	found := false
	flag.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "e2e:", err)
	return 1
}
