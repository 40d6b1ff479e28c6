package registry

import (
	"context"
	"encoding/hex"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// unreadableName stands for the names of a stored certificate that can't be
// read: it is the name of none, and is not tried again at the next start.
const unreadableName = "-"

// encodeName is a subject or an issuer, in DER form, as the database compares it.
func encodeName(der []byte) string { return hex.EncodeToString(der) }

// NewestCertificateOfSubject returns the certificate that was registered last
// of those with a subject, given in DER form. ok is false when there is none.
func (r *Registry) NewestCertificateOfSubject(ctx context.Context, rawSubject []byte) (c Certificate, ok bool, err error) {
	row, err := r.read().GetNewestCertificateOfSubject(ctx, encodeName(rawSubject))
	if store.IsNotFound(err) {
		return Certificate{}, false, nil
	}
	return r.certificate(row), err == nil, err
}

// CACertificatesOfSubject returns the registered CAs with a subject, given in
// DER form: 10 at most.
func (r *Registry) CACertificatesOfSubject(ctx context.Context, rawSubject []byte) ([]CACertificate, error) {
	rows, err := r.read().ListCACertificatesOfSubject(ctx, encodeName(rawSubject))
	if err != nil {
		return nil, err
	}
	list := make([]CACertificate, len(rows))
	for i, row := range rows {
		list[i] = r.caCertificate(row)
	}
	return list, nil
}

// fillCertificateNames stores the names of certificates that were registered
// before the database had columns for them. It is done once; after that it
// costs one look into an index.
func (r *Registry) fillCertificateNames(ctx context.Context) error {
	const batch = 500 // one transaction each, so that a start that is interrupted loses little
	for {
		rows, err := r.read().ListCertificatesWithoutNames(ctx, batch)
		if err != nil || len(rows) == 0 {
			return err
		}
		err = r.write(ctx, func(t *tx) error {
			for _, row := range rows {
				names := registrydb.SetCertificateNamesParams{CertificateID: row.CertificateID, Subject: unreadableName, Issuer: unreadableName}
				if cert, err := FirstCertificate(row.PEM); err == nil {
					names.Subject, names.Issuer = encodeName(cert.RawSubject), encodeName(cert.RawIssuer)
				}
				if err := t.SetCertificateNames(ctx, names); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}
