package prom

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/config"
	"github.com/prometheus/common/model"

	"slipway.dev/slipway/internal/telemetry"
)

// cause is why a query failed: a label of our metrics and the text that a user reads.
type cause string

const (
	causeTimeout      cause = "Timeout"
	causeUnreachable  cause = "Unreachable"
	causeUnauthorized cause = "Unauthorized"
	causeRefused      cause = "Refused"
	causeServerError  cause = "ServerError"
	causeMalformed    cause = "Malformed"
	causePartial      cause = "Partial"
)

// text is what a user reads. It holds no address and no number that changes.
func (c cause) text() string {
	switch c {
	case causeTimeout:
		return "does not answer in time"
	case causeUnreachable:
		return "cannot be reached; see its url, tls and bearerTokenFile in the operator's configuration"
	case causeUnauthorized:
		return "does not let the operator in; see bearerTokenFile and tls in the operator's configuration"
	case causeRefused:
		return "refuses the query"
	case causeServerError:
		return "has an internal error"
	case causeMalformed:
		return "does not answer as Prometheus does; see its url in the operator's configuration"
	case causePartial:
		return "gives partial answers, which are not used"
	}
	return string(c)
}

// queryError is a failed query.
type queryError struct {
	cause cause
	err   error
}

func (e *queryError) Error() string { return string(e.cause) + ": " + e.err.Error() }
func (e *queryError) Unwrap() error { return e.err }

// maxAnswer is the most that is read of an answer, in bytes.
const maxAnswer = 256 << 20

// client asks one endpoint.
type client struct {
	api     promv1.API
	timeout time.Duration
}

func newClient(e Endpoint) (*client, error) {
	c := config.HTTPClientConfig{EnableHTTP2: true, TLSConfig: config.TLSConfig{
		CAFile: e.TLS.CAFile, CertFile: e.TLS.CertFile, KeyFile: e.TLS.KeyFile,
		ServerName: e.TLS.ServerName, InsecureSkipVerify: e.TLS.InsecureSkipVerify,
	}}
	if e.BearerTokenFile != "" {
		c.Authorization = &config.Authorization{Type: "Bearer", CredentialsFile: e.BearerTokenFile}
	}
	rt, err := config.NewRoundTripperFromConfig(c, "slipway")
	if err != nil {
		return nil, fmt.Errorf("prepare Prometheus endpoint %q: %w", e.Name, err)
	}
	// A redirect could carry the token to another host: client.Do must see the answer itself.
	hc := &http.Client{
		Transport:     limited{rt},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	a, err := api.NewClient(api.Config{Address: e.URL, Client: hc})
	if err != nil {
		return nil, fmt.Errorf("prepare Prometheus endpoint %q: %w", e.Name, err)
	}
	return &client{api: promv1.NewAPI(a), timeout: e.Timeout}, nil
}

// limited keeps an answer from filling the memory.
type limited struct{ http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	}
	return resp, err
}

// samples asks for the raw samples of a range selector.
func (c *client) samples(ctx context.Context, query string) ([]telemetry.Series, error) {
	value, err := c.query(ctx, query)
	if err != nil {
		return nil, err
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, &queryError{causeMalformed, fmt.Errorf("answer is a %T, want a matrix", value)}
	}
	series := make([]telemetry.Series, 0, len(matrix))
	for _, stream := range matrix {
		series = append(series, convert(stream))
	}
	return series, nil
}

// now asks for the server's time, by which samples are stamped.
func (c *client) now(ctx context.Context) (time.Time, error) {
	value, err := c.query(ctx, "time()")
	if err != nil {
		return time.Time{}, err
	}
	scalar, ok := value.(*model.Scalar)
	if !ok {
		return time.Time{}, &queryError{causeMalformed, fmt.Errorf("answer is a %T, want a scalar", value)}
	}
	return scalar.Timestamp.Time(), nil
}

func (c *client) query(ctx context.Context, query string) (model.Value, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	value, warnings, _, err := c.api.Query(ctx, query, time.Time{}, promv1.WithTimeout(c.timeout))
	if err != nil {
		return nil, &queryError{classify(err), err}
	}
	if len(warnings) > 0 {
		// A series that is only missing from a partial answer would look like one that is born later.
		return nil, &queryError{causePartial, errors.New(warnings[0])}
	}
	return value, nil
}

func convert(stream *model.SampleStream) telemetry.Series {
	s := telemetry.Series{
		Labels:  make(telemetry.Labels, len(stream.Metric)),
		Samples: make([]telemetry.Sample, 0, len(stream.Values)),
	}
	for name, value := range stream.Metric {
		s.Labels[string(name)] = string(value)
	}
	for _, v := range stream.Values {
		s.Samples = append(s.Samples, telemetry.Sample{UnixMillis: int64(v.Timestamp), Value: float64(v.Value)})
	}
	for _, h := range stream.Histograms {
		if h.Histogram != nil {
			s.Histograms = append(s.Histograms, nativeSample(int64(h.Timestamp), h.Histogram))
		}
	}
	return s
}

func classify(err error) cause {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return causeTimeout
	}
	var answered *promv1.Error
	if !errors.As(err, &answered) {
		return classifyTransport(err)
	}
	switch answered.Type {
	case promv1.ErrTimeout, promv1.ErrCanceled:
		return causeTimeout
	case promv1.ErrServer:
		return causeServerError
	case promv1.ErrBadData, promv1.ErrExec:
		return causeRefused
	case promv1.ErrClient:
		if answered.Msg == "client error: 401" || answered.Msg == "client error: 403" {
			return causeUnauthorized
		}
		return causeRefused
	case promv1.ErrBadResponse:
	}
	return causeMalformed
}

func classifyTransport(err error) cause {
	if network, ok := errors.AsType[net.Error](err); ok {
		if network.Timeout() {
			return causeTimeout
		}
		return causeUnreachable
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return causeRefused
	}
	return causeMalformed
}
