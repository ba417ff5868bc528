package e2e

// people are scenarios of what people do to a release, or to a Deployment that is held.
var people = []scenario{
	{"kubectl-rollout-on-a-free-deployment", kubectlOnAFreeDeployment},
	{"verbs-of-people", verbsOfPeople},
	{"rejected-stays-rejected", rejectedStaysRejected},
	{"scaled-through-zero-while-held", scaledThroughZeroWhileHeld},
	{"canary-refused-by-a-quota", canaryRefusedByAQuota},
	{"kubectl-rollout-while-held", kubectlWhileHeld},
	{"refused-with-what-to-do", refusedWithWhatToDo},
	{"first-rollout-crash-loops", firstRolloutCrashLoops},
}
