package iot

import (
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// CreateKeysAndCertificate makes a key pair and a certificate for it.
func (h Handlers) CreateKeysAndCertificate(ctx context.Context, in *CreateKeysAndCertificateRequest) (*CreateKeysAndCertificateResponse, error) {
	cert, keys, err := h.Registry.CreateKeysAndCertificate(ctx, api.OrZero(in.SetAsActive))
	if err != nil {
		return nil, err
	}
	return &CreateKeysAndCertificateResponse{
		CertificateArn: &cert.ARN,
		CertificateId:  &cert.ID,
		CertificatePem: &cert.PEM,
		KeyPair:        &KeyPair{PublicKey: &keys.PublicPEM, PrivateKey: &keys.PrivatePEM},
	}, nil
}

// CreateCertificateFromCsr makes a certificate for a key that stays with the device.
func (h Handlers) CreateCertificateFromCsr(ctx context.Context, in *CreateCertificateFromCsrRequest) (*CreateCertificateFromCsrResponse, error) {
	cert, err := h.Registry.CreateCertificateFromCSR(ctx, in.CertificateSigningRequest, api.OrZero(in.SetAsActive))
	if err != nil {
		return nil, err
	}
	return &CreateCertificateFromCsrResponse{CertificateArn: &cert.ARN, CertificateId: &cert.ID, CertificatePem: &cert.PEM}, nil
}

// RegisterCertificate registers a certificate that a registered CA signed.
func (h Handlers) RegisterCertificate(ctx context.Context, in *RegisterCertificateRequest) (*RegisterCertificateResponse, error) {
	status := registry.CertificateStatus(api.OrZero(in.Status))
	if status == "" && api.OrZero(in.SetAsActive) { // deprecated
		status = registry.StatusActive
	}
	cert, err := h.Registry.RegisterCertificate(ctx, in.CertificatePem, api.OrZero(in.CaCertificatePem), status)
	if err != nil {
		return nil, err
	}
	return &RegisterCertificateResponse{CertificateArn: &cert.ARN, CertificateId: &cert.ID}, nil
}

// RegisterCertificateWithoutCA registers a certificate whatever signed it.
func (h Handlers) RegisterCertificateWithoutCA(ctx context.Context, in *RegisterCertificateWithoutCARequest) (*RegisterCertificateWithoutCAResponse, error) {
	cert, err := h.Registry.RegisterCertificateWithoutCA(ctx, in.CertificatePem, registry.CertificateStatus(api.OrZero(in.Status)))
	if err != nil {
		return nil, err
	}
	return &RegisterCertificateWithoutCAResponse{CertificateArn: &cert.ARN, CertificateId: &cert.ID}, nil
}

// DescribeCertificate describes a certificate.
func (h Handlers) DescribeCertificate(ctx context.Context, in *DescribeCertificateRequest) (*DescribeCertificateResponse, error) {
	c, err := h.Registry.Certificate(ctx, in.CertificateId)
	if err != nil {
		return nil, err
	}
	d := &CertificateDescription{
		CertificateArn:   &c.ARN,
		CertificateId:    &c.ID,
		CertificatePem:   &c.PEM,
		CertificateMode:  new(CertificateMode(c.Mode)),
		CreationDate:     api.TimeOf(c.CreatedAt),
		CustomerVersion:  new(int32(c.CustomerVersion)),
		GenerationId:     &c.GenerationID,
		LastModifiedDate: api.TimeOf(c.LastModifiedAt),
		OwnedBy:          new(h.Registry.AccountID()),
		Status:           new(CertificateStatus(c.Status)),
		TransferData:     &TransferData{}, // AWS answers an empty one
		Validity:         &CertificateValidity{NotBefore: api.TimeOf(c.NotBefore), NotAfter: api.TimeOf(c.NotAfter)},
	}
	if c.CAID != "" {
		d.CaCertificateId = &c.CAID
	}
	return &DescribeCertificateResponse{CertificateDescription: d}, nil
}

// ListCertificates lists all certificates by their creation.
func (h Handlers) ListCertificates(ctx context.Context, in *ListCertificatesRequest) (*ListCertificatesResponse, error) {
	items, next, err := list(ctx, in.Marker, in.PageSize, api.OrZero(in.AscendingOrder), nil,
		func(p registry.Page) (registry.Listing[registry.Certificate], error) {
			return h.Registry.ListCertificates(ctx, p)
		}, certificateItem)
	return &ListCertificatesResponse{Certificates: items, NextMarker: next}, err
}

// ListCertificatesByCA lists the certificates that a CA signed by their creation.
func (h Handlers) ListCertificatesByCA(ctx context.Context, in *ListCertificatesByCARequest) (*ListCertificatesByCAResponse, error) {
	items, next, err := list(ctx, in.Marker, in.PageSize, api.OrZero(in.AscendingOrder), []any{in.CaCertificateId},
		func(p registry.Page) (registry.Listing[registry.Certificate], error) {
			return h.Registry.ListCertificatesByCA(ctx, in.CaCertificateId, p)
		}, certificateItem)
	return &ListCertificatesByCAResponse{Certificates: items, NextMarker: next}, err
}

func certificateItem(c registry.Certificate) Certificate {
	return Certificate{
		CertificateArn:  &c.ARN,
		CertificateId:   &c.ID,
		CertificateMode: new(CertificateMode(c.Mode)),
		CreationDate:    api.TimeOf(c.CreatedAt),
		Status:          new(CertificateStatus(c.Status)),
	}
}

// UpdateCertificate sets the status of a certificate. When it returns, the live
// connections of one that is no longer ACTIVE have been told to close.
func (h Handlers) UpdateCertificate(ctx context.Context, in *UpdateCertificateRequest) (*UpdateCertificateResponse, error) {
	return &UpdateCertificateResponse{}, h.Registry.UpdateCertificate(ctx, in.CertificateId, registry.CertificateStatus(in.NewStatus))
}

// DeleteCertificate deletes a certificate.
func (h Handlers) DeleteCertificate(ctx context.Context, in *DeleteCertificateRequest) (*DeleteCertificateResponse, error) {
	return &DeleteCertificateResponse{}, h.Registry.DeleteCertificate(ctx, in.CertificateId, api.OrZero(in.ForceDelete))
}
