package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// version is a version of the shop: its name, and what it is like.
type version struct {
	name  string
	env   map[string]string
	image string // empty: the shop's
}

func good(name string) version { return version{name: name} }

func failing(name, percent string) version {
	return version{name: name, env: map[string]string{"ERROR_PERCENT": percent}}
}

// The manifests are what a user has in Git. Nothing in them knows of Slipway.
const deploymentManifest = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  replicas: 3
  progressDeadlineSeconds: 30
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata:
      labels: {app: %[1]s}
      annotations: {prometheus.io/scrape: "true", prometheus.io/port: "8080"}
    spec:
      terminationGracePeriodSeconds: 15
      containers:
      - name: shop
        image: %[2]s
        imagePullPolicy: Never
        args: [serve]
        env: %[3]s
        ports: [{name: http, containerPort: 8080}]
        # Longer than a crashing version takes to crash, so that it is never ready.
        readinessProbe: {httpGet: {path: /healthz, port: http}, initialDelaySeconds: 2, periodSeconds: 1}
        # Enough of a busy machine to answer what it is sent, few enough for all scenarios to have room.
        resources: {requests: {cpu: 15m, memory: 16Mi}}
`

const serviceManifest = `
apiVersion: v1
kind: Service
metadata: {name: %[1]s, labels: {app: %[1]s}}
spec:
  selector: {app: %[1]s}
  ports: [{name: http, port: 80, targetPort: http}]
`

const routeManifest = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, annotations: {example.com/team: shop}}
spec:
  parentRefs: [{name: %[1]s, namespace: gateway-system}]
  hostnames: [%[2]q]
  rules: %[3]s
`

const plainRules = `[{backendRefs: [{name: shop, port: 80}]}]`

func deployment(name string, v version) *unstructured.Unstructured {
	image := v.image
	if image == "" {
		image = "localhost/shop:dev"
	}
	env := []string{fmt.Sprintf("{name: VERSION, value: %q}", v.name)}
	for _, key := range slices.Sorted(maps.Keys(v.env)) {
		env = append(env, fmt.Sprintf("{name: %s, value: %q}", key, v.env[key]))
	}
	return parse(fmt.Sprintf(deploymentManifest, name, image, "["+strings.Join(env, ", ")+"]"))
}

// placed is a Deployment that names its namespace, for what knows none otherwise.
func (s *scene) placed(name string, v version) *unstructured.Unstructured {
	d := deployment(name, v)
	d.SetNamespace(s.namespace)
	return d
}

func service(name string) *unstructured.Unstructured {
	return parse(fmt.Sprintf(serviceManifest, name))
}

func (s *scene) route(rules string) *unstructured.Unstructured {
	return parse(fmt.Sprintf(routeManifest, s.gateway, s.host, rules))
}

// parse reads a manifest of this package; one that cannot be read is a mistake in it.
func parse(manifest string) *unstructured.Unstructured {
	text, err := yaml.YAMLToJSON([]byte(manifest))
	if err != nil {
		panic(fmt.Sprintf("manifest: %v in\n%s", err, manifest))
	}
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal(text, u); err != nil {
		panic(fmt.Sprintf("manifest: %v in\n%s", err, manifest))
	}
	return u
}
