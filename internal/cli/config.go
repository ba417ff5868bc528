package cli

import (
	"encoding/json"
	"fmt"
	"os"

	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/internal/prom"
)

// configFile is the operator's configuration as it is written.
type configFile struct {
	Prometheus json.RawMessage `json:"prometheus"`
}

// readConfig reads the operator's configuration. Unknown fields are refused, so that a typo is not a silent default.
func readConfig(path string) (prom.Config, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the administrator names the file
	if err != nil {
		return prom.Config{}, fmt.Errorf("read configuration: %w; give its path by --config", err)
	}
	var f configFile
	if err := yaml.UnmarshalStrict(text, &f); err != nil {
		return prom.Config{}, fmt.Errorf("read configuration %s: %w", path, err)
	}
	if len(f.Prometheus) == 0 {
		return prom.Config{}, fmt.Errorf("read configuration %s: prometheus is missing: name at least one endpoint in prometheus.endpoints", path)
	}
	return prom.ReadConfig(f.Prometheus)
}
