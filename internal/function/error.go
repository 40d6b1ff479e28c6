package function

import (
	"errors"
	"fmt"
)

// A Kind says which rule a caller broke: the name of the exception that the
// Lambda API answers with. Its HTTP status belongs to the model of the API.
type Kind string

// The kinds that the operations answer with.
const (
	InvalidParameter     Kind = "InvalidParameterValueException"
	ResourceNotFound     Kind = "ResourceNotFoundException"
	ResourceConflict     Kind = "ResourceConflictException"
	PolicyLengthExceeded Kind = "PolicyLengthExceededException"
	PreconditionFailed   Kind = "PreconditionFailedException"
	CodeStorageExceeded  Kind = "CodeStorageExceededException"
)

// An Error is a refusal that the caller of an operation sees. Anything else that
// a method returns is broken machinery.
type Error struct {
	Kind    Kind
	Message string
}

func (e *Error) Error() string { return string(e.Kind) + ": " + e.Message }

func refusal(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// isKind reports whether err is, or wraps, an [Error] of that kind.
func isKind(err error, kind Kind) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind == kind
}
