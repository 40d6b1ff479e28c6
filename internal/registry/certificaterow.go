package registry

import (
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

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
