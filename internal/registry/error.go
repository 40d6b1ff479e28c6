package registry

import (
	"errors"
	"fmt"
)

// A Kind says which rule a caller broke. Its text is the name of the AWS
// exception that the API answers with; the HTTP status belongs to the model of
// the API. Source: API sheet 4.6, 9.
type Kind string

// The kinds that the registry's operations answer with.
const (
	InvalidRequest             Kind = "InvalidRequestException"
	ResourceNotFound           Kind = "ResourceNotFoundException"
	ResourceAlreadyExists      Kind = "ResourceAlreadyExistsException" // with ResourceID and ResourceARN
	DeleteConflict             Kind = "DeleteConflictException"
	LimitExceeded              Kind = "LimitExceededException"
	VersionConflict            Kind = "VersionConflictException"
	VersionsLimitExceeded      Kind = "VersionsLimitExceededException"
	MalformedPolicy            Kind = "MalformedPolicyException"
	CertificateState           Kind = "CertificateStateException"      // with ResourceID
	CertificateConflict        Kind = "CertificateConflictException"   // with ResourceID
	CertificateValidation      Kind = "CertificateValidationException" // the text says which rule
	RegistrationCodeValidation Kind = "RegistrationCodeValidationException"
	NotConfigured              Kind = "NotConfiguredException"
)

// An Error is a refusal that the caller of an operation sees: the request was
// understood and the registry's rules forbid it. Anything else that a method
// returns is broken machinery.
type Error struct {
	Kind        Kind
	Message     string // one sentence that names the resource
	ResourceID  string // of the resource in the way; may be empty
	ResourceARN string // of the resource in the way; may be empty
}

func (e *Error) Error() string { return string(e.Kind) + ": " + e.Message }

// Errorf makes an [Error] whose message is formatted like fmt.Sprintf.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// About returns a copy of e that names the resource in the way.
func (e *Error) About(resourceID, resourceARN string) *Error {
	c := *e
	c.ResourceID, c.ResourceARN = resourceID, resourceARN
	return &c
}

// IsKind reports whether err is, or wraps, an [Error] of that kind.
func IsKind(err error, kind Kind) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind == kind
}
