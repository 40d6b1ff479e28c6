package symptom

import (
	"slices"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// Narrow returns d with what a gateway recorded in front: the check on which one of its
// recent attempts, the latest first, failed. An attempt counts if its check is
// one of the candidates, or if it is of the client ID that the text names.
func (d Diagnosis) Narrow(recent []attempt.Summary) Diagnosis {
	for _, a := range recent {
		c, ok := check.Lookup(a.Code)
		if !ok || !d.Known {
			continue
		}
		i := slices.IndexFunc(d.Candidates, func(c Candidate) bool { return c.Code == a.Code })
		if i < 0 && (d.Evidence.ClientID == "" || d.Evidence.ClientID != a.ClientID) {
			continue
		}
		fix, missing := c.FixWith(d.Evidence.values())
		front := Candidate{Code: c.Code, Stage: c.Stage.String(), Title: c.Title, Score: 99, Advice: d.Evidence.advice(c), Fix: fix, Missing: missing, Source: c.Source}
		if i >= 0 {
			front = d.Candidates[i]
			d.Candidates = slices.Delete(slices.Clone(d.Candidates), i, i+1)
			front.Score = 99
		}
		front.Attempt = a.ID
		front.Why = append([]string{"the gateway recorded an attempt that failed on it"}, front.Why...)
		d.Candidates = slices.Insert(d.Candidates, 0, front)
		break
	}
	return d
}
