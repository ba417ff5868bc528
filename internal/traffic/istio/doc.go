// Package istio translates intents for Istio: VirtualServices for weights, matches, mirrors, affinity, retries and timeouts,
// DestinationRules for retry budgets. Where Istio serves Gateway API's routes, package gatewayapi translates them; what has
// to be so of a mesh before either can work is checked here. It is pure.
//
// What of Istio shapes it:
//
//   - Rules of a VirtualService are tried in their order. Derived rules stand right before the rule that they come from.
//   - A rule without retries is retried twice. One that has them retries what retryOn says and nothing else.
//   - Weights need no sum. A destination without a weight has 1 where it is alone, and none where it is not.
//   - Hosts without a dot are Services of the VirtualService's namespace; hosts with one are taken as they are.
//   - Of two VirtualServices for one host in the mesh, or one and a Gateway API route, one is ignored without a word.
//   - Of DestinationRules only the most specific for a host counts. One for the Service alone replaces one with a wildcard;
//     settings of a port replace those of the whole; of two for one host, the policy of the older one counts.
//   - Istio does not say which proxies have a VirtualService, and writes no status of it unless that is switched on.
package istio
