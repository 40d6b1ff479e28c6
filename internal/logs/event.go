package logs

import "errors"

// An Event is one log event as it is written.
type Event struct {
	Time    int64  // the event's own time, epoch milliseconds
	Message string // UTF-8 text, often one JSON object; at most MaxMessage bytes
}

// Limits of what is written. Source: logs sheet 4.2, PutLogEvents.
const (
	MaxMessage = 1 << 20 // bytes of one message
	MaxBatch   = 10_000  // events of one Put
)

// Errors that callers tell apart.
var (
	ErrNoGroup      = errors.New("the log group does not exist")
	ErrNoStream     = errors.New("the log stream does not exist")
	ErrGroupExists  = errors.New("the log group exists already")
	ErrStreamExists = errors.New("the log stream exists already")
	ErrName         = errors.New("the name of the log group or stream is not valid")
	ErrTooLarge     = errors.New("the batch or one of its messages is too large")
	ErrClosed       = errors.New("the log store is closed")
)
