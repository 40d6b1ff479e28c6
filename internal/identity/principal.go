// Package identity says who a connection acts as, and what that principal may
// do: a registered certificate, or the user of an access key, becomes a
// [Principal], and a Principal with a client ID becomes an [Authorization], which
// answers from memory and follows the registry's changes.
package identity

// A Kind says how a principal proved who it is.
type Kind string

// The kinds of principal that exist so far.
const (
	KindCertificate Kind = "certificate" // by a registered client certificate
	KindAuthorizer  Kind = "authorizer"  // by a custom authorizer
	KindUser        Kind = "user"        // by a signature with an access key
)

// A Principal is who a connection or a request acts as. It is a small value;
// copy it freely. The zero Principal is nobody.
type Principal struct {
	Kind      Kind
	ID        string // certificate ID: 64 lower-case hex digits; user ID. Source: connect sheet 4.1, mqtt sheet 17.6
	ARN       string // arn:aws:iot:{region}:{account}:cert/{id}; arn:aws:iam::{account}:user/{name}
	AccountID string // 12 digits
}
