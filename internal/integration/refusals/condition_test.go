package refusals

import (
	"testing"

	"slipway.dev/slipway/internal/integration/apiserver"
)

// TestConditionsNameTheFieldAndSayWhatToDo is what only the cluster can know. Changes are merge patches for the shop's
// objects; the message is the whole of it, but for what … stands for.
func TestConditionsNameTheFieldAndSayWhatToDo(t *testing.T) {
	for _, object := range decode(t, classes) {
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	server.Start(t, "", apiserver.Traffic, apiserver.Releases)
	for name, test := range map[string]struct {
		changes       string
		release       string // empty: shop
		reason, wants string
	}{
		"the Service does not exist": {
			changes: `{kind: CanaryRelease, metadata: {name: shop}, spec: {serviceRef: {name: nowhere}}}`,
			reason:  "ServiceNotFound", wants: `spec.serviceRef: there is no Service "nowhere" in this namespace; correct the name or create it`,
		},
		"the Service selects other pods": {
			changes: `{kind: Service, metadata: {name: shop}, spec: {selector: {app: desk}}}`,
			reason:  "ServiceSelectsNothing",
			wants:   `spec.selector of Service "shop" (app=desk) does not select the pods of Deployment "shop" (app=shop,tier=web); correct the selector or serviceRef`,
		},
		"the Service has no selector": {
			changes: `{kind: Service, metadata: {name: shop}, spec: {selector: null}}`,
			reason:  "ServiceSelectsNothing",
			wants:   `Service "shop" selects no pods by spec.selector; set serviceRef to the Service that selects the pods of Deployment "shop"`,
		},
		"no label of the selector can be changed": {
			changes: `{kind: Service, metadata: {name: shop}, spec: {selector: {app: null, tier: web}}}`,
			reason:  "NoCanaryLabel", wants: `no label tells the canary from stable: the selector of Service "shop" and spec.selector.matchLabels of Deployment "shop" have no label with one value in common; add to the Service's selector a label that the Deployment's matchLabels have`,
		},
		"the label that is named cannot be changed": {
			changes: `{kind: CanaryRelease, metadata: {name: shop}, spec: {canary: {label: tier}}}`,
			reason:  "NoCanaryLabel", wants: `no label tells the canary from stable: canary.label "tier" is not, with one value, in the selector of Service "shop" and in spec.selector.matchLabels of Deployment "shop"; choose one of: app`,
		},
		"the label's value has no room for -canary": {
			changes: `{kind: Deployment, metadata: {name: shop}, spec: {selector: {matchLabels: {app: ` + long(57) + `}}, template: {metadata: {labels: {app: ` + long(57) + `}}}}}
---
{kind: Service, metadata: {name: shop}, spec: {selector: {app: ` + long(57) + `}}}`,
			reason: "NameTooLong", wants: `label "app" of Deployment "shop" has the value "` + long(57) + `", and with "-canary" at its end that is no label value of at most 63 characters; set canary.label to another label that is in the Service's selector and in matchLabels`,
		},
		"the route does not exist": {
			changes: `{kind: CanaryRelease, metadata: {name: shop}, spec: {routeRefs: [{name: nowhere}]}}`,
			reason:  "RouteNotFound", wants: `spec.routeRefs[0]: there is no HTTPRoute "nowhere" in this namespace; correct the name or create it`,
		},
		"the route does not send to the Service": {
			changes: `{kind: HTTPRoute, metadata: {name: shop}, spec: {rules: [{backendRefs: [{name: desk, port: 80}]}]}}`,
			reason:  "RouteNotFound", wants: `spec.routeRefs[0]: no rule of HTTPRoute "shop" sends to Service "shop"; name it in backendRefs or correct spec.serviceRef`,
		},
		"the rule does not send to the Service": {
			changes: `{kind: CanaryRelease, metadata: {name: shop}, spec: {routeRefs: [{name: shop, sectionName: help}]}}`,
			reason:  "RouteNotFound",
			wants:   `spec.routeRefs[0]: rule "help" of HTTPRoute "shop" does not send to Service "shop"; name the Service in its backendRefs or correct sectionName`,
		},
		"the route's implementation does not divide traffic": {
			changes: `{kind: Gateway, metadata: {name: gateway}, spec: {gatewayClassName: unknown}}`,
			reason:  "UnsupportedByDataPlane", wants: `spec.routeRefs[0]: HTTPRoute "shop": … "example.net/even-shares" does not support WeightedBackends…; give it a Gateway of a data plane that does`,
		},
		"no data plane serves the route": {
			changes: `{kind: HTTPRoute, metadata: {name: shop}, spec: {parentRefs: [{name: nowhere}]}}`,
			reason:  "UnsupportedByDataPlane", wants: `spec.routeRefs[0]: no data plane serves HTTPRoute "shop": no Gateway of its parentRefs has a GatewayClass with a controller; correct parentRefs, or create the Gateway`,
		},
		"the Prometheus is not configured": {
			changes: `{kind: CanaryRelease, metadata: {name: shop}, spec: {analysis: {prometheus: mine}}}`,
			reason:  "PrometheusNotConfigured", wants: `spec.analysis.prometheus: "mine" is not an endpoint of the operator's configuration, which has: default; name one of them, or have it added there`,
		},
		"the selector of a metric cannot be read": {
			changes: `{kind: CanaryRelease, metadata: {name: shop}, spec: {analysis: {metrics: [{name: paid, counts: {bad: 'rate(paid_total[1m])', total: paid_total}}]}}}`,
			reason:  "Refused", wants: `spec.analysis.metrics[0] (paid): counts.bad: read selector "rate(paid_total[1m])": "(paid_total[1m])" is too much: give a metric and its labels, such as metric{label="value"}, without functions, ranges or operators`,
		},
		"another release has the Deployment": {
			changes: `
apiVersion: slipway.dev/v1alpha1
kind: CanaryRelease
metadata: {name: shop-two}
spec: {targetRef: {name: shop}, serviceRef: {name: shop}, routeRefs: [{name: shop}], steps: [{weightPercent: 10}]}`,
			release: "shop-two",
			reason:  "TargetConflict", wants: `spec.targetRef: CanaryRelease "shop" is older and already releases Deployment "shop"; delete one of the two or name another Deployment`,
		},
		"the TrafficSplit is somebody else's": {
			changes: `
apiVersion: slipway.dev/v1alpha1
kind: TrafficSplit
metadata: {name: shop}
spec: {serviceRef: {name: desk}, routeRefs: [{name: shop}], backends: [{name: desk, weight: 1}]}`,
			reason: "RouteConflict", wants: `there is a TrafficSplit "shop" that does not belong to CanaryRelease "shop", which needs the name; rename or delete it`,
		},
		"the canary's name is taken": {
			changes: `
apiVersion: v1
kind: Service
metadata: {name: shop-canary}
spec: {ports: [{port: 80}]}`,
			reason: "NameTaken", wants: `there is a Service "shop-canary" that does not belong to CanaryRelease "shop", which needs the name; rename or delete it`,
		},
		"the API server refuses the canary": {
			changes: `
apiVersion: v1
kind: ResourceQuota
metadata: {name: few}
spec: {hard: {count/deployments.apps: "1"}}
status: {hard: {count/deployments.apps: "1"}, used: {count/deployments.apps: "1"}}`,
			reason: "Refused", wants: `spec.template of Deployment "shop": the API server does not take it as canary "shop-canary": deployments.apps "shop-canary" is forbidden: exceeded quota: few, requested: count/deployments.apps=1, used: count/deployments.apps=1, limited: count/deployments.apps=1; correct the template, or what stands against it`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, test.changes)
			s.push()
			if test.release == "" {
				test.release = "shop"
			}
			s.wantRefused(test.release, test.reason, test.wants)
		})
	}
}

func long(n int) string {
	text := ""
	for range n {
		text += "x"
	}
	return text
}
