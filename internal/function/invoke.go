package function

import (
	"context"
	"time"
)

// An Invoker runs a function once and waits for what it answers. [*Service]
// runs it on this machine, [*Remote] at another Lambda endpoint.
type Invoker interface {
	// Invoke answers what came of the invocation, a refusal included. The error
	// is for broken machinery, and for a ctx that ended.
	Invoke(ctx context.Context, req Request) (Result, error)
}

// A Request is one invocation.
type Request struct {
	FunctionARN   string // name, partial ARN (account:function:name) or ARN; each may end in a :version or :alias
	Qualifier     string // version or alias, where FunctionARN has none; empty: $LATEST
	Payload       []byte // JSON; at most 6 MiB
	Caller        Caller // the zero Caller is the account's owner, who may invoke everything
	Limit         time.Duration
	ClientContext []byte // JSON, for the handler's context object; may be nil
	Tail          bool   // Result.Log is wanted
}

// A Caller is an AWS service that acts for a resource; the function's resource
// policy must let it invoke (custom-auth sheet 14).
type Caller struct {
	Service       string // "iot.amazonaws.com"
	SourceARN     string // of the authorizer
	SourceAccount string // 12 digits
}

// An Outcome says what came of an invocation.
type Outcome string

// Outcomes. Those down to ResponseTooLarge ran the function's code and count as
// invocations, those that follow did not.
const (
	Succeeded        Outcome = "succeeded"        // Payload is what the handler returned
	HandlerFailed    Outcome = "handlerFailed"    // an exception, or a rejection; Payload is the runtime's error JSON
	TimedOut         Outcome = "timedOut"         // the function's timeout or Request.Limit, whichever came first
	OutOfMemory      Outcome = "outOfMemory"      // the process was ended above its memory size
	Exited           Outcome = "exited"           // the process ended before it answered
	InitFailed       Outcome = "initFailed"       // the handler could not be loaded; Payload says why
	ResponseTooLarge Outcome = "responseTooLarge" // more than 6 MB
	Throttled        Outcome = "throttled"        // all of the function's, or of the machine's, places were taken
	NotFound         Outcome = "notFound"         // no such function, version or alias
	PermissionDenied Outcome = "permissionDenied" // Permission says why
	NotRunnable      Outcome = "notRunnable"      // no interpreter or no sandbox on this machine; Message names it
	Unreachable      Outcome = "unreachable"      // --lambda-endpoint did not answer as Lambda does; Message says what it did
)

// Ran reports whether the function's code was run (metrics: Invocations).
func (o Outcome) Ran() bool {
	switch o {
	case Throttled, NotFound, PermissionDenied, NotRunnable, Unreachable, "":
		return false
	default:
		return true
	}
}

// A Result is what came of an invocation.
type Result struct {
	Outcome   Outcome
	RequestID string // UUID, as in the function's log
	Payload   []byte // as Lambda answers it, also for function errors (custom-auth sheet 15); nil where nothing ran

	FunctionARN     string // resolved and unqualified; empty when not found
	ExecutedVersion string // "$LATEST" or a number

	ErrorType    string // "TypeError", "Sandbox.Timedout", "Runtime.ExitError"; empty on success
	ErrorMessage string // of the error JSON
	Message      string // for people: one sentence on an Outcome that is not Succeeded

	Duration time.Duration // from the handler's dispatch to its answer
	Init     time.Duration // start of the process before it; 0 when it was warm
	Waited   time.Duration // from the call of Invoke to the dispatch, Init included
	Limit    time.Duration // the limit that applied when TimedOut

	Log       []byte // the last 4 KiB of the invocation's log, framing lines included
	LogGroup  string // "/aws/lambda/name"
	LogStream string // "2026/11/21/[$LATEST]0f…"; empty when no process was used

	Permission  Permission // set when a service was the caller
	Concurrency Concurrency
}

// FunctionError is the value of the header X-Amz-Function-Error: "Unhandled", or
// "" when the outcome is not the function's fault.
func (r *Result) FunctionError() string {
	if r.Outcome.Ran() && r.Outcome != Succeeded {
		return "Unhandled"
	}
	return ""
}

// Concurrency is the evidence of a throttled invocation.
type Concurrency struct {
	Scope string // "function" or "machine": whose limit was reached; empty when not throttled
	InUse int
	Limit int
}
