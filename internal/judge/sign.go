package judge

import "math"

// SignEvidence is the evidence that blocks are worse more often than not, for gauges and scalar queries: the uniform
// mixture over (½, 1) of the sign test (judging-method section 7, after Howard et al. 2021).
func SignEvidence(worse, notWorse int) float64 {
	return math.Exp(logSign(float64(worse), float64(notWorse)))
}

// logSign is log of 2^{S+F+1}·B(S+1, F+1)·(1 − I_½(S+1, F+1)).
func logSign(s, f float64) float64 {
	above := incompleteBeta(.5, f+1, s+1) // 1 − I_½(S+1, F+1), by symmetry
	return (s+f+1)*math.Ln2 + logBeta(s+1, f+1) + math.Log(above)
}
