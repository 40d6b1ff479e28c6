package lambda

import (
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/function"
)

// AddPermission lets a service or an account invoke the function.
func (h Handlers) AddPermission(ctx context.Context, in *AddPermissionRequest) (*AddPermissionResponse, error) {
	if api.OrZero(in.InvokedViaFunctionUrl) {
		return nil, InvalidParameterValueException("Gatehouse has no function URLs: leave InvokedViaFunctionUrl out.")
	}
	text, err := h.Functions.AddPermission(ctx, function.Grant{
		Function: in.FunctionName, Qualifier: api.OrZero(in.Qualifier), StatementID: in.StatementId, Action: in.Action, Principal: in.Principal,
		SourceARN: api.OrZero(in.SourceArn), SourceAccount: api.OrZero(in.SourceAccount), EventSourceToken: api.OrZero(in.EventSourceToken),
		PrincipalOrgID: api.OrZero(in.PrincipalOrgID), URLAuthType: string(api.OrZero(in.FunctionUrlAuthType)), RevisionID: api.OrZero(in.RevisionId),
	})
	if err != nil {
		return nil, err
	}
	return &AddPermissionResponse{Statement: &text}, nil
}

// GetPolicy answers the resource policy.
func (h Handlers) GetPolicy(_ context.Context, in *GetPolicyRequest) (*GetPolicyResponse, error) {
	text, revision, err := h.Functions.Policy(in.FunctionName, api.OrZero(in.Qualifier))
	if err != nil {
		return nil, err
	}
	return &GetPolicyResponse{Policy: &text, RevisionId: &revision}, nil
}

// RemovePermission removes a statement of the resource policy.
func (h Handlers) RemovePermission(ctx context.Context, in *RemovePermissionRequest) (*RemovePermissionResponse, error) {
	err := h.Functions.RemovePermission(ctx, in.FunctionName, api.OrZero(in.Qualifier), in.StatementId, api.OrZero(in.RevisionId))
	return &RemovePermissionResponse{}, err
}
