// Package consul is the dialect of Consul's mesh: Envoy's counters in the proxies of callers, under the labels that Consul's
// bootstrap makes of a cluster's name.
package consul

import (
	"errors"

	"slipway.dev/slipway/internal/telemetry"
	"slipway.dev/slipway/internal/telemetry/envoy"
)

// Dialect makes queries for Consul. Namespace is Consul's own, which is not Kubernetes'; empty means default.
type Dialect struct{ Namespace string }

var _ telemetry.Plane = Dialect{}

const (
	namespaceLabel = "consul_destination_namespace"
	subsetLabel    = "consul_destination_service_subset"
	serviceLabel   = "consul_destination_service"
)

// derived are the other labels that Consul makes of a cluster's name, those from before 1.9 too.
var derived = []string{
	"consul_destination_custom_hash", "consul_destination_datacenter", "consul_destination_routing_type", "consul_destination_trust_domain",
	"consul_destination_target", "consul_destination_full_target", "consul_destination_partition",
	"consul_custom_hash", "consul_service_subset", "consul_service", "consul_namespace", "consul_datacenter", "consul_routing_type",
	"consul_trust_domain", "consul_target", "consul_full_target",
}

// Facts are what the proxies of callers count.
func (Dialect) Facts() telemetry.Facts {
	return telemetry.Facts{
		Plane: "Consul", Counted: envoy.Counted(), Arms: []string{namespaceLabel, subsetLabel, serviceLabel},
		RetriesStay: true, Mirrors: telemetry.MirrorsNever, Unreachable: true,
		Caveat: "the proxies of callers and gateways must be scraped (envoy_prometheus_bind_addr), with Consul's own stats_tags; a service's own proxy " +
			"counts its local application under another cluster, which is not counted",
		Sources: append(envoy.Sources(), "hashicorp/consul command/connect/envoy/bootstrap_config.go (resourceTagSpecifiers)"),
	}
}

// Names are <namespace>/<subset>/<service>, with an empty subset for none.
func (d Dialect) Names(b telemetry.Backend) ([]string, error) {
	if b.Service == "" {
		return nil, errors.New("name a backend for Consul: the service must be known")
	}
	namespace := d.Namespace
	if namespace == "" {
		namespace = "default"
	}
	return []string{namespace + "/" + b.Subset + "/" + b.Service}, nil
}

// Query returns the query for a signal.
func (d Dialect) Query(a telemetry.Ask) (telemetry.Query, error) {
	tags := envoy.Tags{Cluster: []string{namespaceLabel, subsetLabel, serviceLabel}, Derived: derived}
	return envoy.Plane{Facts: d.Facts(), Tags: tags}.Query(a)
}
