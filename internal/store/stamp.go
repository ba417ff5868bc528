package store

import (
	"fmt"
	"strconv"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// Stamp is the identity of the record that a write follows from. An object carries the stamp of the last record that
// was projected onto it, so that a late writer with an older record is found out.
type Stamp struct {
	UID      string
	Sequence int64
}

// String is the stamp as an annotation's value: <uid>/<sequence>.
func (s Stamp) String() string { return s.UID + "/" + strconv.FormatInt(s.Sequence, 10) }

// ParseStamp reads an annotation's value. Anything that is not a stamp is an error, never a low sequence.
func ParseStamp(text string) (Stamp, error) {
	uid, sequence, ok := strings.Cut(text, "/")
	if !ok || uid == "" {
		return Stamp{}, fmt.Errorf("parse stamp %q: want <uid>/<sequence>", text)
	}
	n, err := strconv.ParseInt(sequence, 10, 64)
	if err != nil || n < 0 {
		return Stamp{}, fmt.Errorf("parse stamp %q: sequence must be a whole number of at least 0", text)
	}
	return Stamp{UID: uid, Sequence: n}, nil
}

// overtakenBy says whether what is on the object comes from a later record of the same object than s.
func (s Stamp) overtakenBy(live client.Object) bool {
	text, ok := live.GetAnnotations()[v1alpha1.StampAnnotation]
	if !ok {
		return false
	}
	on, err := ParseStamp(text)
	return err == nil && on.UID == s.UID && on.Sequence > s.Sequence
}
