// Package traffic is the contract between what Slipway wants of a route and the translators that say it in the words of
// one data plane. It is pure: no client, no clock, no log, no network. Objects and facts come in, objects and verdicts go
// out.
//
//	TrafficSplits ─┐
//	               ├─ Compose ─▶ one Intent for each target ─ Router.Render ─▶ Rendering ─ the shell writes it
//	RetryPolicies ─┘
//
// # How to write a translator
//
// A translator is a package internal/traffic/<x> with a type that is a Router. It imports no client, and of the others only
// gatewayapi, if its routes are Gateway API's: gatewayapi.HTTPRoute{}.Render does shares, matches, mirrors and affinity there,
// gatewayapi.Refusal finds what stands in their way; envoygateway shows how to build on it. Where annotations of such a route
// are wanted, too: kept.Patch(HTTPRoute.Render(kept.Own(live), splits), retries, change). internal/traffic/contracttest has a whole one in toy_test.go: begin with a copy of that.
//
//   - A target is what users name: a route, a VirtualService, or for a mesh the Service. An Intent is everything that is
//     wanted of it, by all splits and policies. Say whole states: Render starts from what the user wrote, never from what
//     was rendered before.
//   - Objects of users that are changed are Patched. For all but HTTPRoutes, whose record an admission policy reads, use
//     kept.Patch: it gives your function the user's own object, writes down what you changed in an annotation, and gives
//     the user's object back with the edits that they made meanwhile. Change only what you must, put what is yours behind
//     what is theirs, and copy fields that you do not know together with what you copy.
//   - Objects that are Slipway's own are Generated, with Generate. Where a user has an object of the kind for the same
//     thing (a VirtualService for the host), patch that; where a name is taken by something unrelated, return what Free
//     returns. Which kinds you want to see is in Reads: name everything that could stand in the way, too.
//   - Capabilities are what the API can say; Offers is what this cluster's data plane does of it, by its version, and what
//     it can divide (Parts). Lacks says why not and what to do instead. Render begins with Require, which refuses the rest
//     by name. What only shows in the objects (somebody's policy on a rule, a user's own retries, a host that two kinds of
//     objects claim) is a RefusedError, whose message names the field, the data plane and the way out. Never leave a part
//     of an intent out silently.
//   - Numbers mean the same everywhere. Retries are tries after the first. PerTry never shortens Request. Weights are
//     proportions, not percent: use Parts where the plane wants a fixed sum, and never write all zeros. Durations are
//     written by FormatDuration, or FormatMillis for readers that take one unit. Cookies are matched by CookieExpression
//     where there is only the header. A split whose Backends have one positive weight sends everything there.
//   - Dormant rules are there and take no request, so that the data plane knows what they need first and last. gatewayapi gives
//     them a condition that nobody meets. Where rules come and go without harm, leave them out, and say so in Carried.
//   - What a plane retries beside what it is asked to is in Offer.Adds. Require refuses what could run a request twice
//     unasked; the rest is said in the policy's status.
//   - Affinity comes computed: Set-Cookie for each of Set, and a rule for each of Known, before the weights and behind
//     Matches. Mirror copies what matches send elsewhere, too.
//   - Applied begins with Written and goes on with what the data plane says: its status for the newest generation, ready
//     endpoints, the settle time. Carried is what annotations say.
//   - Traffic of a split for one rule is SplitOfRule; if the API has no rules with names, do not declare it.
//
// The test of a translator is a few lines: contracttest.Run with a folder of cases, one for each capability and one for
// each thing that could go wrong, and contracttest.Teeth. Write what comes out with `go test -run <Test> -update`, and read
// it. A case that must be refused is a table test beside it. Then it goes into the registry in internal/cli, the kinds that
// it writes into the RBAC markers of controllers, and what it does into docs/support-matrix.md.
package traffic
