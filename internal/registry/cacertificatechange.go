package registry

import (
	"context"

	"github.com/google/uuid"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// CACertificate returns a registered CA, or a ResourceNotFound [*Error].
func (r *Registry) CACertificate(ctx context.Context, caID string) (CACertificate, error) {
	row, err := r.read().GetCACertificate(ctx, caID)
	if err != nil {
		return CACertificate{}, r.caErrorAs(err, ResourceNotFound, caID)
	}
	return r.caCertificate(row), nil
}

// ListCACertificates lists the registered CAs in the order of their
// registration, 25 a page unless the page says otherwise; with a template name,
// those that provision by it.
func (r *Registry) ListCACertificates(ctx context.Context, templateName string, page Page) (Listing[CACertificate], error) {
	afterTime, afterID, err := page.age()
	if err != nil {
		return Listing[CACertificate]{}, err
	}
	limit := page.limit(defaultPageSize)
	var rows []registeredCA
	if page.Descending {
		rows, err = r.read().ListCACertificatesDescending(ctx, registrydb.ListCACertificatesDescendingParams{
			AfterTime: afterTime, AfterID: afterID, TemplateName: templateName, Size: int32(limit + 1),
		})
	} else {
		rows, err = r.read().ListCACertificates(ctx, registrydb.ListCACertificatesParams{
			AfterTime: afterTime, AfterID: afterID, TemplateName: templateName, Size: int32(limit + 1),
		})
	}
	if err != nil {
		return Listing[CACertificate]{}, err
	}
	return cut(rows, limit, func(row registeredCA) string { return ageKey(row.CreatedAt, row.CACertificateID) }, r.caCertificate), nil
}

// A CAUpdate changes a registered CA; nil fields stay as they are.
type CAUpdate struct {
	Active                 *bool
	AutoRegistration       *bool
	Registration           *RegistrationConfig
	RemoveAutoRegistration bool // drops the registration configuration and ends auto-registration
}

// UpdateCACertificate changes a registered CA. Certificates that it signed keep
// their status. It refuses with ResourceNotFound, and with InvalidRequest a
// registration configuration that can't be carried out or is set and removed at once.
func (r *Registry) UpdateCACertificate(ctx context.Context, caID string, u CAUpdate) error {
	if u.RemoveAutoRegistration && (u.Registration != nil || u.AutoRegistration != nil && *u.AutoRegistration) {
		return Errorf(InvalidRequest, "removeAutoRegistration can't be combined with a registrationConfig or with newAutoRegistrationStatus ENABLE.")
	}
	return r.write(ctx, func(t *tx) error {
		row, err := t.GetCACertificate(ctx, caID)
		if err != nil {
			return r.caErrorAs(err, ResourceNotFound, caID)
		}
		if u.Registration != nil {
			if err := checkRegistrationConfig(*u.Registration); err != nil {
				return err
			}
			row.TemplateBody, row.TemplateName, row.RoleARN = u.Registration.TemplateBody, u.Registration.TemplateName, u.Registration.RoleARN
		}
		if u.RemoveAutoRegistration {
			row.TemplateBody, row.TemplateName, row.RoleARN = "", "", ""
			row.AutoRegistrationStatus = autoRegistrationDisable
		}
		if u.AutoRegistration != nil {
			row.AutoRegistrationStatus = autoRegistrationStatus(*u.AutoRegistration)
		}
		if u.Active != nil {
			row.Status = string(activeOr(*u.Active, StatusInactive))
		}
		t.changed(Change{Kind: CACertificateChanged, CertificateID: caID, Status: row.Status})
		return t.UpdateCACertificate(ctx, registrydb.UpdateCACertificateParams{
			CACertificateID:        caID,
			Status:                 row.Status,
			AutoRegistrationStatus: row.AutoRegistrationStatus,
			TemplateBody:           row.TemplateBody,
			TemplateName:           row.TemplateName,
			RoleARN:                row.RoleARN,
			GenerationID:           uuid.NewString(),
			LastModifiedAt:         t.now,
		})
	})
}

// DeleteCACertificate deletes a registered CA, which must be INACTIVE.
// Certificates that it signed stay. It refuses with ResourceNotFound and CertificateState.
func (r *Registry) DeleteCACertificate(ctx context.Context, caID string) error {
	return r.write(ctx, func(t *tx) error {
		row, err := t.GetCACertificate(ctx, caID)
		if err != nil {
			return r.caErrorAs(err, ResourceNotFound, caID)
		}
		if row.Status == string(StatusActive) {
			return Errorf(CertificateState, "The CA certificate must be deactivated (not ACTIVE) before deletion (caCertificateId=%s)", caID).
				About(caID, r.ARN("cacert", caID))
		}
		if err := t.DeleteCACertificate(ctx, caID); err != nil {
			return err
		}
		if err := r.untagGone(ctx, t, "cacert", caID); err != nil {
			return err
		}
		t.changed(Change{Kind: CACertificateChanged, CertificateID: caID, Status: string(StatusDeleted)})
		return nil
	})
}

const registrationCodeSetting = "registration_code"

// RegistrationCode returns the account's registration code, 64 hex digits, and
// makes it at the first call. Source: connect sheet 4.1.
func (r *Registry) RegistrationCode(ctx context.Context) (string, error) {
	code, err := r.read().GetSetting(ctx, registrationCodeSetting)
	if !store.IsNotFound(err) {
		return code, err
	}
	err = r.write(ctx, func(t *tx) error {
		code, err = t.GetSetting(ctx, registrationCodeSetting)
		if !store.IsNotFound(err) {
			return err // another call was faster
		}
		code = randomString(64, "0123456789abcdef")
		return t.PutSetting(ctx, registrydb.PutSettingParams{Name: registrationCodeSetting, Value: code})
	})
	return code, err
}

// DeleteRegistrationCode forgets the registration code: the next one differs.
// It refuses with ResourceNotFound when there is none.
func (r *Registry) DeleteRegistrationCode(ctx context.Context) error {
	return r.write(ctx, func(t *tx) error {
		n, err := t.DeleteSetting(ctx, registrationCodeSetting)
		if err == nil && n == 0 {
			return Errorf(ResourceNotFound, "This account has no registration code.")
		}
		return err
	})
}
