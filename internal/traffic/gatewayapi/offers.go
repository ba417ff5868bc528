package gatewayapi

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"slipway.dev/slipway/internal/traffic"
)

// features are the supportedFeatures of a GatewayClass without which a capability is not offered, if the class says
// anything about its features at all.
var features = map[traffic.Capability]string{
	traffic.MirrorRequests: "HTTPRouteRequestMirror",
	traffic.MirrorPercent:  "HTTPRouteRequestPercentageMirror",
	traffic.RequestTimeout: "HTTPRouteRequestTimeout",
}

// Optional fields of HTTPRoute's schema, which older versions and the Standard channel do not have.
const (
	fieldRetry = "rules.retry"
	fieldName  = "rules.name"
)

// OptionalFields are the fields that Observed.APIs is asked for.
var OptionalFields = []string{fieldRetry, fieldName}

// needsField are the fields of the schema that capabilities are written in.
var needsField = map[traffic.Capability]string{
	traffic.HeaderMatch: fieldName, traffic.CookieMatch: fieldName, traffic.CookieAffinity: fieldName,
	traffic.Retries: fieldRetry, traffic.RetryConnectFailure: fieldRetry, traffic.RetryRefusedStream: fieldRetry, traffic.RetryReset: fieldRetry,
	traffic.RetryStatusCodes: fieldRetry, traffic.RetryAllMethods: fieldRetry, traffic.BackoffBase: fieldRetry,
}

// Offers are what all the data planes that serve the route do. An unknown data plane is refused by its name, and so is a
// route that none serves.
func (Router) Offers(seen traffic.Seen) (traffic.Offer, error) {
	kind := traffic.KindOf(seen.Target)
	does, err := implementationsOf(seen.Controllers, kind.Kind)
	if err != nil {
		return traffic.Offer{}, err
	}
	offer := common(does, kind.Kind)
	if kind.Kind == httpRoute {
		restrict(&offer, seen.Observed, kind)
	}
	for c, why := range cannotSay {
		if offer.Lacks[c] == "" {
			offer.Lacks[c] = why
		}
	}
	return offer, nil
}

func implementationsOf(controllers []string, kind string) ([]implementation, error) {
	weights := string(traffic.WeightedBackends)
	if len(controllers) == 0 {
		return nil, traffic.Unsupported("a route that no data plane serves", weights)
	}
	var unknown, cannot []string
	var out []implementation
	for _, controller := range controllers {
		does, known := implementations[controller]
		switch _, serves := does.routes[kind]; {
		case !known:
			unknown = append(unknown, fmt.Sprintf("%q", controller))
		case !serves:
			cannot = append(cannot, does.name)
		}
		out = append(out, does)
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, traffic.Unsupported("unknown data plane "+strings.Join(unknown, ", "), weights)
	}
	if len(cannot) > 0 {
		return nil, traffic.Unsupported(fmt.Sprintf("%s for a %s", strings.Join(cannot, ", "), kind), weights)
	}
	return out, nil
}

// common is what all of them do.
func common(does []implementation, kind string) traffic.Offer {
	out := traffic.Offer{Lacks: map[traffic.Capability]string{}}
	var names []string
	for i, impl := range does {
		able := all([]traffic.Capability{traffic.SplitOfRule, traffic.WeightedBackends}, impl.routes[kind])
		if i == 0 {
			out.Capabilities = able
		}
		out.Capabilities = slices.DeleteFunc(out.Capabilities, func(c traffic.Capability) bool { return !slices.Contains(able, c) })
		for c, why := range impl.lacks {
			if out.Lacks[c] == "" {
				out.Lacks[c] = impl.name + ": " + why
			}
		}
		out.Adds = append(out.Adds, impl.adds...)
		if impl.parts > 0 && (out.Parts == 0 || impl.parts < out.Parts) {
			out.Parts = impl.parts
		}
		if !slices.Contains(names, impl.name) {
			names = append(names, impl.name)
		}
	}
	out.Plane = kind + " on " + strings.Join(names, " and ")
	return out
}

// restrict takes away what the installed CRD would drop and what the GatewayClass says it does not do.
func restrict(offer *traffic.Offer, observed traffic.Observed, kind schema.GroupKind) {
	offer.Capabilities = slices.DeleteFunc(offer.Capabilities, func(c traffic.Capability) bool {
		if field := needsField[c]; field != "" && !observed.Has(kind, field) {
			offer.Lacks[c] = lacksField(field, observed.APIs[traffic.APIName(kind)])
			return true
		}
		if feature := features[c]; feature != "" && observed.Features != nil && !slices.Contains(observed.Features, feature) {
			offer.Lacks[c] = "its GatewayClass does not list " + feature + " among its supportedFeatures"
			return true
		}
		return false
	})
}

func lacksField(field string, api traffic.API) string {
	installed := "the installed Gateway API"
	if api.Bundle != "" {
		installed += fmt.Sprintf(" (%s, channel %s)", api.Bundle, api.Channel)
	}
	if field == fieldRetry {
		return installed + " would drop a rule's retry without a word; install 1.7 or later, or the experimental channel"
	}
	return installed + " would drop a rule's name without a word; install 1.4 or later"
}
