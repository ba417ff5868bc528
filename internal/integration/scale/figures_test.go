package scale

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"text/tabwriter"
)

// figure is something that was measured, and what it must not be more than.
type figure struct {
	name  string
	value float64
	unit  string
	// limit is nil for what is only told.
	limit *float64
}

// figures are told at the end, and each that is over its limit fails the test.
type figures []figure

func (f *figures) limited(name string, value float64, unit string, limit float64) {
	*f = append(*f, figure{name, value, unit, &limit})
}

func (f *figures) told(name string, value float64, unit string) {
	*f = append(*f, figure{name: name, value: value, unit: unit})
}

// number is a figure without digits that nobody needs.
func number(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") }

// report writes the figures and judges them.
func (f *figures) report(t *testing.T) {
	t.Helper()
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 8, 2, ' ', 0)
	write(table, "FIGURE\tVALUE\tUNIT\tAT MOST\n")
	for _, one := range *f {
		limit := "-"
		if one.limit != nil {
			limit = number(*one.limit)
			if one.value > *one.limit {
				t.Errorf("%s: %s %s, and may be %s at most", one.name, number(one.value), one.unit, limit)
			}
		}
		write(table, "%s\t%s\t%s\t%s\n", one.name, number(one.value), one.unit, limit)
	}
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", out.String())
	if *report == "" {
		return
	}
	if err := os.WriteFile(*report, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}
