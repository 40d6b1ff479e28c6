// Package sts is the part of AWS STS that AWS clients ask for before they do
// anything else: who am I.
package sts

import (
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/api"
)

// Handlers implements the operations; it needs nothing but the verified caller.
type Handlers struct{ Unimplemented }

// New binds the handlers to the wire: give it to [api.NewServer].
func New() *api.Service { return NewService(Handlers{}) }

// GetCallerIdentity answers who signed the request.
func (Handlers) GetCallerIdentity(ctx context.Context, _ *GetCallerIdentityRequest) (*GetCallerIdentityResponse, error) {
	c, ok := api.CallerFrom(ctx)
	if !ok {
		return nil, api.Errorf("InvalidClientTokenId", 403, "The security token included in the request is invalid.")
	}
	return &GetCallerIdentityResponse{Account: &c.Account, Arn: &c.ARN, UserId: &c.UserID}, nil
}
