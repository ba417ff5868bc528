package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"slipway.dev/slipway/controllers"
	"slipway.dev/slipway/internal/traffic/gatewayapi"
)

// defaultPrometheus is what the operator's configuration names when nobody says otherwise.
const defaultPrometheus = "http://prometheus.monitoring:9090"

// preflight says what the cluster lacks, and what to do about it, before anything is changed.
func (d *demo) preflight(ctx context.Context) error {
	for _, check := range []func(context.Context) (string, error){d.checkAdmission, d.checkGateway, d.checkMerging, d.checkPrometheus} {
		found, err := check(ctx)
		if err != nil {
			return err
		}
		d.screen.print("  %s", found)
	}
	return nil
}

func (d *demo) checkAdmission(context.Context) (string, error) {
	version, err := d.cluster.proxy.Discovery().ServerVersion()
	if err != nil {
		return "", fmt.Errorf("ask the API server for its version: %w", err)
	}
	served, err := d.serves("admissionregistration.k8s.io/v1", "mutatingadmissionpolicies")
	if err != nil {
		return "", err
	}
	if !served {
		return "", fmt.Errorf("the API server is %s and does not serve mutatingadmissionpolicies of admissionregistration.k8s.io/v1, "+
			"by which changes are held: use Kubernetes 1.36 or newer", version.GitVersion)
	}
	return fmt.Sprintf("Kubernetes %s serves mutatingadmissionpolicies", version.GitVersion), nil
}

func (d *demo) serves(groupVersion, resource string) (bool, error) {
	list, err := d.cluster.proxy.Discovery().ServerResourcesForGroupVersion(groupVersion)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("ask the API server for %s: %w", groupVersion, err)
	}
	for _, have := range list.APIResources {
		if have.Name == resource {
			return true, nil
		}
	}
	return false, nil
}

func (d *demo) checkGateway(ctx context.Context) (string, error) {
	key := d.options.gateway
	err := d.await(ctx, awaited{"Gateway " + key.String() + " to be programmed", time.Minute, func(ctx context.Context) (string, bool, error) {
		gateway := &gatewayv1.Gateway{}
		err := d.cluster.Get(ctx, key, gateway)
		switch {
		case meta.IsNoMatchError(err):
			return "", false, hopeless("the CRDs of the Gateway API are not there; install Envoy Gateway, which brings them: " +
				"https://gateway.envoyproxy.io/docs/install/")
		case apierrors.IsNotFound(err):
			return "", false, hopeless("there is no Gateway %s; say which one to use with GATEWAY=namespace/name", key)
		case err != nil:
			return "", false, err
		}
		d.address = addressOf(gateway)
		return conditionsOf(gateway.Status.Conditions), isTrue(gateway.Status.Conditions, string(gatewayv1.GatewayConditionProgrammed)) && d.address != "", nil
	}})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Gateway %s is programmed, at %s", key, d.address), nil
}

// addressOf is host:port of the first HTTP listener; empty while there is none.
func addressOf(gateway *gatewayv1.Gateway) string {
	at := slices.IndexFunc(gateway.Spec.Listeners, func(l gatewayv1.Listener) bool { return l.Protocol == gatewayv1.HTTPProtocolType })
	if at < 0 || len(gateway.Status.Addresses) == 0 {
		return ""
	}
	host := gateway.Status.Addresses[0].Value
	if strings.Contains(host, ":") { // IPv6
		host = "[" + host + "]"
	}
	return fmt.Sprintf("%s:%d", host, gateway.Spec.Listeners[at].Port)
}

// checkMerging asks the operator's own code whether the arms can be told apart behind this Gateway.
func (d *demo) checkMerging(ctx context.Context) (string, error) {
	route, err := d.route()
	if err != nil {
		return "", err
	}
	facts, err := controllers.ReadClassFacts(ctx, d.cluster, route)
	if err != nil {
		return "", err
	}
	return mergingOf(d.options.gateway.String(), facts)
}

func mergingOf(gateway string, facts gatewayapi.ClassFacts) (string, error) {
	for _, parent := range facts.Parents {
		switch {
		case parent.Controller != gatewayapi.EnvoyGateway:
			return "", fmt.Errorf("the Gateway %s is served by %q, and the demo measures by the metrics of Envoy Gateway (%s): "+
				"say which Gateway to use with GATEWAY=namespace/name", gateway, parent.Controller, gatewayapi.EnvoyGateway)
		case !parent.MergeBackends:
			return "", fmt.Errorf("the Gateway %s measures canary and stable together: set spec.mergeBackends to {} in the EnvoyProxy "+
				"that its GatewayClass names in parametersRef (make such an EnvoyProxy if there is none)", gateway)
		case parent.Selector != nil:
			return fmt.Sprintf("Envoy Gateway measures those Services apart that %s selects", parent.Selector), nil
		}
	}
	return "Envoy Gateway measures each Service apart (mergeBackends)", nil
}

func (d *demo) checkPrometheus(ctx context.Context) (string, error) {
	address := d.options.prometheusURL
	if address == "" {
		address = defaultPrometheus
	}
	at, ok := serviceOf(address)
	if !ok {
		return fmt.Sprintf("Prometheus at %s is no Service of this cluster: not checked", address), nil
	}
	unknown := ""
	err := d.await(ctx, awaited{"series of Envoy in Prometheus at " + address, time.Minute, func(ctx context.Context) (string, bool, error) {
		text, err := d.cluster.proxy.CoreV1().Services(at.namespace).
			ProxyGet(at.scheme, at.name, at.port, at.path+"/api/v1/query", map[string]string{"query": "count(envoy_cluster_upstream_rq_total)"}).DoRaw(ctx)
		switch {
		case apierrors.IsForbidden(err):
			unknown = fmt.Sprintf("Prometheus at %s: not checked, because this user may not use the proxy to Services", address)
			return "", true, nil
		case apierrors.IsNotFound(err):
			return "", false, hopeless("there is no Service %s/%s; say where Prometheus is with PROMETHEUS_URL=", at.namespace, at.name)
		case err != nil:
			return "", false, fmt.Errorf("ask Prometheus: %w", err)
		}
		count, err := countIn(text)
		return fmt.Sprintf("%s series of envoy_cluster_upstream_rq_total; let it scrape the Envoy pods, port 19001, /stats/prometheus", count), count != "0", err
	}})
	if err != nil || unknown != "" {
		return unknown, err
	}
	return fmt.Sprintf("Prometheus at %s has series of Envoy", address), nil
}

// serviceAddress is a Service as the API server's proxy wants it.
type serviceAddress struct{ scheme, name, namespace, port, path string }

// serviceOf reads a URL whose host is the name of a Service with its namespace.
func serviceOf(address string) (serviceAddress, bool) {
	u, err := url.Parse(address)
	if err != nil {
		return serviceAddress{}, false
	}
	parts := strings.Split(u.Hostname(), ".")
	if len(parts) < 2 || (len(parts) > 2 && parts[2] != "svc") {
		return serviceAddress{}, false
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return serviceAddress{scheme: u.Scheme, name: parts[0], namespace: parts[1], port: port, path: strings.TrimSuffix(u.Path, "/")}, port != ""
}

// countIn reads the answer of Prometheus to a query for one number; no result is "0".
func countIn(answer []byte) (string, error) {
	var a struct {
		Data struct {
			Result []struct {
				Value []any `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return "", fmt.Errorf("read the answer of Prometheus: %w", err)
	}
	if len(a.Data.Result) == 0 {
		return "0", nil
	}
	if value := a.Data.Result[0].Value; len(value) == 2 {
		if text, ok := value[1].(string); ok {
			return text, nil
		}
	}
	return "", errors.New("read the answer of Prometheus: want one number")
}
