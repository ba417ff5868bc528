package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// autoscalers are the scenarios of what scales stable while a release runs.
var autoscalers = []scenario{
	{"autoscalers-keep-the-floor", autoscalersKeepTheFloor},
}

const (
	autoscalerManifest = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}
  minReplicas: 1
  maxReplicas: 6
  metrics: [{type: External, external: {metric: {name: shop-load}, target: {type: AverageValue, averageValue: "1"}}}]
  behavior:
    scaleDown: {stabilizationWindowSeconds: 0, policies: [{type: Pods, value: 10, periodSeconds: 15}]}
    scaleUp: {stabilizationWindowSeconds: 0, policies: [{type: Pods, value: 10, periodSeconds: 15}]}
`
	metricsService = `
apiVersion: v1
kind: Service
metadata: {name: metrics}
spec: {ports: [{name: https, port: 443, targetPort: %d}]}
`
	metricsEndpoints = `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: metrics, labels: {kubernetes.io/service-name: metrics}}
addressType: IPv4
endpoints: [{addresses: [%q], conditions: {ready: true}}]
ports: [{name: https, port: %d, protocol: TCP}]
`
	metricsAPI = `
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.external.metrics.k8s.io}
spec:
  group: external.metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: {name: metrics, namespace: %s}
`
)

// The load of stable falls when the canary takes its share, and comes back in one moment. An autoscaler therefore does not
// go below what stable had when the release began; it goes up as ever, and people do what they want.
func autoscalersKeepTheFloor(tb testing.TB) {
	s := newScene(tb, setting{rate: 60, shape: scaledByOthers})
	wanted := s.serveMetrics()
	wanted.Store(4)
	s.apply(parse(autoscalerManifest))
	s.awaitReplicas(4)
	s.awaitRolledOut("shop")
	s.adopt(plan{steps: stays})
	s.push(good("v2"))
	s.awaitStage("Judging")

	wanted.Store(1)
	s.awaitAutoscaler("wish for less", func(hpa *autoscalingv2.HorizontalPodAutoscaler) bool { return hpa.Status.DesiredReplicas == 1 })
	s.wantReplicasStay(4)
	wanted.Store(6)
	s.awaitReplicas(6)
	wanted.Store(1)
	s.awaitReplicas(4)
	// With nothing to do, KEDA goes to zero by itself. It does so on the subresource, like its autoscaler.
	if have := s.scaleAs("system:serviceaccount:keda:keda-operator", 0); have != 4 {
		s.Errorf("KEDA went to %d, want 4", have)
	}
	shell(s, checkout, "kubectl -n "+s.namespace+" scale deployment shop --replicas=2")
	s.awaitReplicas(2)
	s.wantReplicasStay(2)

	s.annotate(v1alpha1.RequestPromote)
	s.awaitPromoted()
	s.awaitReplicas(1)
	s.wantShare(s.sample(fewest), "v2", 1)
	s.wantNoHarm()
}

// scaledByOthers leaves the number of pods out, as one does in Git when an autoscaler has it.
func scaledByOthers(d *unstructured.Unstructured) {
	unstructured.RemoveNestedField(d.Object, "spec", "replicas")
}

func (s *scene) awaitReplicas(n int32) {
	s.Helper()
	s.until(fmt.Sprintf("scaling to %d", n), usual, func() (bool, string) {
		have := *s.shop().Spec.Replicas
		return have == n, fmt.Sprintf("spec.replicas is %d", have)
	})
}

// wantReplicasStay looks on while the autoscaler, which acts every 15 s, does so twice.
func (s *scene) wantReplicasStay(n int32) {
	s.Helper()
	if have, moved := s.within(35*time.Second, func() (bool, string) {
		have := *s.shop().Spec.Replicas
		return have != n, strconv.Itoa(int(have))
	}); moved {
		s.Errorf("the Deployment was scaled to %s, want %d", have, n)
	}
}

func (s *scene) awaitAutoscaler(what string, want func(*autoscalingv2.HorizontalPodAutoscaler) bool) {
	s.Helper()
	s.until(what, usual, func() (bool, string) {
		hpa := &autoscalingv2.HorizontalPodAutoscaler{}
		return s.get(hpa, "shop") && want(hpa), compact(hpa.Status)
	})
}

// scaleAs writes the scale subresource as somebody else, and gives what was stored.
func (s *scene) scaleAs(user string, replicas int32) int32 {
	s.Helper()
	config, err := ctrl.GetConfig()
	if err != nil {
		s.Fatal(err)
	}
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:masters"}}
	as, err := client.New(config, client.Options{Scheme: shared.Scheme()})
	if err != nil {
		s.Fatal(err)
	}
	d := s.shop()
	scale := &autoscalingv1.Scale{}
	if err := as.SubResource("scale").Get(s.Context(), d, scale); err != nil {
		s.Fatalf("read the scale: %v", err)
	}
	scale.Spec.Replicas = replicas
	if err := as.SubResource("scale").Update(s.Context(), d, client.WithSubResourceBody(scale)); err != nil {
		s.Fatalf("scale as %s: %v", user, err)
	}
	return *s.shop().Spec.Replicas
}

// serveMetrics is the metrics API that an autoscaler asks: the number of pods that the load needs, as the scenario says.
// Only the figures are made up; who asks, decides and writes is Kubernetes' own autoscaler.
func (s *scene) serveMetrics() *atomic.Int64 {
	s.Helper()
	wanted := &atomic.Int64{}
	listener, err := (&net.ListenConfig{}).Listen(s.Context(), "tcp", net.JoinHostPort(shared.node, "0"))
	if err != nil {
		s.Fatal(err)
	}
	certificate, err := selfSigned(shared.node)
	if err != nil {
		s.Fatal(err)
	}
	server := &http.Server{
		ReadHeaderTimeout: time.Minute, Handler: externalMetrics(wanted),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}},
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	s.Cleanup(func() { _ = server.Close() })
	port := listener.Addr().(*net.TCPAddr).Port
	s.apply(parse(fmt.Sprintf(metricsService, port)))
	s.apply(parse(fmt.Sprintf(metricsEndpoints, shared.node, port)))
	api := parse(fmt.Sprintf(metricsAPI, s.namespace))
	shell(s, checkout, "kubectl delete apiservice --ignore-not-found "+api.GetName())
	s.create(api)
	s.Cleanup(func() {
		// The context of a test is done when its cleanups run.
		ctx, cancel := context.WithTimeout(context.Background(), usual)
		defer cancel()
		if err := shared.Delete(ctx, api); err != nil {
			s.Errorf("delete the metrics API: %v", err)
		}
	})
	s.until("metrics API", usual, func() (bool, string) {
		live := api.DeepCopy()
		if err := shared.Get(s.Context(), client.ObjectKeyFromObject(live), live); err != nil {
			return false, err.Error()
		}
		text := compact(live.Object["status"])
		return strings.Contains(text, `"status":"True"`), text
	})
	return wanted
}

// externalMetrics answers as the external metrics API does.
func externalMetrics(value *atomic.Int64) http.Handler {
	const group = "external.metrics.k8s.io/v1beta1"
	answer := func(w http.ResponseWriter, body map[string]any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/apis/"+group, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": []any{}})
	})
	mux.HandleFunc("/apis/"+group+"/namespaces/{namespace}/{metric}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]any{"kind": "ExternalMetricValueList", "apiVersion": group, "metadata": map[string]any{}, "items": []any{map[string]any{
			"metricName": r.PathValue("metric"), "metricLabels": map[string]any{},
			"timestamp": time.Now().UTC().Format(time.RFC3339), "value": strconv.FormatInt(value.Load(), 10),
		}}})
	})
	return mux
}

// selfSigned is a certificate that nobody is asked to trust.
func selfSigned(address string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.ParseIP(address)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
