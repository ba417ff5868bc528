// Package release is the state machine of a canary release: facts in, decision out.
//
// It must not read a clock, a network, a cluster or the environment, and must not log: the time is part of the
// Observation, and everything that it has to say is in the Decision. The same inputs give the same decision.
//
//	          held change            twin ready             applied              evidence, last step
//	Idle ──▶ Checking ──▶ Preparing ──▶ Shifting ──▶ Judging ──▶ PromotionEntering ──▶ PromotionRolling ──▶ PromotionFinishing ──▶ Idle
//	 │                        ▲                         │                                   │
//	 │ let through            └──── evidence, more steps┘                                   │ harm, newer change
//	 ▼                                                                                      ▼
//	LettingThrough ──▶ Idle          any of them: harm, newer change, withdrawn          Evacuating ──▶ PuttingBack ──▶ Returning ──▶ Reholding
//	                                          │                                                                                         │
//	                                          ▼                                                                                         ▼
//	                                     RollingBack ──▶ RolledBack (rejected) | Checking (newer) | LettingThrough (withdrawn)      as RollingBack
//
// Deleting leaves every stage. Refused is Checking with a reason.
package release
