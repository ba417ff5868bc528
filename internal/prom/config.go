// Package prom speaks HTTP to Prometheus. It asks for raw samples of all watched releases in as few queries as possible
// and hands them to trackers. It must not decide anything about a release, and knows no metric: dialects do.
package prom

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// Config names the Prometheus servers that may be asked. Only the operator's administrator writes it: a resource names
// an endpoint, never a host.
type Config struct {
	Endpoints []Endpoint
}

// Endpoint is one Prometheus server, or something that answers as one.
type Endpoint struct {
	Name string
	URL  string
	// Timeout is how long an answer may take.
	Timeout time.Duration
	// ScrapeInterval is expected until timestamps show it; zero: not known.
	ScrapeInterval  time.Duration
	TLS             TLS
	BearerTokenFile string
}

// TLS is how the server and we prove who we are. Files are read again when they change.
type TLS struct {
	CAFile             string `json:"caFile,omitempty"`
	CertFile           string `json:"certFile,omitempty"`
	KeyFile            string `json:"keyFile,omitempty"`
	ServerName         string `json:"serverName,omitempty"`
	InsecureSkipVerify bool   `json:"insecureSkipVerify,omitempty"`
}

const (
	defaultTimeout = 5 * time.Second
	maxTimeout     = time.Minute
)

var endpointName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// file is the configuration as it is written.
type file struct {
	Endpoints []fileEndpoint `json:"endpoints"`
}

type fileEndpoint struct {
	Name            string `json:"name"`
	URL             string `json:"url"`
	Timeout         string `json:"timeout,omitempty"`
	ScrapeInterval  string `json:"scrapeInterval,omitempty"`
	TLS             TLS    `json:"tls,omitzero"`
	BearerTokenFile string `json:"bearerTokenFile,omitempty"`
}

// ReadConfig reads the configuration from YAML. Unknown fields are refused. Errors name the field and what to do.
func ReadConfig(data []byte) (Config, error) {
	var f file
	if err := yaml.UnmarshalStrict(data, &f); err != nil {
		return Config{}, fmt.Errorf("read Prometheus endpoints: %w", err)
	}
	if len(f.Endpoints) == 0 {
		return Config{}, errors.New("read Prometheus endpoints: endpoints is empty: name at least one, with name and url")
	}
	var c Config
	for i, fe := range f.Endpoints {
		e, err := fe.endpoint()
		if err != nil {
			return Config{}, fmt.Errorf("read Prometheus endpoints: endpoints[%d].%w", i, err)
		}
		if slices.ContainsFunc(c.Endpoints, func(o Endpoint) bool { return o.Name == e.Name }) {
			return Config{}, fmt.Errorf("read Prometheus endpoints: endpoints[%d].name %q is used twice: rename one", i, e.Name)
		}
		c.Endpoints = append(c.Endpoints, e)
	}
	return c, nil
}

func (f fileEndpoint) endpoint() (Endpoint, error) {
	e := Endpoint{Name: f.Name, URL: f.URL, TLS: f.TLS, BearerTokenFile: f.BearerTokenFile}
	if !endpointName.MatchString(f.Name) {
		return e, fmt.Errorf("name %q: use at most 63 lower-case letters, digits and dashes", f.Name)
	}
	var err error
	if e.Timeout, err = duration("timeout", f.Timeout, defaultTimeout, maxTimeout); err != nil {
		return e, err
	}
	if e.ScrapeInterval, err = duration("scrapeInterval", f.ScrapeInterval, 0, time.Hour); err != nil {
		return e, err
	}
	return e, e.check()
}

func duration(field, text string, absent, longest time.Duration) (time.Duration, error) {
	if text == "" {
		return absent, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > longest {
		return 0, fmt.Errorf("%s %q: give a time of more than 0 and at most %s, such as 5s", field, text, longest)
	}
	return d, nil
}

func (e Endpoint) check() error {
	u, err := url.Parse(e.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("url: give an address such as https://prometheus.monitoring.svc:9090")
	case u.User != nil:
		return errors.New("url: leave user and password out; use bearerTokenFile or tls")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("url: leave out what follows ? and #")
	case (e.TLS.CertFile == "") != (e.TLS.KeyFile == ""):
		return errors.New("tls: give both certFile and keyFile, or neither")
	case u.Scheme == "http" && e.TLS != TLS{}:
		return errors.New("tls: the url says http; write https, or remove tls")
	case u.Scheme == "http" && e.BearerTokenFile != "":
		return errors.New("bearerTokenFile: a token must not be sent over http; write https in the url")
	}
	return nil
}

// names are the endpoints' names for a message.
func (c Config) names() string {
	var names []string
	for _, e := range c.Endpoints {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
