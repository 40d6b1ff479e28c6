package registry

import (
	"context"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// A CertificateStatus is the status of a device certificate. Source: connect sheet 4.3.
type CertificateStatus string

// Statuses; only an ACTIVE certificate may connect.
const (
	StatusActive            CertificateStatus = "ACTIVE"
	StatusInactive          CertificateStatus = "INACTIVE"
	StatusRevoked           CertificateStatus = "REVOKED"
	StatusPendingTransfer   CertificateStatus = "PENDING_TRANSFER"
	StatusPendingActivation CertificateStatus = "PENDING_ACTIVATION"
	StatusRegisterInactive  CertificateStatus = "REGISTER_INACTIVE"
	StatusDeleted           CertificateStatus = "DELETED" // in a history only
)

// Modes of a certificate. Source: connect sheet 4.5.
const (
	ModeDefault = "DEFAULT"
	ModeSNIOnly = "SNI_ONLY"
)

// A Certificate is a registered device certificate.
type Certificate struct {
	ID              string // lower-case hex SHA-256 of the DER form
	ARN             string
	CAID            string // of the registered CA that signed it; empty for others
	PEM             string
	Status          CertificateStatus
	Mode            string // DEFAULT or SNI_ONLY
	GenerationID    string
	CustomerVersion int64
	NotBefore       time.Time
	NotAfter        time.Time
	CreatedAt       time.Time
	LastModifiedAt  time.Time
}

// A StatusChange is one entry of a certificate's history.
type StatusChange struct {
	At       time.Time
	Previous CertificateStatus // empty for the first
	Status   CertificateStatus // DELETED for the last
}

// Certificate returns the certificate with that ID, or a ResourceNotFound [*Error].
func (r *Registry) Certificate(ctx context.Context, certificateID string) (Certificate, error) {
	var c Certificate
	err := r.view(ctx, func(q *registrydb.Queries) error {
		row, err := q.GetCertificate(ctx, certificateID)
		c = r.certificate(row)
		return err
	})
	if err != nil {
		return Certificate{}, r.certificateError(err, certificateID)
	}
	return c, nil
}

// CertificateHistory returns how the status of a certificate came about, oldest
// first, also when it was deleted since. It is empty for one that was never here.
func (r *Registry) CertificateHistory(ctx context.Context, certificateID string) ([]StatusChange, error) {
	rows, err := r.read().ListCertificateEvents(ctx, certificateID)
	if err != nil {
		return nil, err
	}
	history := make([]StatusChange, len(rows))
	for i, row := range rows {
		history[i] = StatusChange{time.UnixMilli(row.HappenedAt), CertificateStatus(row.PreviousStatus), CertificateStatus(row.Status)}
	}
	return history, nil
}
