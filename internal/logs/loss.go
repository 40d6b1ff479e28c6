package logs

import "errors"

// A Loss says why entries of a [Writer] did not reach their log group, or stay in
// it for ever. But for LostRoom it is the end of a metric's name, after
// "CloudwatchLogs:". Source: logs sheet 2; metrics sheet 1.7.
type Loss string

// The losses.
const (
	LostGroup     Loss = "LogGroupCreationFailed"
	LostStream    Loss = "LogStreamCreationFailed"
	LostRetention Loss = "PutRetentionPolicyFailed" // the group is there and never expires
	LostWrite     Loss = "PutLogEventsFailed"
	LostRoom      Loss = "Throttled" // the buffer was full
)

// lossError is an error of which it is known what it costs.
type lossError struct {
	loss Loss
	err  error
}

func (e *lossError) Error() string { return e.err.Error() }
func (e *lossError) Unwrap() error { return e.err }

// lossOf is what an error of writing entries costs.
func lossOf(err error) Loss {
	if e, ok := errors.AsType[*lossError](err); ok {
		return e.loss
	}
	return LostWrite
}

// lost tells of entries that were lost.
func (s *Store) lost(group string, of Loss, entries int) {
	if s.cfg.Lost != nil {
		s.cfg.Lost(group, of, entries)
	}
}
