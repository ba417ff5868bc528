// Package contracttest is the test that every translator passes. A translator's own test calls Run with its cases, and
// Teeth, which breaks the translator in known ways and wants Run to find each.
//
// The cases are files in a folder: <Capability>.in.yaml for each capability that the translator declares, and as many
// others as it likes, each with what should come out in <name>.out.yaml (written anew with -update). A case is what people
// write and what is in their cluster:
//
//	policies: [TrafficSplits and RetryPolicies]
//	draws: {<split>: [the shares that users were drawn by before, for affinity]}
//	target: the route or Service
//	objects: [what is there beside it]
//	elsewhere: [what is there in the namespaces of its parents]
//	observed: {controllers: [...], features: [...], apis: {...}}
package contracttest
