package registry

import (
	"context"

	"github.com/google/uuid"

	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// UpdateCertificate sets the status of a certificate. Live connections of one
// that stops being ACTIVE are closed by whoever watches the change. It refuses
// with
//
//   - InvalidRequest: PENDING_TRANSFER and PENDING_ACTIVATION, which only AWS's own procedures set
//   - ResourceNotFound
//   - CertificateState: a certificate that is being transferred
//
// Source: connect sheet 4.3.
func (r *Registry) UpdateCertificate(ctx context.Context, certificateID string, status CertificateStatus) error {
	switch status {
	case StatusActive, StatusInactive, StatusRevoked, StatusRegisterInactive:
	case StatusPendingTransfer, StatusPendingActivation:
		return Errorf(InvalidRequest, "The status %s can't be set by a request; use ACTIVE, INACTIVE or REVOKED.", status)
	default:
		return Errorf(InvalidRequest, "There is no certificate status %q; use ACTIVE, INACTIVE or REVOKED.", status)
	}
	return r.write(ctx, func(t *tx) error {
		row, err := t.GetCertificate(ctx, certificateID)
		if err != nil {
			return r.certificateError(err, certificateID)
		}
		previous := CertificateStatus(row.Status)
		if previous == StatusPendingTransfer {
			return Errorf(CertificateState, "The certificate is being transferred; its status can't be changed before the transfer ends (certificateId=%s)", certificateID).
				About(certificateID, r.ARN("cert", certificateID))
		}
		if previous == status {
			return nil
		}
		err = t.SetCertificateStatus(ctx, registrydb.SetCertificateStatusParams{
			CertificateID:  certificateID,
			Status:         string(status),
			GenerationID:   uuid.NewString(),
			LastModifiedAt: t.now,
		})
		if err != nil {
			return err
		}
		return r.noteStatus(ctx, t, certificateID, previous, status)
	})
}

// DeleteCertificate deletes a certificate, which must not be ACTIVE and have
// neither things nor policies; with force, policies are detached. It refuses
// with ResourceNotFound, CertificateState and DeleteConflict.
// Source: connect sheet 4.3.
func (r *Registry) DeleteCertificate(ctx context.Context, certificateID string, force bool) error {
	target := Target{TargetCertificate, certificateID}
	arn := r.TargetARN(target)
	return r.write(ctx, func(t *tx) error {
		row, err := t.GetCertificate(ctx, certificateID)
		if err != nil {
			return r.certificateError(err, certificateID)
		}
		if row.Status == string(StatusActive) {
			return Errorf(CertificateState, "Certificate must be deactivated (not ACTIVE) before deletion. (certificateId=%s)", certificateID).About(certificateID, arn)
		}
		if row.Status == string(StatusPendingTransfer) {
			return Errorf(CertificateState, "The certificate is being transferred and can't be deleted (certificateId=%s)", certificateID).About(certificateID, arn)
		}
		things, err := t.CountThingsOfPrincipal(ctx, registrydb.CountThingsOfPrincipalParams{PrincipalType: string(target.Type), PrincipalName: target.Name})
		if err != nil {
			return err
		}
		if things > 0 {
			return Errorf(DeleteConflict, "Things must be detached before deletion (arn: %s)", arn).About(certificateID, arn)
		}
		if err := r.detachAll(ctx, t, target, force); err != nil {
			return err
		}
		if err := t.DeleteCertificate(ctx, certificateID); err != nil {
			return err
		}
		return r.noteStatus(ctx, t, certificateID, CertificateStatus(row.Status), StatusDeleted)
	})
}

// detachAll detaches every policy of a certificate that is to be deleted, or
// refuses when there is one and force is not given.
func (r *Registry) detachAll(ctx context.Context, t *tx, target Target, force bool) error {
	names, err := t.ListPoliciesOfTarget(ctx, registrydb.ListPoliciesOfTargetParams{TargetType: string(target.Type), TargetName: target.Name})
	if err != nil {
		return err
	}
	if len(names) > 0 && !force {
		return Errorf(DeleteConflict, "Certificate policies must be detached before deletion (arn: %s)", r.TargetARN(target)).About(target.Name, r.TargetARN(target))
	}
	return r.dropAttachments(ctx, t, target, names)
}
