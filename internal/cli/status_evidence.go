package cli

import (
	"cmp"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
)

// shownDecisions is how many decisions are on the screen; status has more.
const shownDecisions = 6

func (s scene) metrics(b *screenText) {
	if len(s.release.Status.Metrics) == 0 {
		return
	}
	b.title("METRIC")
	for _, m := range s.release.Status.Metrics {
		if m.Harm == "" {
			b.entry(m.Name, m.Message) // of an operator that gave no more
			continue
		}
		label := m.Name
		if len(label) > labelWidth {
			b.line("%s", label)
			label = ""
		}
		b.entry(label, countsText(m))
		b.entry("", fmt.Sprintf("harm %s (%d%%); next step %s (%d%%)%s", m.Harm, ptr.Deref(m.HarmPercent, 0), m.Health, ptr.Deref(m.HealthPercent, 0), needsText(m)))
	}
}

// countsText is what both arms answered; a gauge has its blocks in the message.
func countsText(m v1alpha1.MetricStatus) string {
	if m.Canary == "" {
		return m.Message
	}
	text := fmt.Sprintf("canary %s, stable %s", m.Canary, m.Stable)
	if m.Difference != "" {
		text += "; difference " + m.Difference
	}
	return text
}

func needsText(m v1alpha1.MetricStatus) string {
	var text strings.Builder
	if m.Noise != "" {
		_, _ = text.WriteString("; noise " + m.Noise)
	}
	if n := ptr.Deref(m.RequestsNeeded, 0); n > 0 {
		_, _ = fmt.Fprintf(&text, "; about %d more canary requests", n)
		if m.TimeNeeded != "" {
			_, _ = text.WriteString(", " + m.TimeNeeded)
		}
	}
	return text.String()
}

func (s scene) calibration(b *screenText) {
	if len(s.release.Status.Calibration) == 0 {
		return
	}
	b.title("STABLE AGAINST ITSELF")
	for _, c := range s.release.Status.Calibration {
		b.entry(c.Name, c.Message)
	}
}

// decisions are the last ones, the newest at the top.
func (s scene) decisions(b *screenText) {
	all := s.release.Status.Decisions
	if len(all) == 0 {
		return
	}
	b.title("DECISION")
	for i := len(all) - 1; i >= max(0, len(all)-shownDecisions); i-- {
		d := all[i]
		ago := "?"
		if d.Time != nil {
			ago = duration.HumanDuration(max(s.now.Sub(d.Time.Time), 0))
		}
		b.entry(ago+" ago", fmt.Sprintf("%s at %s, %s: %s", d.Stage, cmp.Or(d.Weight, "0%"), d.Reason, d.Message))
	}
}
