package registry

import (
	"context"
	"crypto/x509"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// maxHistory bounds the entries of a certificate's history; the oldest go first.
const maxHistory = 32

// certificate makes a Certificate of its row.
func (r *Registry) certificate(row registrydb.Certificate) Certificate {
	return Certificate{
		ID:              row.CertificateID,
		ARN:             r.ARN("cert", row.CertificateID),
		CAID:            row.CACertificateID,
		PEM:             row.PEM,
		Status:          CertificateStatus(row.Status),
		Mode:            row.CertificateMode,
		GenerationID:    row.GenerationID,
		CustomerVersion: row.CustomerVersion,
		NotBefore:       time.UnixMilli(row.NotBefore),
		NotAfter:        time.UnixMilli(row.NotAfter),
		CreatedAt:       time.UnixMilli(row.CreatedAt),
		LastModifiedAt:  time.UnixMilli(row.LastModifiedAt),
	}
}

// certificateError says which certificate is missing, and leaves other errors alone.
func (r *Registry) certificateError(err error, certificateID string) error {
	if store.IsNotFound(err) {
		return Errorf(ResourceNotFound, "The certificate given in the request does not exist (certificateId=%s)", certificateID).
			About(certificateID, r.ARN("cert", certificateID))
	}
	return err
}

// newCertificate is what a certificate's own text does not say.
type newCertificate struct {
	status CertificateStatus
	mode   string
	caID   string
	origin string
}

// insertCertificate registers cert, whose rules were checked.
func (r *Registry) insertCertificate(ctx context.Context, t *tx, cert *x509.Certificate, n newCertificate) (Certificate, error) {
	row := registrydb.Certificate{
		CertificateID:   CertificateID(cert.Raw),
		CACertificateID: n.caID,
		PEM:             encodePEM(cert.Raw),
		Status:          string(n.status),
		CertificateMode: n.mode,
		Origin:          n.origin,
		GenerationID:    uuid.NewString(),
		CustomerVersion: 1,
		NotBefore:       cert.NotBefore.UnixMilli(),
		NotAfter:        cert.NotAfter.UnixMilli(),
		CreatedAt:       t.now,
		LastModifiedAt:  t.now,
		Subject:         encodeName(cert.RawSubject),
		Issuer:          encodeName(cert.RawIssuer),
	}
	err := t.InsertCertificate(ctx, registrydb.InsertCertificateParams(row))
	if store.IsUnique(err) {
		return Certificate{}, r.registeredError(row.CertificateID)
	}
	if err != nil {
		return Certificate{}, err
	}
	return r.certificate(row), r.noteStatus(ctx, t, row.CertificateID, "", n.status)
}

// checkNotRegistered refuses with ResourceAlreadyExists a certificate that is registered.
func (r *Registry) checkNotRegistered(ctx context.Context, t *tx, certificateID string) error {
	_, err := t.GetCertificate(ctx, certificateID)
	if err == nil {
		return r.registeredError(certificateID)
	}
	if store.IsNotFound(err) {
		return nil
	}
	return err
}

func (r *Registry) registeredError(certificateID string) error {
	return Errorf(ResourceAlreadyExists, "The certificate is already provisioned or registered (certificateId=%s)", certificateID).
		About(certificateID, r.ARN("cert", certificateID))
}

// noteStatus appends to the history of a certificate and tells of the change.
func (r *Registry) noteStatus(ctx context.Context, t *tx, certificateID string, previous, status CertificateStatus) error {
	last, err := t.LastCertificateEvent(ctx, certificateID)
	if err != nil {
		return err
	}
	err = t.InsertCertificateEvent(ctx, registrydb.InsertCertificateEventParams{
		CertificateID:  certificateID,
		EventNumber:    last + 1,
		PreviousStatus: string(previous),
		Status:         string(status),
		HappenedAt:     t.now,
	})
	if err != nil {
		return err
	}
	err = t.ForgetCertificateEvents(ctx, registrydb.ForgetCertificateEventsParams{CertificateID: certificateID, EventNumber: last + 1 - maxHistory})
	if err != nil {
		return err
	}
	t.changed(Change{Kind: CertificateChanged, CertificateID: certificateID, Status: string(status)})
	return nil
}
