package api

import (
	"errors"
	"fmt"
	"net/http"
)

// Error is a failure that the caller of an AWS API sees.
type Error struct {
	Code        string // exception shape of the service model: "ResourceNotFoundException"
	Status      int    // HTTP status of that shape
	Message     string // one sentence that names the resource; nothing internal
	ResourceARN string // member resourceArn, of those exceptions that have it
	ResourceID  string // member resourceId, likewise
	Members     string // further members of the body, as JSON without braces: `"queryCompileError":{...}`
	Reason      string // member Reason, likewise
	cause       error  // for our log only; may be nil
}

// Errorf returns an Error; the generated packages wrap it, a function for each exception.
func Errorf(code string, status int, format string, args ...any) *Error {
	return &Error{Code: code, Status: status, Message: fmt.Sprintf(format, args...)}
}

// WithResource returns e with the members resourceArn and resourceId set.
func (e *Error) WithResource(arn, id string) *Error {
	e.ResourceARN, e.ResourceID = arn, id
	return e
}

// WithMembers returns e with further members of the body, as JSON without braces.
func (e *Error) WithMembers(members string) *Error {
	e.Members = members
	return e
}

// WithCause returns e with an error that only our own log shows.
func (e *Error) WithCause(err error) *Error {
	e.cause = err
	return e
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }
func (e *Error) Unwrap() error { return e.cause }

// NotImplemented is the answer of an operation that has no handler yet. Clients
// do not repeat a 501. Source: api sheet 4.6.
func NotImplemented(service, version, operation string) *Error {
	return Errorf("NotImplementedException", http.StatusNotImplemented,
		"Gatehouse does not implement the operation %s of %s (version %s) yet.", operation, service, version)
}

// From turns any error into what the client may see. An unknown error loses its
// text: that is for the operator, who finds it in the log.
func From(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return Errorf("InternalFailureException", http.StatusInternalServerError, "An unexpected error has occurred.").WithCause(err)
}
