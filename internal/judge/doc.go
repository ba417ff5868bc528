// Package judge turns request counts of a canary and a stable arm into evidence that may be looked at
// any number of times: evidence of harm, which rolls a release back, and evidence of health, which lets
// it go on. The method, its guards and its limits are in docs/judging-method.md; each formula here names
// its section there.
//
// The package decides and does nothing else. It must not read a clock, a network, a file or the
// environment, must not log, must not keep anything outside State, and must not import anything but the
// standard library: the same looks always give the same evidence, bit for bit, also when the state was
// written down and read back in between.
package judge
