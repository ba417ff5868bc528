package gitops

import (
	"fmt"
	"os"
	"strings"

	"sigs.k8s.io/yaml"
)

// Page is what docs/gitops.md tells people to set and to expect.
type Page struct {
	// ReleaseHealth is the Lua script for argocd-cm.
	ReleaseHealth string
	// IgnoreRoutePaths are the jqPathExpressions for an Application without server-side diff.
	IgnoreRoutePaths []string
	// Expected is the table of what is seen, by the name of the stage.
	Expected map[string]Expectation
}

// Expectation is a row of the table.
type Expectation struct{ DeploymentFlux, DeploymentArgo, ReleaseFlux, ReleaseArgo string }

// ReadPage reads it.
func ReadPage(path string) (Page, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the page that the caller names
	if err != nil {
		return Page{}, err
	}
	page := Page{Expected: expectations(string(text))}
	for _, block := range yamlBlocks(string(text)) {
		if err := page.take(block); err != nil {
			return Page{}, fmt.Errorf("read %s: %w in\n%s", path, err, block)
		}
	}
	if page.ReleaseHealth == "" || len(page.IgnoreRoutePaths) == 0 || len(page.Expected) == 0 {
		return Page{}, fmt.Errorf("%s has no health check, no ignoreDifferences, or no table of what is seen", path)
	}
	return page, nil
}

func (p *Page) take(block string) error {
	var settings struct {
		Data map[string]string
		Spec struct {
			IgnoreDifferences []struct{ JQPathExpressions []string }
		}
	}
	if err := yaml.Unmarshal([]byte(block), &settings); err != nil {
		return err
	}
	if script, found := settings.Data["resource.customizations.health.slipway.dev_CanaryRelease"]; found {
		p.ReleaseHealth = script
	}
	for _, ignored := range settings.Spec.IgnoreDifferences {
		p.IgnoreRoutePaths = append(p.IgnoreRoutePaths, ignored.JQPathExpressions...)
	}
	return nil
}

// yamlBlocks are the fenced blocks of a page, also indented ones.
func yamlBlocks(text string) []string {
	var blocks, block []string
	inside := false
	for line := range strings.Lines(text) {
		switch fence := strings.TrimSpace(line); {
		case fence == "```yaml":
			inside, block = true, nil
		case fence == "```" && inside:
			inside = false
			blocks = append(blocks, strings.Join(block, ""))
		case inside:
			block = append(block, line)
		}
	}
	return blocks
}

// expectations are the rows of five cells.
func expectations(text string) map[string]Expectation {
	rows := map[string]Expectation{}
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 5 || strings.HasPrefix(cells[0], "-") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows[cells[0]] = Expectation{DeploymentFlux: cells[1], DeploymentArgo: cells[2], ReleaseFlux: cells[3], ReleaseArgo: cells[4]}
	}
	return rows
}
