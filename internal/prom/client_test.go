package prom

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/telemetry"
)

const matrix = `{"status":"success","data":{"resultType":"matrix","result":[
	{"metric":{"__name__":"rq","code":"200"},"values":[[1700000000.593,"5"],[1700000002.593,"NaN"]]}]}}`

func answering(t *testing.T, code int, body string) *client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return connect(t, Endpoint{Name: "default", URL: s.URL, Timeout: 5 * time.Second})
}

func connect(t *testing.T, e Endpoint) *client {
	t.Helper()
	c, err := newClient(e)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnswers(t *testing.T) {
	cases := map[string]struct {
		code int
		body string
		want cause
	}{
		"a matrix is good":                       {200, matrix, ""},
		"no series is good":                      {200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`, ""},
		"an info is good":                        {200, strings.Replace(matrix, `"data"`, `"infos":["metric might not be a counter"],"data"`, 1), ""},
		"a warning makes the answer partial":     {200, strings.Replace(matrix, `"data"`, `"warnings":["store is away"],"data"`, 1), causePartial},
		"a vector is not what was asked for":     {200, `{"status":"success","data":{"resultType":"vector","result":[]}}`, causeMalformed},
		"an unknown type is malformed":           {200, `{"status":"success","data":{"resultType":"tensor","result":[]}}`, causeMalformed},
		"half an answer is malformed":            {200, matrix[:80], causeMalformed},
		"a login page is malformed":              {200, `<html>sign in</html>`, causeMalformed},
		"an empty answer is malformed":           {200, ``, causeMalformed},
		"bad data is refused":                    {400, `{"status":"error","errorType":"bad_data","error":"parse error"}`, causeRefused},
		"too many samples are refused":           {422, `{"status":"error","errorType":"execution","error":"too many samples"}`, causeRefused},
		"a query that timed out there timed out": {503, `{"status":"error","errorType":"timeout","error":"query timed out"}`, causeServerError},
		"an internal error is the server's":      {500, `oops`, causeServerError},
		"no token is unauthorized":               {401, `Unauthorized`, causeUnauthorized},
		"a wrong token is unauthorized":          {403, `Forbidden`, causeUnauthorized},
		"a wrong path is refused":                {404, `404 page not found`, causeRefused},
		"too many requests are refused":          {429, `slow down`, causeRefused},
		"a redirect is not followed":             {302, ``, causeMalformed},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := answering(t, c.code, c.body).samples(t.Context(), "x[1m]")
			var got cause
			if err != nil {
				got = causeOf(err)
			}
			if got != c.want {
				t.Errorf("cause %q, want %q (%v)", got, c.want, err)
			}
		})
	}
}

func TestSamplesAreReadAsTheyAre(t *testing.T) {
	got, err := answering(t, 200, strings.Replace(matrix, "NaN", "7", 1)).samples(t.Context(), "x[1m]")
	want := []telemetry.Series{{
		Labels:  telemetry.Labels{"__name__": "rq", "code": "200"},
		Samples: []telemetry.Sample{{UnixMillis: 1700000000593, Value: 5}, {UnixMillis: 1700000002593, Value: 7}},
	}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("series (-want +got):\n%s%v", diff, err)
	}
}

func TestAServerThatHangsTimesOut(t *testing.T) {
	hang := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer s.Close()
	defer close(hang)
	_, err := connect(t, Endpoint{URL: s.URL, Timeout: 20 * time.Millisecond}).samples(t.Context(), "x[1m]")
	if causeOf(err) != causeTimeout {
		t.Errorf("cause %q, want %q (%v)", causeOf(err), causeTimeout, err)
	}
}

func TestAServerThatIsAwayCannotBeReached(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	_, err := connect(t, Endpoint{URL: s.URL, Timeout: time.Second}).samples(t.Context(), "x[1m]")
	if causeOf(err) != causeUnreachable {
		t.Errorf("cause %q, want %q (%v)", causeOf(err), causeUnreachable, err)
	}
}

func TestAQueryIsPosted(t *testing.T) {
	var got []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Method+" "+r.URL.Path+" "+r.FormValue("query")+" "+r.FormValue("time"))
		_, _ = w.Write([]byte(matrix))
	}))
	defer s.Close()
	if _, err := connect(t, Endpoint{URL: s.URL + "/prefix", Timeout: time.Second}).samples(t.Context(), "x[1m]"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"POST /prefix/api/v1/query x[1m] "}, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestTLSAndAToken(t *testing.T) {
	var tokens []string
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tokens = append(tokens, r.Header.Get("Authorization"))
		_, _ = w.Write([]byte(matrix))
	}))
	defer s.Close()
	dir := t.TempDir()
	ca, token := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "token")
	write(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	write(t, token, "first\n")
	c := connect(t, Endpoint{URL: s.URL, Timeout: 5 * time.Second, TLS: TLS{CAFile: ca, ServerName: "example.com"}, BearerTokenFile: token})
	if _, err := c.samples(t.Context(), "x[1m]"); err != nil {
		t.Fatal(err)
	}
	write(t, token, "second\n")
	if _, err := c.samples(t.Context(), "x[1m]"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Bearer first", "Bearer second"}, tokens); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
	stranger := connect(t, Endpoint{URL: s.URL, Timeout: 5 * time.Second})
	if _, err := stranger.samples(t.Context(), "x[1m]"); causeOf(err) != causeUnreachable {
		t.Errorf("a server with an unknown certificate: cause %q, want %q (%v)", causeOf(err), causeUnreachable, err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestACallersEndIsNoProblemOfTheServer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := answering(t, 200, matrix).samples(ctx, "x[1m]")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
