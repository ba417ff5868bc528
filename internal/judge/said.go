package judge

import (
	"fmt"
	"strconv"
)

// What follows writes the judge's numbers the way its sentences do, for who shows them one by one.

// String is "0.52% (26/5,000)".
func (a ArmCount) String() string { return a.words() }

// EvidenceOf is "14.5 of 20".
func EvidenceOf(log, risk float64) string {
	return number(plain(log)) + " of " + number(1/risk)
}

// Progress is how far evidence has come, 0 to 1, on a log scale.
func Progress(log, risk float64) float64 { return progress(log, risk) }

// Points is a difference of shares in points, signed: "+0.42".
func Points(difference float64) string {
	return fmt.Sprintf("%+.2f", 100*difference)
}

// Number is a count or a factor in as many digits as are worth reading.
func Number(v float64) string {
	if v >= 1000 {
		return grouped(v)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}
