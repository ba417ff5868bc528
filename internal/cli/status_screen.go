package cli

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/ptr"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/workload"
)

const (
	// screenWidth is where lines are broken: what people make their terminals, and CI its logs, at least.
	screenWidth = 110
	labelWidth  = 10
)

// screen is the whole screen as text. It is a function of the scene.
func (s scene) screen() string {
	b := &screenText{}
	s.head(b)
	s.conditions(b)
	s.metrics(b)
	s.calibration(b)
	s.traffic(b)
	s.canaryPods(b)
	s.decisions(b)
	for _, trouble := range s.troubles {
		b.entry("", "not shown: "+trouble)
	}
	return b.String()
}

// screenText lays out lines.
type screenText struct{ strings.Builder }

func (b *screenText) line(format string, args ...any) {
	_, _ = b.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

func (b *screenText) title(text string) { b.line("\n%s", text) }

// entry is a label with a text beside it, broken between words.
func (b *screenText) entry(label, text string) { b.indented(label, labelWidth, text) }

func (b *screenText) indented(label string, width int, text string) {
	for i, part := range broken(text, screenWidth-width-1) {
		if i > 0 {
			label = ""
		}
		b.line("%-*s %s", width, label, part)
	}
}

// broken breaks a text between words.
func broken(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

func (s scene) head(b *screenText) {
	status := s.release.Status
	word, sentence := reason(s.release)
	b.entry("release", s.release.Namespace+"/"+s.release.Name)
	b.entry("target", s.targetText())
	b.entry("stage", cmp.Or(status.Stage, "not looked at yet")+"; reason "+word)
	b.entry("steps", s.stepsText())
	switch s.release.Spec.Analysis.Mode {
	case v1alpha1.ModeObserve:
		b.entry("mode", "Observe: evidence is shown, and nothing follows from it")
	case v1alpha1.ModeAA:
		b.entry("mode", "AA: stable is compared with itself, and nothing is released")
	case v1alpha1.ModeEnforce:
	}
	b.entry("weight", cmp.Or(status.Weight, "0%")+" of the traffic is asked for the canary")
	b.entry("revision", fmt.Sprintf("%s; stable is %s", cmp.Or(status.Revision, "none"), cmp.Or(status.StableRevision, "not known yet")))
	b.entry("evidence", cmp.Or(status.Evidence, "none"))
	b.entry("why", sentence)
	s.pending(b)
}

// pending are requests of people that are not answered yet.
func (s scene) pending(b *screenText) {
	for _, v := range verbs() {
		if revision, ok := s.release.Annotations[v.annotation]; ok {
			b.entry("asked", fmt.Sprintf("%s revision %s; not answered yet", v.name, revision))
		}
	}
}

func (s scene) targetText() string {
	d := s.target
	if d == nil {
		return "Deployment " + s.release.Spec.TargetRef.Name + ", which is not there"
	}
	state := "not held"
	switch {
	case workload.Held(d):
		state = "held on revision " + workload.Revision(d.Spec.Template)
	case workload.PausedByUser(d):
		state = "paused, and not by Slipway"
	}
	text := fmt.Sprintf("Deployment %s, %s; %d of %d pods available", d.Name, state, d.Status.AvailableReplicas, ptr.Deref(d.Spec.Replicas, 1))
	if floor := s.release.Status.FloorReplicas; floor != nil {
		text += fmt.Sprintf("; an autoscaler keeps %d", *floor)
	}
	return text
}

// stepsText marks the present step.
func (s scene) stepsText() string {
	present, _, _ := strings.Cut(s.release.Status.Step, "/")
	at, err := strconv.Atoi(present)
	if err != nil {
		at = 0
	}
	var parts []string
	for i, step := range s.release.Spec.Steps {
		text := fmt.Sprintf("%d%%", step.WeightPercent)
		if step.LeaveAfter != "" {
			text += " for " + string(step.LeaveAfter)
		}
		if ptr.Deref(step.Hold, false) {
			text += " hold"
		}
		switch {
		case i+1 < at:
			text += " done"
		case i+1 == at:
			text = "[" + text + "]"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "   ")
}

func (s scene) conditions(b *screenText) {
	b.title("CONDITION       STATUS   SINCE  REASON AND MESSAGE")
	for _, c := range s.release.Status.Conditions {
		label := fmt.Sprintf("%-15s %-8s %-6s", c.Type, c.Status, s.ago(c.LastTransitionTime))
		text := c.Reason
		// What Ready says is at the top; Reconciling and Stalled say the same.
		if c.Type != v1alpha1.ConditionReady && c.Type != v1alpha1.ConditionReconciling && c.Type != v1alpha1.ConditionStalled {
			text += ": " + c.Message
		}
		b.indented(label, len(label), text)
	}
	if len(s.release.Status.Conditions) == 0 {
		b.line("none: the operator has not looked at it yet")
	}
}

func (s scene) traffic(b *screenText) {
	b.title("TRAFFIC")
	if s.split == nil {
		b.line("the routes are as their owner wrote them; nothing is split")
		return
	}
	shares := sharesText(s.split.Status.Run.Backends)
	for _, r := range s.split.Status.Routes {
		text := fmt.Sprintf("%s; applied: %s", shares, r.Applied)
		if r.Message != "" {
			text += ", " + r.Message
		}
		if n := ptr.Deref(r.Repairs, 0); n > 0 {
			text += fmt.Sprintf("; written over and put back %d times, last from %s", n, cmp.Or(r.RepairedFrom, "somebody unknown"))
		}
		b.entry(r.Kind, r.Name+": "+text)
	}
	if len(s.split.Status.Routes) == 0 {
		b.line("a split is asked for, and no route has answered yet")
	}
}

// sharesText are the shares that the routes carry now, in percent; a feather is said as such.
func sharesText(backends []v1alpha1.WeightedBackend) string {
	var whole int64
	for _, w := range backends {
		whole += int64(ptr.Deref(w.Weight, 0))
	}
	if whole == 0 {
		return "nothing is recorded yet"
	}
	var parts []string
	for _, w := range backends {
		parts = append(parts, w.Name+" "+shareText(int64(ptr.Deref(w.Weight, 0)), whole))
	}
	return strings.Join(parts, ", ")
}

func shareText(weight, whole int64) string {
	percent := 100 * float64(weight) / float64(whole)
	switch {
	case weight == 0:
		return "0%"
	case percent < 0.001:
		return "a feather"
	case percent > 99.999:
		return "100%"
	}
	return strconv.FormatFloat(percent, 'f', -1, 64) + "%"
}

func (s scene) canaryPods(b *screenText) {
	b.title("CANARY POD                                READY  RESTARTS  AGE")
	for i := range s.pods {
		p := &s.pods[i]
		b.line("%-41s %-6s %-9d %-6s %s", p.Name, readyText(p), restarts(p), s.ago(p.CreationTimestamp), podState(p))
	}
	if len(s.pods) == 0 {
		b.line("none")
	}
}

func readyText(p *corev1.Pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return "yes"
		}
	}
	return "no"
}

func restarts(p *corev1.Pod) int32 {
	var n int32
	for _, c := range p.Status.ContainerStatuses {
		n += c.RestartCount
	}
	return n
}

// podState is what keeps a pod from running, in one word as kubectl get has it.
func podState(p *corev1.Pod) string {
	if p.DeletionTimestamp != nil {
		return "Terminating"
	}
	for _, c := range p.Status.ContainerStatuses {
		if c.State.Waiting != nil && c.State.Waiting.Reason != "" {
			return c.State.Waiting.Reason
		}
		if c.State.Terminated != nil && c.State.Terminated.Reason != "" {
			return c.State.Terminated.Reason
		}
	}
	if p.Status.Phase == corev1.PodRunning {
		return ""
	}
	return string(p.Status.Phase)
}

func (s scene) ago(t metav1.Time) string {
	if t.IsZero() {
		return "?"
	}
	return duration.HumanDuration(max(s.now.Sub(t.Time).Truncate(time.Second), 0))
}
