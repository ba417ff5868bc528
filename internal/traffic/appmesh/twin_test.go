package appmesh

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/traffic"
)

var twin = traffic.Twin{Stable: "checkout", Canary: "checkout-canary", Label: "app", CanaryLabels: map[string]string{"app": "checkout-canary"}}

const ownNode = "{awsName: n, podSelector: {matchLabels: {app: checkout, team: a}}, listeners: [{portMapping: {port: 80, protocol: http}}], serviceDiscovery: {dns: {hostname: checkout.shop.svc.cluster.local}}}"

func TestCopies(t *testing.T) {
	canary := "{podSelector: {matchLabels: {app: checkout-canary, team: a}}, listeners: [{portMapping: {port: 80, protocol: http}}], serviceDiscovery: {dns: {hostname: checkout-canary.shop.svc.cluster.local}}}"
	for name, tc := range map[string]struct {
		objects     []string
		want        string
		wantRefused bool
	}{
		"the node of the Service":       {[]string{meshed("VirtualNode", "any", ownNode)}, canary, false},
		"what the user says themselves": {[]string{meshed("VirtualNode", "any", ownNode), node("checkout-canary", "http")}, "", false},
		"no node":                       {nil, "", false},
		"a node that selects all":       {[]string{meshed("VirtualNode", "checkout", "{podSelector: {matchLabels: {team: a}}, serviceDiscovery: {dns: {hostname: checkout.shop}}}")}, "", true},
		"a node of Cloud Map":           {[]string{meshed("VirtualNode", "checkout", "{podSelector: {matchLabels: {app: checkout}}, serviceDiscovery: {awsCloudMap: {serviceName: s}}}")}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Copies(seenOf(t, tc.objects...), twin)
			if (err != nil) != tc.wantRefused {
				t.Fatalf("err = %v", err)
			}
			if err != nil || tc.want == "" {
				if err == nil && len(got) > 0 {
					t.Errorf("copies are %v", got)
				}
				return
			}
			if len(got) != 1 || got[0].GetName() != "checkout-canary" {
				t.Fatalf("copies are %v", got)
			}
			if diff := cmp.Diff(object(t, meshed("VirtualNode", "x", tc.want)).Object["spec"], got[0].Object["spec"]); diff != "" {
				t.Errorf("spec (-want +got):\n%s", diff)
			}
		})
	}
}
