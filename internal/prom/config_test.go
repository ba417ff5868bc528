package prom

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReadConfig(t *testing.T) {
	got, err := ReadConfig([]byte(`
endpoints:
- name: default
  url: https://prometheus.monitoring.svc:9090/prefix
  timeout: 10s
  scrapeInterval: 30s
  tls: {caFile: /ca.crt, certFile: /tls.crt, keyFile: /tls.key, serverName: prometheus}
  bearerTokenFile: /token
- {name: plain, url: "http://prometheus:9090"}
`))
	want := Config{Endpoints: []Endpoint{
		{
			Name: "default", URL: "https://prometheus.monitoring.svc:9090/prefix", Timeout: 10 * time.Second, ScrapeInterval: 30 * time.Second,
			TLS: TLS{CAFile: "/ca.crt", CertFile: "/tls.crt", KeyFile: "/tls.key", ServerName: "prometheus"}, BearerTokenFile: "/token",
		},
		{Name: "plain", URL: "http://prometheus:9090", Timeout: 5 * time.Second},
	}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("config (-want +got):\n%s%v", diff, err)
	}
}

// The text of an error is what this test is about: it must name the field.
func TestReadConfigNamesTheField(t *testing.T) {
	cases := map[string]struct{ yaml, wantField string }{
		"no endpoints":                  {`endpoints: []`, "endpoints"},
		"an unknown field":              {`endpoints: [{name: a, url: "http://p", retries: 3}]`, "retries"},
		"a name with a slash":           {`endpoints: [{name: a/b, url: "http://p"}]`, "endpoints[0].name"},
		"a name used twice":             {`endpoints: [{name: a, url: "http://p"}, {name: a, url: "http://q"}]`, "endpoints[1].name"},
		"no url":                        {`endpoints: [{name: a}]`, "endpoints[0].url"},
		"a url without a scheme":        {`endpoints: [{name: a, url: "p:9090"}]`, "endpoints[0].url"},
		"a password in the url":         {`endpoints: [{name: a, url: "http://u:p@p"}]`, "endpoints[0].url"},
		"a query in the url":            {`endpoints: [{name: a, url: "http://p?x=1"}]`, "endpoints[0].url"},
		"a file scheme":                 {`endpoints: [{name: a, url: "file:///etc/passwd"}]`, "endpoints[0].url"},
		"a timeout of zero":             {`endpoints: [{name: a, url: "http://p", timeout: 0s}]`, "endpoints[0].timeout"},
		"a timeout of an hour":          {`endpoints: [{name: a, url: "http://p", timeout: 1h}]`, "endpoints[0].timeout"},
		"a timeout without a unit":      {`endpoints: [{name: a, url: "http://p", timeout: "5"}]`, "endpoints[0].timeout"},
		"a key without its certificate": {`endpoints: [{name: a, url: "https://p", tls: {keyFile: k}}]`, "endpoints[0].tls"},
		"tls for http":                  {`endpoints: [{name: a, url: "http://p", tls: {caFile: c}}]`, "endpoints[0].tls"},
		"a token over http":             {`endpoints: [{name: a, url: "http://p", bearerTokenFile: t}]`, "endpoints[0].bearerTokenFile"},
		"a field used twice":            {"endpoints: [{name: a, name: b, url: \"http://p\"}]", "name"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := ReadConfig([]byte(c.yaml))
			if err == nil || !strings.Contains(err.Error(), c.wantField) {
				t.Errorf("error %v does not name %s", err, c.wantField)
			}
		})
	}
}
