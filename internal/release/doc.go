// Package release is the state machine of a canary release: facts in, decision out.
//
// It must not read a clock, a network, a cluster or the environment, and must not log: the time is part of the
// Observation, and everything that it has to say is in the Decision. The same inputs give the same decision.
//
//	      held change          route had           twin ready          applied           evidence, last step, or a person
//	Idle ──▶ Checking ──▶ Preparing ──▶ Shifting ──▶ Judging ──▶ PromotionPreparing ──▶ PromotionEntering ──▶ PromotionRolling
//	 │                        ▲                         │              way back made          way back applied        │
//	 │ let through            └── evidence, more steps ─┘                                                             │ rolled out
//	 ▼                                                                                                                ▼
//	LettingThrough ──▶ Idle                                                                    Idle ◀── PromotionFinishing
//
//	harm, abort, newer change, withdrawn, record lost: any of Preparing to PromotionEntering ──▶ RollingBack
//	RollingBack ──▶ RolledBack (rejected) | Idle (anything else, which goes on with what is held then)
//	harm, abort, newer change, withdrawn: PromotionRolling ──▶ Evacuating ──▶ PuttingBack ──▶ Returning ──▶ Reholding ──▶ as RollingBack
//	PromotionRolling with too few old pods, harm in PromotionFinishing ──▶ PuttingBack
//	Idle, LettingThrough and RolledBack with a change held over a half-rolled Deployment ──▶ PuttingBack
//
// Deleting leaves every stage. Refused is Checking with a reason.
package release
