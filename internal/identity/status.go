package identity

import (
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// CertificateStatus returns the status that the certificate with that ID has
// now; one that is not registered, or not any more, is DELETED. It answers from
// the same memory as [Service.CertificateByFingerprint], and as freshly.
func (s *Service) CertificateStatus(ctx context.Context, certificateID string) (registry.CertificateStatus, error) {
	fp, ok := ParseFingerprint(certificateID)
	if !ok {
		return registry.StatusDeleted, nil
	}
	c, found, err := s.CertificateByFingerprint(ctx, fp)
	switch {
	case err != nil:
		return "", err
	case !found:
		return registry.StatusDeleted, nil
	}
	return c.Status, nil
}
