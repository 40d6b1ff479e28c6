package iot

import (
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// GetRegistrationCode answers the code that the verification certificate of a
// CA has as its common name.
func (h Handlers) GetRegistrationCode(ctx context.Context, _ *GetRegistrationCodeRequest) (*GetRegistrationCodeResponse, error) {
	code, err := h.Registry.RegistrationCode(ctx)
	if err != nil {
		return nil, err
	}
	return &GetRegistrationCodeResponse{RegistrationCode: &code}, nil
}

// DeleteRegistrationCode forgets the registration code.
func (h Handlers) DeleteRegistrationCode(ctx context.Context, _ *DeleteRegistrationCodeRequest) (*DeleteRegistrationCodeResponse, error) {
	return &DeleteRegistrationCodeResponse{}, h.Registry.DeleteRegistrationCode(ctx)
}

// RegisterCACertificate registers a CA.
func (h Handlers) RegisterCACertificate(ctx context.Context, in *RegisterCACertificateRequest) (*RegisterCACertificateResponse, error) {
	req := registry.CARegistration{
		PEM:              in.CaCertificate,
		VerificationPEM:  api.OrZero(in.VerificationCertificate),
		Active:           api.OrZero(in.SetAsActive),
		AutoRegistration: api.OrZero(in.AllowAutoRegistration),
		Mode:             string(api.OrZero(in.CertificateMode)),
		Tags:             tagsIn(in.Tags),
	}
	if in.RegistrationConfig != nil {
		req.Registration = registrationConfig(in.RegistrationConfig)
	}
	ca, err := h.Registry.RegisterCACertificate(ctx, req)
	if err != nil {
		return nil, err
	}
	return &RegisterCACertificateResponse{CertificateArn: &ca.ARN, CertificateId: &ca.ID}, nil
}

func registrationConfig(c *RegistrationConfig) registry.RegistrationConfig {
	return registry.RegistrationConfig{TemplateBody: api.OrZero(c.TemplateBody), TemplateName: api.OrZero(c.TemplateName), RoleARN: api.OrZero(c.RoleArn)}
}

// DescribeCACertificate describes a registered CA.
func (h Handlers) DescribeCACertificate(ctx context.Context, in *DescribeCACertificateRequest) (*DescribeCACertificateResponse, error) {
	ca, err := h.Registry.CACertificate(ctx, in.CertificateId)
	if err != nil {
		return nil, err
	}
	out := &DescribeCACertificateResponse{CertificateDescription: &CACertificateDescription{
		AutoRegistrationStatus: new(AutoRegistrationStatusDisable),
		CertificateArn:         &ca.ARN,
		CertificateId:          &ca.ID,
		CertificateMode:        new(CertificateMode(ca.Mode)),
		CertificatePem:         &ca.PEM,
		CreationDate:           api.TimeOf(ca.CreatedAt),
		CustomerVersion:        new(int32(ca.CustomerVersion)),
		GenerationId:           &ca.GenerationID,
		LastModifiedDate:       api.TimeOf(ca.LastModifiedAt),
		OwnedBy:                new(h.Registry.AccountID()),
		Status:                 caStatus(ca),
		Validity:               &CertificateValidity{NotBefore: api.TimeOf(ca.NotBefore), NotAfter: api.TimeOf(ca.NotAfter)},
	}}
	if ca.AutoRegistration {
		out.CertificateDescription.AutoRegistrationStatus = new(AutoRegistrationStatusEnable)
	}
	if c := ca.Registration; c != (registry.RegistrationConfig{}) {
		out.RegistrationConfig = &RegistrationConfig{RoleArn: api.OrAbsent(c.RoleARN), TemplateBody: api.OrAbsent(c.TemplateBody), TemplateName: api.OrAbsent(c.TemplateName)}
	}
	return out, nil
}

func caStatus(ca registry.CACertificate) *CACertificateStatus {
	if ca.Active {
		return new(CACertificateStatusActive)
	}
	return new(CACertificateStatusInactive)
}

// ListCACertificates lists the registered CAs by their registration.
func (h Handlers) ListCACertificates(ctx context.Context, in *ListCACertificatesRequest) (*ListCACertificatesResponse, error) {
	items, next, err := list(ctx, in.Marker, in.PageSize, api.OrZero(in.AscendingOrder), []any{in.TemplateName},
		func(p registry.Page) (registry.Listing[registry.CACertificate], error) {
			return h.Registry.ListCACertificates(ctx, api.OrZero(in.TemplateName), p)
		},
		func(ca registry.CACertificate) CACertificate {
			return CACertificate{CertificateArn: &ca.ARN, CertificateId: &ca.ID, CreationDate: api.TimeOf(ca.CreatedAt), Status: caStatus(ca)}
		})
	return &ListCACertificatesResponse{Certificates: items, NextMarker: next}, err
}

// UpdateCACertificate changes a registered CA.
func (h Handlers) UpdateCACertificate(ctx context.Context, in *UpdateCACertificateRequest) (*UpdateCACertificateResponse, error) {
	u := registry.CAUpdate{RemoveAutoRegistration: api.OrZero(in.RemoveAutoRegistration)}
	if in.NewStatus != nil {
		u.Active = new(*in.NewStatus == CACertificateStatusActive)
	}
	if in.NewAutoRegistrationStatus != nil {
		u.AutoRegistration = new(*in.NewAutoRegistrationStatus == AutoRegistrationStatusEnable)
	}
	if in.RegistrationConfig != nil {
		u.Registration = new(registrationConfig(in.RegistrationConfig))
	}
	return &UpdateCACertificateResponse{}, h.Registry.UpdateCACertificate(ctx, in.CertificateId, u)
}

// DeleteCACertificate deletes a registered CA.
func (h Handlers) DeleteCACertificate(ctx context.Context, in *DeleteCACertificateRequest) (*DeleteCACertificateResponse, error) {
	return &DeleteCACertificateResponse{}, h.Registry.DeleteCACertificate(ctx, in.CertificateId)
}
