package iot

import (
	"context"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/gateway"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// CreateDomainConfiguration makes the configuration of a host name.
func (h Handlers) CreateDomainConfiguration(ctx context.Context, in *CreateDomainConfigurationRequest) (*CreateDomainConfigurationResponse, error) {
	if err := domainNotBuilt(in.ServerCertificateConfig, in.ClientCertificateConfig); err != nil {
		return nil, err
	}
	if s := in.ServiceType; s != nil && *s != ServiceTypeData {
		return nil, InvalidRequestException("serviceType %s can't be created; only DATA can.", *s)
	}
	security, err := securityPolicyIn(in.TlsConfig)
	if err != nil {
		return nil, err
	}
	authorizer, err := authorizerConfigIn(in.AuthorizerConfig)
	if err != nil {
		return nil, err
	}
	d := registry.DomainConfiguration{
		Name: in.DomainConfigurationName, DomainName: api.OrZero(in.DomainName), SecurityPolicy: api.OrZero(security),
		AuthenticationType: string(api.OrZero(in.AuthenticationType)), ApplicationProtocol: string(api.OrZero(in.ApplicationProtocol)),
	}
	if authorizer != nil {
		d.Authorizer = *authorizer
	}
	if len(in.ServerCertificateArns) > 0 { // the model allows one
		d.ServerCertificateARN = in.ServerCertificateArns[0]
	}
	made, err := h.Registry.CreateDomainConfiguration(ctx, d, tagsIn(in.Tags))
	if err != nil {
		return nil, err
	}
	return &CreateDomainConfigurationResponse{DomainConfigurationName: &made.Name, DomainConfigurationArn: &made.ARN}, nil
}

// UpdateDomainConfiguration changes a configuration; what is not given stays.
func (h Handlers) UpdateDomainConfiguration(ctx context.Context, in *UpdateDomainConfigurationRequest) (*UpdateDomainConfigurationResponse, error) {
	if err := domainNotBuilt(in.ServerCertificateConfig, in.ClientCertificateConfig); err != nil {
		return nil, err
	}
	security, err := securityPolicyIn(in.TlsConfig)
	if err != nil {
		return nil, err
	}
	authorizer, err := authorizerConfigIn(in.AuthorizerConfig)
	if err != nil {
		return nil, err
	}
	u := registry.DomainUpdate{Authorizer: authorizer, RemoveAuthorizer: api.OrZero(in.RemoveAuthorizerConfig), SecurityPolicy: security}
	if in.AuthenticationType != nil {
		u.AuthenticationType = new(string(*in.AuthenticationType))
	}
	if in.ApplicationProtocol != nil {
		u.ApplicationProtocol = new(string(*in.ApplicationProtocol))
	}
	if in.DomainConfigurationStatus != nil {
		u.Status = new(registry.DomainStatus(*in.DomainConfigurationStatus))
	}
	d, err := h.Registry.UpdateDomainConfiguration(ctx, in.DomainConfigurationName, u)
	if err != nil {
		return nil, err
	}
	return &UpdateDomainConfigurationResponse{DomainConfigurationName: &d.Name, DomainConfigurationArn: &d.ARN}, nil
}

// domainNotBuilt refuses what would be taken and then not done.
func domainNotBuilt(server *ServerCertificateConfig, client *ClientCertificateConfig) error {
	switch {
	case server != nil && (api.OrZero(server.EnableOCSPCheck) || server.OcspLambdaArn != nil || server.OcspAuthorizedResponderArn != nil):
		return InvalidRequestException("serverCertificateConfig: Gatehouse does not staple OCSP answers yet.")
	case client != nil && api.OrZero(client.ClientCertificateCallbackArn) != "":
		return InvalidRequestException("clientCertificateConfig: Gatehouse does not call functions about client certificates yet.")
	}
	return nil
}

// securityPolicyIn reads the name of a TLS security policy, nil when none is given.
func securityPolicyIn(c *TlsConfig) (*string, error) {
	if c == nil || c.SecurityPolicy == nil {
		return nil, nil
	}
	if _, ok := gateway.LookupSecurityPolicy(*c.SecurityPolicy, gateway.DoorMQTT); !ok {
		return nil, InvalidRequestException("tlsConfig: there is no security policy %s.", *c.SecurityPolicy)
	}
	return c.SecurityPolicy, nil
}

// authorizerConfigIn reads which authorizer serves a host, nil when none is given.
func authorizerConfigIn(c *AuthorizerConfig) (*registry.AuthorizerConfig, error) {
	if c == nil {
		return nil, nil
	}
	if c.DefaultAuthorizerName != nil && c.AllowAuthorizerOverride == nil {
		return nil, InvalidRequestException("authorizerConfig: allowAuthorizerOverride is required with defaultAuthorizerName.")
	}
	return &registry.AuthorizerConfig{DefaultName: api.OrZero(c.DefaultAuthorizerName), AllowOverride: api.OrZero(c.AllowAuthorizerOverride)}, nil
}

// DescribeDomainConfiguration answers a configuration with its server certificate's state.
func (h Handlers) DescribeDomainConfiguration(ctx context.Context, in *DescribeDomainConfigurationRequest) (*DescribeDomainConfigurationResponse, error) {
	d, err := h.Registry.DomainConfiguration(ctx, in.DomainConfigurationName)
	if err != nil {
		return nil, err
	}
	out := &DescribeDomainConfigurationResponse{
		DomainConfigurationName: &d.Name, DomainConfigurationArn: &d.ARN, DomainName: &d.DomainName,
		DomainConfigurationStatus: new(DomainConfigurationStatus(d.Status)), DomainType: new(DomainType(d.Type)), ServiceType: new(ServiceType(d.ServiceType)),
		AuthenticationType: new(AuthenticationType(d.AuthenticationType)), ApplicationProtocol: new(ApplicationProtocol(d.ApplicationProtocol)),
		TlsConfig:          &TlsConfig{SecurityPolicy: new(gateway.DefaultSecurityPolicy)},
		ServerCertificates: []ServerCertificateSummary{},
	}
	if d.SecurityPolicy != "" {
		out.TlsConfig.SecurityPolicy = &d.SecurityPolicy
	}
	if !d.StatusChangedAt.IsZero() {
		out.LastStatusChangeDate = api.TimeOf(d.StatusChangedAt)
	}
	if d.Authorizer.DefaultName != "" {
		out.AuthorizerConfig = &AuthorizerConfig{DefaultAuthorizerName: &d.Authorizer.DefaultName, AllowAuthorizerOverride: &d.Authorizer.AllowOverride}
	}
	if d.ServerCertificateARN != "" {
		c, err := h.Registry.ServerCertificate(ctx, d.ServerCertificateARN)
		if err != nil {
			return nil, err
		}
		summary := ServerCertificateSummary{ServerCertificateArn: &c.ARN, ServerCertificateStatus: new(ServerCertificateStatusValid)}
		if time.Now().After(c.NotAfter) {
			summary.ServerCertificateStatus = new(ServerCertificateStatusInvalid)
			summary.ServerCertificateStatusDetail = new("The certificate has expired on " + c.NotAfter.UTC().Format(time.RFC3339) + ".")
		}
		out.ServerCertificates = append(out.ServerCertificates, summary)
	}
	return out, nil
}

// ListDomainConfigurations lists the account's own endpoints, then the others.
func (h Handlers) ListDomainConfigurations(ctx context.Context, in *ListDomainConfigurationsRequest) (*ListDomainConfigurationsResponse, error) {
	service := string(api.OrZero(in.ServiceType))
	items, next, err := list(ctx, in.Marker, in.PageSize, true, []any{service},
		func(p registry.Page) (registry.Listing[registry.DomainConfiguration], error) {
			return h.Registry.ListDomainConfigurations(ctx, service, p)
		},
		func(d registry.DomainConfiguration) DomainConfigurationSummary {
			return DomainConfigurationSummary{DomainConfigurationName: &d.Name, DomainConfigurationArn: &d.ARN, ServiceType: new(ServiceType(d.ServiceType))}
		})
	return &ListDomainConfigurationsResponse{DomainConfigurations: items, NextMarker: next}, err
}

// DeleteDomainConfiguration deletes a configuration that is DISABLED.
func (h Handlers) DeleteDomainConfiguration(ctx context.Context, in *DeleteDomainConfigurationRequest) (*DeleteDomainConfigurationResponse, error) {
	return &DeleteDomainConfigurationResponse{}, h.Registry.DeleteDomainConfiguration(ctx, in.DomainConfigurationName)
}
