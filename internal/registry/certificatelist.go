package registry

import (
	"context"
	"math"

	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// ListCertificates lists all certificates in the order of their creation, 25 a
// page unless the page says otherwise.
func (r *Registry) ListCertificates(ctx context.Context, page Page) (Listing[Certificate], error) {
	return r.listByAge(page, func(afterTime int64, afterID string, size int32) ([]registrydb.Certificate, error) {
		if page.Descending {
			return r.read().ListCertificatesDescending(ctx, registrydb.ListCertificatesDescendingParams{AfterTime: afterTime, AfterID: afterID, Size: size})
		}
		return r.read().ListCertificates(ctx, registrydb.ListCertificatesParams{AfterTime: afterTime, AfterID: afterID, Size: size})
	})
}

// ListCertificatesByCA lists the certificates that a registered CA signed, in
// the order of their creation. For an unknown CA the list is empty.
func (r *Registry) ListCertificatesByCA(ctx context.Context, caID string, page Page) (Listing[Certificate], error) {
	return r.listByAge(page, func(afterTime int64, afterID string, size int32) ([]registrydb.Certificate, error) {
		if page.Descending {
			return r.read().ListCertificatesByCADescending(ctx, registrydb.ListCertificatesByCADescendingParams{
				CACertificateID: caID, AfterTime: afterTime, AfterID: afterID, Size: size,
			})
		}
		return r.read().ListCertificatesByCA(ctx, registrydb.ListCertificatesByCAParams{
			CACertificateID: caID, AfterTime: afterTime, AfterID: afterID, Size: size,
		})
	})
}

// listByAge fetches a page and one row more.
func (r *Registry) listByAge(page Page, fetch func(afterTime int64, afterID string, size int32) ([]registrydb.Certificate, error)) (Listing[Certificate], error) {
	afterTime, afterID, err := page.age()
	if err != nil {
		return Listing[Certificate]{}, err
	}
	limit := page.limit(defaultPageSize)
	rows, err := fetch(afterTime, afterID, int32(limit+1))
	if err != nil {
		return Listing[Certificate]{}, err
	}
	return cut(rows, limit, func(row registrydb.Certificate) string { return ageKey(row.CreatedAt, row.CertificateID) }, r.certificate), nil
}

// age returns the place after which p begins in a list ordered by creation.
func (p Page) age() (createdAt int64, id string, err error) {
	switch {
	case p.After != "":
		createdAt, id, ok := parseAgeKey(p.After)
		if !ok {
			return 0, "", errBadMarker()
		}
		return createdAt, id, nil
	case p.Descending:
		return math.MaxInt64, "", nil
	}
	return math.MinInt64, "", nil
}
