package iot

import (
	"context"
	"net/http"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// customAuth invokes authorizers for TestInvokeAuthorizer. [*identity.Authorizers] does.
type customAuth interface {
	// Test invokes an authorizer, whatever its status.
	Test(ctx context.Context, name string, r *identity.CustomRequest, token, signature string) (*identity.Login, error)
}

// CreateAuthorizer makes an authorizer.
func (h Handlers) CreateAuthorizer(ctx context.Context, in *CreateAuthorizerRequest) (*CreateAuthorizerResponse, error) {
	a, err := h.Registry.CreateAuthorizer(ctx, registry.Authorizer{
		Name: in.AuthorizerName, FunctionARN: in.AuthorizerFunctionArn, TokenKeyName: api.OrZero(in.TokenKeyName), SigningKeys: in.TokenSigningPublicKeys,
		SigningDisabled: api.OrZero(in.SigningDisabled), HTTPCaching: api.OrZero(in.EnableCachingForHttp), Status: registry.AuthorizerStatus(api.OrZero(in.Status)),
	}, tagsIn(in.Tags))
	if err != nil {
		return nil, err
	}
	return &CreateAuthorizerResponse{AuthorizerName: &a.Name, AuthorizerArn: &a.ARN}, nil
}

// UpdateAuthorizer changes an authorizer; what is not given stays.
func (h Handlers) UpdateAuthorizer(ctx context.Context, in *UpdateAuthorizerRequest) (*UpdateAuthorizerResponse, error) {
	u := registry.AuthorizerUpdate{
		FunctionARN: in.AuthorizerFunctionArn, TokenKeyName: in.TokenKeyName, SigningKeys: in.TokenSigningPublicKeys, HTTPCaching: in.EnableCachingForHttp,
	}
	if in.Status != nil {
		u.Status = new(registry.AuthorizerStatus(*in.Status))
	}
	a, err := h.Registry.UpdateAuthorizer(ctx, in.AuthorizerName, u)
	if err != nil {
		return nil, err
	}
	return &UpdateAuthorizerResponse{AuthorizerName: &a.Name, AuthorizerArn: &a.ARN}, nil
}

// DescribeAuthorizer answers an authorizer.
func (h Handlers) DescribeAuthorizer(ctx context.Context, in *DescribeAuthorizerRequest) (*DescribeAuthorizerResponse, error) {
	a, err := h.Registry.Authorizer(ctx, in.AuthorizerName)
	if err != nil {
		return nil, err
	}
	return &DescribeAuthorizerResponse{AuthorizerDescription: describeAuthorizer(a)}, nil
}

func describeAuthorizer(a registry.Authorizer) *AuthorizerDescription {
	d := &AuthorizerDescription{
		AuthorizerName: &a.Name, AuthorizerArn: &a.ARN, AuthorizerFunctionArn: &a.FunctionARN, TokenSigningPublicKeys: a.SigningKeys,
		Status: new(AuthorizerStatus(a.Status)), CreationDate: api.TimeOf(a.CreatedAt), LastModifiedDate: api.TimeOf(a.LastModifiedAt),
		SigningDisabled: &a.SigningDisabled, EnableCachingForHttp: &a.HTTPCaching,
	}
	if a.TokenKeyName != "" {
		d.TokenKeyName = &a.TokenKeyName
	}
	return d
}

// ListAuthorizers lists authorizers by their creation.
func (h Handlers) ListAuthorizers(ctx context.Context, in *ListAuthorizersRequest) (*ListAuthorizersResponse, error) {
	status := registry.AuthorizerStatus(api.OrZero(in.Status))
	items, next, err := list(ctx, in.Marker, in.PageSize, api.OrZero(in.AscendingOrder), []any{string(status)},
		func(p registry.Page) (registry.Listing[string], error) {
			return h.Registry.ListAuthorizers(ctx, status, p)
		},
		func(name string) AuthorizerSummary {
			return AuthorizerSummary{AuthorizerName: &name, AuthorizerArn: new(h.Registry.ARN("authorizer", name))}
		})
	return &ListAuthorizersResponse{Authorizers: items, NextMarker: next}, err
}

// DeleteAuthorizer deletes an authorizer that is INACTIVE and that nothing uses.
func (h Handlers) DeleteAuthorizer(ctx context.Context, in *DeleteAuthorizerRequest) (*DeleteAuthorizerResponse, error) {
	return &DeleteAuthorizerResponse{}, h.Registry.DeleteAuthorizer(ctx, in.AuthorizerName)
}

// SetDefaultAuthorizer chooses the authorizer of clients that name none.
func (h Handlers) SetDefaultAuthorizer(ctx context.Context, in *SetDefaultAuthorizerRequest) (*SetDefaultAuthorizerResponse, error) {
	a, err := h.Registry.SetDefaultAuthorizer(ctx, in.AuthorizerName)
	if err != nil {
		return nil, err
	}
	return &SetDefaultAuthorizerResponse{AuthorizerName: &a.Name, AuthorizerArn: &a.ARN}, nil
}

// DescribeDefaultAuthorizer answers the default authorizer.
func (h Handlers) DescribeDefaultAuthorizer(ctx context.Context, _ *DescribeDefaultAuthorizerRequest) (*DescribeDefaultAuthorizerResponse, error) {
	a, err := h.Registry.DefaultAuthorizer(ctx)
	if err != nil {
		return nil, err
	}
	return &DescribeDefaultAuthorizerResponse{AuthorizerDescription: describeAuthorizer(a)}, nil
}

// ClearDefaultAuthorizer leaves the account without default authorizer.
func (h Handlers) ClearDefaultAuthorizer(ctx context.Context, _ *ClearDefaultAuthorizerRequest) (*ClearDefaultAuthorizerResponse, error) {
	return &ClearDefaultAuthorizerResponse{}, h.Registry.ClearDefaultAuthorizer(ctx)
}

// TestInvokeAuthorizer invokes an authorizer with made-up credentials and
// answers what it decided. Source: custom-auth sheet 11.
func (h Handlers) TestInvokeAuthorizer(ctx context.Context, in *TestInvokeAuthorizerRequest) (*TestInvokeAuthorizerResponse, error) {
	login, err := h.Authorizers.Test(ctx, in.AuthorizerName, testedRequest(in), api.OrZero(in.Token), api.OrZero(in.TokenSignature))
	if err != nil {
		return nil, err
	}
	if rung := login.Refusal(); rung != nil && rung.Check != check.AuthorizerRejected {
		return nil, testRefusal(rung)
	}
	if login.Refusal() != nil {
		return &TestInvokeAuthorizerResponse{IsAuthenticated: new(false)}, nil
	}
	a := login.Answer
	return &TestInvokeAuthorizerResponse{
		IsAuthenticated: new(true), PrincipalId: &a.PrincipalID, PolicyDocuments: a.Documents,
		RefreshAfterInSeconds: new(int32(a.RefreshAfter.Seconds())), DisconnectAfterInSeconds: new(int32(a.DisconnectAfter.Seconds())),
	}, nil
}

// testedRequest reads the contexts of a test; those that are not given do not
// appear in the event.
func testedRequest(in *TestInvokeAuthorizerRequest) *identity.CustomRequest {
	r := &identity.CustomRequest{}
	if c := in.TlsContext; c != nil {
		r.ServerName = api.OrZero(c.ServerName)
	}
	if c := in.HttpContext; c != nil {
		r.HTTP = &identity.HTTPCredentials{Header: http.Header{}, Query: api.OrZero(c.QueryString)}
		if len(r.HTTP.Query) > 0 && r.HTTP.Query[0] == '?' {
			r.HTTP.Query = r.HTTP.Query[1:]
		}
		for name, value := range c.Headers {
			r.HTTP.Header.Set(name, value)
		}
	}
	if c := in.MqttContext; c != nil {
		r.MQTT = &identity.MQTTCredentials{
			ClientID: api.OrZero(c.ClientId), UserName: api.OrZero(c.Username), HasUserName: c.Username != nil, Password: c.Password, HasPassword: c.Password != nil,
		}
	}
	return r
}

// testRefusal is the exception for what went wrong in a test: AWS does not say
// which one belongs to what. The message names the check and its evidence.
// Source: custom-auth sheet 11.
func testRefusal(rung *identity.Rung) *api.Error {
	evidence := map[string]string{}
	for _, f := range rung.Evidence {
		evidence[f.Key] = f.Value
	}
	text := rung.Check.CauseWith(check.Map(evidence)) + " (" + rung.Check.Code + ")"
	switch rung.Check {
	case check.AuthorizerTokenMissing, check.AuthorizerSignatureMissing, check.AuthorizerSignatureEncoding, check.AuthorizerSignatureMismatch:
		return InvalidRequestException("%s", text)
	case check.AuthorizerInvokeDenied:
		return UnauthorizedException("%s", text)
	case check.AuthorizerThrottled:
		return ThrottlingException("%s", text)
	case check.AuthorizerNotRunnable:
		return ServiceUnavailableException("%s", text)
	}
	return InvalidResponseException("%s", text)
}
