package main

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

const (
	wide    = 8 * vg.Inch
	colours = 7 // as many as can be told apart; further lines are dashed
	high    = 4 * vg.Inch
)

// draw writes the pictures.
func (f findings) draw(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // pictures of a document
		return err
	}
	for name, picture := range map[string]func() (*plot.Plot, error){
		"false-rollbacks.svg":  f.drawFalseRollbacks,
		"time-to-rollback.svg": f.drawTimeToRollback,
		"excess-errors.svg":    f.drawExcess,
	} {
		p, err := picture()
		if err != nil {
			return fmt.Errorf("draw %s: %w", name, err)
		}
		if err := p.Save(wide, high, filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("draw %s: %w", name, err)
		}
	}
	return nil
}

// newPlot is a picture with traffic along its foot.
func newPlot(title, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, "requests a second", y
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.ConstantTicks{{Value: 10, Label: "10"}, {Value: 100, Label: "100"}, {Value: 1000, Label: "1000"}}
	p.BackgroundColor = color.White
	p.Legend.Top = true
	p.Add(plotter.NewGrid())
	return p
}

// drawFalseRollbacks is our worst share of false rollbacks at each traffic, a line for each situation.
func (f findings) drawFalseRollbacks() (*plot.Plot, error) {
	p := newPlot("Nothing is wrong with the version: rolled back, worst setting", "% of releases")
	p.Y.Min, p.Y.Max = 0, 12
	for i, n := range f.nulls {
		var at plotter.XYs
		for _, perSecond := range allTraffic {
			at = append(at, plotter.XY{X: perSecond, Y: 100 * n.worstAt(perSecond)})
		}
		if err := addLine(p, n.name, at, i); err != nil {
			return nil, err
		}
	}
	promised := plotter.NewFunction(func(float64) float64 { return 100 * risk })
	promised.Dashes = plotutil.Dashes(2)
	p.Add(promised)
	p.Legend.Add("the risk that was asked for (5 %)", promised)
	p.Legend.TextStyle.Font.Size = vg.Points(7)
	p.X.Max = 20000 // room for the legend
	return p, nil
}

// worstAt is our worst share at one traffic.
func (n nullFinding) worstAt(perSecond float64) float64 {
	most := 0.0
	for i, c := range n.settings {
		if c.Traffic.PerSecond == perSecond {
			most = max(most, n.all[i].rolledBack(0).value())
		}
	}
	return most
}

// drawTimeToRollback is the median time at 20 % of the traffic, a line for each rule and regression.
func (f findings) drawTimeToRollback() (*plot.Plot, error) {
	p := newPlot("Something is wrong: time to rollback, 20 % canary", "median minutes")
	p.Y.Min, p.Y.Max, p.X.Max = 0, 30, 20000
	line := 0
	for _, g := range f.regressions {
		for _, rule := range []int{0, 1, 4} {
			var at plotter.XYs
			for _, perSecond := range allTraffic {
				v := g.cells[[2]float64{perSecond, .2}].medianMinutes(rule, rollBack)
				if !math.IsInf(v, 1) {
					at = append(at, plotter.XY{X: perSecond, Y: v})
				}
			}
			if err := addLine(p, g.name+", "+rules[rule].name, at, line); err != nil {
				return nil, err
			}
			line++
		}
	}
	p.Legend.TextStyle.Font.Size = vg.Points(7)
	return p, nil
}

func addLine(p *plot.Plot, name string, at plotter.XYs, i int) error {
	if len(at) == 0 {
		return nil
	}
	line, points, err := plotter.NewLinePoints(at)
	if err != nil {
		return err
	}
	line.Color, points.Color, points.Shape = plotutil.DarkColors[i%colours], plotutil.DarkColors[i%colours], plotutil.Shape(i)
	line.Dashes = plotutil.Dashes(i / colours)
	p.Add(line, points)
	p.Legend.Add(name, line, points)
	return nil
}

// drawExcess is what a regression from 0.1 to 0.5 % costs users in a whole release, by rule.
func (f findings) drawExcess() (*plot.Plot, error) {
	p := plot.New()
	p.BackgroundColor, p.Legend.Top = color.White, true
	p.Title.Text, p.Y.Label.Text = "0.1 → 0.5 %: bad requests because of the change, whole release", "in the mean (log scale)"
	var ticks plot.ConstantTicks
	for power := range 6 {
		ticks = append(ticks, plot.Tick{Value: float64(power), Label: fmt.Sprintf("%.0f", math.Pow10(power))})
	}
	p.Y.Tick.Marker, p.Y.Min = ticks, 0
	p.Y.Max = 5.5 // room for the legend
	var names []string
	for _, r := range rules {
		names = append(names, r.name)
	}
	for i, perSecond := range wholeTraffic {
		values := make(plotter.Values, len(rules))
		for _, w := range f.wholes {
			if w.name != "0.1 → 0.5 %" {
				continue
			}
			for rule := range rules {
				mean, _ := w.at[perSecond].meanExcess(rule)
				values[rule] = math.Log10(max(1, mean)) // bars grow from 0, which a log axis does not have
			}
		}
		bars, err := plotter.NewBarChart(values, vg.Points(25))
		if err != nil {
			return nil, err
		}
		bars.Color, bars.Offset, bars.XMin = plotutil.Color(i), vg.Points(float64(i)*25-12), 0
		p.Add(bars)
		p.Legend.Add(fmt.Sprintf("%v requests a second", perSecond), bars)
	}
	p.NominalX(names...)
	p.X.Max = float64(len(rules)) - .5
	p.X.Tick.Label.Font.Size = vg.Points(8)
	return p, nil
}
