package lambda

import (
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/function"
)

func aliasConfiguration(a function.Alias, arn string) *AliasConfiguration {
	return &AliasConfiguration{AliasArn: &arn, Name: &a.Name, FunctionVersion: &a.FunctionVersion, Description: &a.Description, RevisionId: &a.RevisionID}
}

// refuseRouting refuses an alias that shares invocations between two versions.
func refuseRouting(r *AliasRoutingConfiguration) error {
	if r != nil && len(r.AdditionalVersionWeights) > 0 {
		return InvalidParameterValueException("Gatehouse has nothing behind the parameter RoutingConfig: an alias points to one version.")
	}
	return nil
}

// CreateAlias makes an alias of a version.
func (h Handlers) CreateAlias(ctx context.Context, in *CreateAliasRequest) (*AliasConfiguration, error) {
	if err := refuseRouting(in.RoutingConfig); err != nil {
		return nil, err
	}
	a, arn, err := h.Functions.CreateAlias(ctx, in.FunctionName, function.Alias{Name: in.Name, FunctionVersion: in.FunctionVersion, Description: api.OrZero(in.Description)})
	if err != nil {
		return nil, err
	}
	return aliasConfiguration(a, arn), nil
}

// UpdateAlias points an alias to another version.
func (h Handlers) UpdateAlias(ctx context.Context, in *UpdateAliasRequest) (*AliasConfiguration, error) {
	if err := refuseRouting(in.RoutingConfig); err != nil {
		return nil, err
	}
	a, arn, err := h.Functions.UpdateAlias(ctx, in.FunctionName, in.Name, in.FunctionVersion, in.Description, api.OrZero(in.RevisionId))
	if err != nil {
		return nil, err
	}
	return aliasConfiguration(a, arn), nil
}

// GetAlias answers an alias.
func (h Handlers) GetAlias(_ context.Context, in *GetAliasRequest) (*AliasConfiguration, error) {
	a, arn, err := h.Functions.Alias(in.FunctionName, in.Name)
	if err != nil {
		return nil, err
	}
	return aliasConfiguration(a, arn), nil
}

// DeleteAlias removes an alias.
func (h Handlers) DeleteAlias(ctx context.Context, in *DeleteAliasRequest) (*DeleteAliasResponse, error) {
	return &DeleteAliasResponse{}, h.Functions.DeleteAlias(ctx, in.FunctionName, in.Name)
}

// ListAliases answers the aliases, in one page.
func (h Handlers) ListAliases(_ context.Context, in *ListAliasesRequest) (*ListAliasesResponse, error) {
	list, arn, err := h.Functions.Aliases(in.FunctionName, api.OrZero(in.FunctionVersion))
	if err != nil {
		return nil, err
	}
	out := &ListAliasesResponse{}
	for _, a := range list {
		out.Aliases = append(out.Aliases, *aliasConfiguration(a, arn+":"+a.Name))
	}
	return out, nil
}
