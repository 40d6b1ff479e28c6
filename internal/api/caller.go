package api

import (
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
)

// Credential is what an access key stands for.
type Credential struct {
	SecretAccessKey string
	SessionToken    string // of a temporary key (ASIA...); empty for a permanent one
	Account         string // 12 digits
	ARN             string // arn:aws:iam::123456789012:user/gatehouse
	UserID          string
}

// Credentials knows the access keys.
type Credentials interface {
	// Lookup returns the credential of an access key, or false if there is no
	// such key. An error means that nobody could tell, not that the key is wrong.
	Lookup(ctx context.Context, accessKeyID string) (Credential, bool, error)
}

// Caller is who signed a request.
type Caller struct {
	AccessKeyID string
	Account     string
	ARN         string
	UserID      string
	Region      string // of the credential scope
	Access      Access // what the caller may do; nil: everything
}

type call struct {
	requestID string
	operation string // "iot:ListThings"
	caller    Caller
	denied    Denial           // of the caller, once there is one
	attempt   *attempt.Attempt // of a request through a device's door, else nil
	sealer    sealer
}

type callKey struct{}

func callFrom(ctx context.Context) *call {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return &call{}
}

// CallerFrom returns who signed the request that ctx belongs to; false if it
// belongs to none.
func CallerFrom(ctx context.Context) (Caller, bool) {
	c := callFrom(ctx)
	return c.caller, c.caller.AccessKeyID != ""
}

// RequestID returns the UUID that the client sees as x-amzn-RequestId, or "".
func RequestID(ctx context.Context) string { return callFrom(ctx).requestID }
