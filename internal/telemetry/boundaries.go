package telemetry

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// boundaries are those of a histogram, and the one that makes a request slow. A share of slow requests is counted at a
// boundary and never interpolated: the user is told which one.
type boundaries struct {
	want Boundary
	// seen are the boundaries, and how the label le writes each of them.
	seen    map[float64][]string
	chosen  float64
	decided bool
	// countSeen and bucketSeen are about the present feed.
	countSeen, bucketSeen bool
}

func (b *boundaries) add(le string) {
	v, err := strconv.ParseFloat(le, 64)
	if err != nil || math.IsNaN(v) {
		return
	}
	if b.seen == nil {
		b.seen = map[float64][]string{}
	}
	if !slices.Contains(b.seen[v], le) {
		b.seen[v] = append(b.seen[v], le)
	}
}

// choose picks the smallest boundary at or above what is wanted, once.
func (b *boundaries) choose() {
	b.countSeen, b.bucketSeen = false, false
	if b.decided || b.want.Value == 0 {
		return
	}
	for _, v := range b.finite() {
		if v >= b.want.Value {
			b.chosen, b.decided = v, true
			return
		}
	}
}

// settle drops the choice when no target has that boundary any more: the data plane has been given other ones.
func (b *boundaries) settle() {
	if b.decided && b.countSeen && !b.bucketSeen {
		b.decided, b.seen = false, nil
	}
}

func (b *boundaries) is(le string) bool {
	v, err := strconv.ParseFloat(le, 64)
	return err == nil && b.decided && v == b.chosen
}

// labels are the values of le to fetch; nil for all.
func (b *boundaries) labels() []string {
	if !b.decided {
		return nil
	}
	return b.seen[b.chosen]
}

func (b *boundaries) finite() []float64 {
	var values []float64
	for v := range b.seen {
		if !math.IsInf(v, 0) {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return values
}

// problem says that no boundary will do.
func (b *boundaries) problem() string {
	finite := b.finite()
	if b.decided || b.want.Value == 0 || len(finite) == 0 {
		return ""
	}
	texts := make([]string, len(finite))
	for i, v := range finite {
		texts[i] = number(v)
	}
	return fmt.Sprintf("slowerThan %s%s is above all boundaries of the histogram (%s %s): lower it to at most %s%s",
		number(b.want.Value), b.want.Unit, strings.Join(texts, ", "), b.want.Unit, texts[len(texts)-1], b.want.Unit)
}

// note says which boundary is used when it is not the one that was asked for.
func (b *boundaries) note() string {
	if !b.decided || b.chosen == b.want.Value {
		return ""
	}
	return fmt.Sprintf("requests slower than %s%s are counted: the histogram has no boundary at %s%s%s",
		number(b.chosen), b.want.Unit, number(b.want.Value), b.want.Unit, b.nearest())
}

// nearest names the boundaries around the one that was asked for.
func (b *boundaries) nearest() string {
	for _, v := range slices.Backward(b.finite()) {
		if v < b.want.Value {
			return fmt.Sprintf("; the nearest are %s%s and %s%s", number(v), b.want.Unit, number(b.chosen), b.want.Unit)
		}
	}
	return "; its lowest is " + number(b.chosen) + b.want.Unit
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
