package main

import (
	"fmt"
	"math"
	"strings"
)

// markdown is the report.
func (f findings) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# How often the judge is right

Simulated releases, made by

    cd test && %s

with %d runs for each setting and seed %d. The worst setting of each row was drawn again with another seed, four times as
often. Every figure below is from that run. A figure with ± is a share and its standard error. The method is in
[judging-method.md](judging-method.md), what it means for a user in [judging.md](judging.md).

Twenty stable pods, a look every ten seconds, five minutes of history, risks of 5 %%. The canary has 1 pod at 5 %% of the
traffic, 5 at 20 %% and 20 at 50 %%. Beside it stand rules that others document:

- **threshold of 1 %%, 3 in a row**: the canary's last minute has over 1 %% errors, three minutes in a row;
- **threshold of 1 %%, 5 in all**: the same with the count that Flagger's examples give, an interval of a minute, a success
  rate of 99 %% and five failed checks over the whole release;
- **failure limit of 3**: Argo Rollouts' example, three failed measurements are forgiven, with the same 99 %%;
- **Mann-Whitney**: Kayenta's default judge on the minutes' error rates, 98 %% confidence and a tolerance of a quarter, asked
  every ten minutes.

`, f.command, f.runs, f.seed)
	f.writeNulls(&b)
	f.writeRegressions(&b)
	f.writeWholes(&b)
	f.writePetShop(&b)
	return b.String()
}

func (f findings) writeNulls(b *strings.Builder) {
	if len(f.nulls) == 0 {
		return
	}
	b.WriteString(`## Nothing is wrong with the version

Rolled back within half an hour: the worst of all settings (10, 100 and 1000 requests a second; 5, 20 and 50 % canary; 0.1
and 1 % errors). The tolerance is nothing, where the row does not say another one: the hardest case for a rule that must
not roll back. *Again* is our worst setting drawn again.

![false rollbacks against traffic](judge-report/false-rollbacks.svg)

| situation | ` + rules[0].name + ` | again | in which setting`)
	for _, r := range rules[1:] {
		b.WriteString(" | " + r.name)
	}
	b.WriteString(" |\n|---|---|---|---" + strings.Repeat("|---", len(rules)-1) + "|\n")
	for _, n := range f.nulls {
		c := n.settings[n.worst]
		fmt.Fprintf(b, "| %s | %s | **%s** | %s", n.name, n.all[n.worst].rolledBack(0), n.again, short(c))
		for rule := 1; rule < len(rules); rule++ {
			fmt.Fprintf(b, " | %s", n.all[worst(n.all, rule)].rolledBack(rule))
		}
		b.WriteString(" |\n")
	}
	for _, n := range f.nulls {
		if n.again.value()-2*n.again.se() > n.bound {
			fmt.Fprintf(b, "\nOver the risk that was asked for: %s, %s.\n", n.name, short(n.settings[n.worst]))
		}
	}
	b.WriteString("\n")
}

// short is a setting's traffic in few words.
func short(c setting) string {
	if len(c.Steps) > 0 {
		return fmt.Sprintf("%v rps", c.Traffic.PerSecond)
	}
	return fmt.Sprintf("%v rps, %v %% canary, %v %% errors", c.Traffic.PerSecond, 100*c.Share, 100*c.Traffic.Base)
}

func (f findings) writeRegressions(b *strings.Builder) {
	if len(f.regressions) == 0 {
		return
	}
	b.WriteString(`## Something is wrong with the version

Median minutes to rollback at 5 / 20 / 50 % canary, with a tolerance of 10 % + 0.1 points; – where half an hour does not
suffice for half of the releases. *From its promotion on*: the version is as good as stable until stable's pods are replaced
with it, over two minutes, and bad from the first moment of that; there is then soon no old version left to compare with, and
the time is counted from there; *before* is a rollback for nothing.

![time to rollback against traffic](judge-report/time-to-rollback.svg)

| regression, traffic`)
	for _, r := range rules {
		b.WriteString(" | " + r.name)
	}
	b.WriteString(" |\n|---" + strings.Repeat("|---", len(rules)) + "|\n")
	for _, g := range f.regressions {
		for _, perSecond := range allTraffic {
			fmt.Fprintf(b, "| %s, %v rps", g.name, perSecond)
			for rule := range rules {
				b.WriteString(" | " + g.minutes(perSecond, rule))
			}
			b.WriteString(" |\n")
		}
	}
	b.WriteString("\n")
}

func (g regressionFinding) minutes(perSecond float64, rule int) string {
	var cells []string
	for _, share := range allShares {
		cells = append(cells, minutes(g.cells[[2]float64{perSecond, share}].medianMinutes(rule, rollBack)))
	}
	return strings.Join(cells, " / ")
}

// minutes is a time in words; – for never.
func minutes(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "–"
	case v <= 0:
		return "before"
	}
	return fmt.Sprintf("%.1f", v)
}

func (f findings) writeWholes(b *strings.Builder) {
	if len(f.wholes) == 0 {
		return
	}
	b.WriteString(`## Whole releases

Steps of 1, 5, 20 and 50 %, then promotion; tolerance 10 % + 0.1 points; two hours at most. Each rule leaves a step when it
says so: ours by the evidence of the step, a threshold at each passed check, Mann-Whitney every ten minutes. *Excess* is bad
requests that users had because of the change within these two hours, in the mean: what is promoted serves everybody for the
rest of them.

![excess errors](judge-report/excess-errors.svg)

| case, traffic | rule | promoted | median minutes | rolled back | median minutes | excess |
|---|---|---|---|---|---|---|
`)
	for _, w := range f.wholes {
		for _, perSecond := range wholeTraffic {
			o := w.at[perSecond]
			for rule, r := range rules {
				mean, se := o.meanExcess(rule)
				fmt.Fprintf(b, "| %s, %v rps | %s | %s | %s | %s | %s | %.0f ± %.0f |\n", w.name, perSecond, r.name,
					o.promoted(rule), minutes(o.medianMinutes(rule, advance)),
					o.rolledBack(rule), minutes(o.medianMinutes(rule, rollBack)), mean, se)
			}
		}
	}
	b.WriteString("\n")
}

// String is "2.5 ± 1.1 %".
func (p proportion) String() string {
	return fmt.Sprintf("%.1f ± %.1f %%", 100*p.value(), 100*p.se())
}
