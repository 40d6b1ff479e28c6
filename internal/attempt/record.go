package attempt

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// A Record is what is kept of an attempt: a value, safe to pass on. A flood of
// identical refusals is one record with a count.
type Record struct {
	ID      string    // trace ID: a random UUID
	Began   time.Time // of the first attempt of the record
	Last    time.Time // of the latest event of the record: the end, or the latest step of a live attempt
	Ended   time.Time // zero while it is live
	Outcome Outcome   // Live, Passed or Failed
	Code    string    // of the check that refused it; empty without one
	Count   int       // attempts in this record: 1, or more for identical refusals

	Door   Door
	Source netip.AddrPort // the device
	Local  netip.AddrPort // where it connected to

	SNI         string
	ALPNOffered []string
	ALPN        string // chosen
	TLSVersion  string
	Cipher      string

	CertificateID string
	Certificate   []byte // DER form of what the device presented
	Principal     string
	PrincipalARN  string
	Protocol      string
	ClientID      string
	Thing         string
	SDK           string

	Facts   Fields // further facts of the attempt as a whole
	Steps   []Step
	Dropped int // steps and evidence beyond the bounds
}

// clone copies the record with everything in it that may change.
func (r Record) clone() Record {
	r.Steps = slices.Clone(r.Steps) // Evidence is never changed once recorded
	r.Facts = slices.Clone(r.Facts)
	return r
}

// Duration is how long the attempt took, or takes already.
func (r Record) Duration() time.Duration { return r.Last.Sub(r.Began) }

// Has says whether check c was passed.
func (r Record) Has(c *check.Check) bool {
	return slices.ContainsFunc(r.Steps, func(s Step) bool { return s.Check == c && s.Outcome == Passed })
}

// firstFailed returns the step that refused an attempt, nil without one.
func firstFailed(steps []Step) *Step {
	for i := range steps {
		if steps[i].Outcome == Failed {
			return &steps[i]
		}
	}
	return nil
}
