package registry

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// MaxCAsOfSubject is how many registered CAs may have the same subject. Source: connect sheet 4.5.
const MaxCAsOfSubject = 10

// registeredCA is the row of a CA.
type registeredCA = registrydb.CACertificate

// A CACertificate is a registered CA.
type CACertificate struct {
	ID               string // lower-case hex SHA-256 of the DER form
	ARN              string
	PEM              string
	Active           bool
	AutoRegistration bool
	Mode             string // DEFAULT or SNI_ONLY
	Registration     RegistrationConfig
	GenerationID     string
	CustomerVersion  int64
	NotBefore        time.Time
	NotAfter         time.Time
	CreatedAt        time.Time
	LastModifiedAt   time.Time
}

// A RegistrationConfig says how a CA's devices are provisioned just in time.
type RegistrationConfig struct {
	TemplateBody string // JSON; or
	TemplateName string
	RoleARN      string
}

func (r *Registry) caCertificate(row registeredCA) CACertificate {
	return CACertificate{
		ID:               row.CACertificateID,
		ARN:              r.ARN("cacert", row.CACertificateID),
		PEM:              row.PEM,
		Active:           row.Status == string(StatusActive),
		AutoRegistration: row.AutoRegistrationStatus == autoRegistrationEnable,
		Mode:             row.CertificateMode,
		Registration:     RegistrationConfig{row.TemplateBody, row.TemplateName, row.RoleARN},
		GenerationID:     row.GenerationID,
		CustomerVersion:  row.CustomerVersion,
		NotBefore:        time.UnixMilli(row.NotBefore),
		NotAfter:         time.UnixMilli(row.NotAfter),
		CreatedAt:        time.UnixMilli(row.CreatedAt),
		LastModifiedAt:   time.UnixMilli(row.LastModifiedAt),
	}
}

const (
	autoRegistrationEnable  = "ENABLE"
	autoRegistrationDisable = "DISABLE"
)

func autoRegistrationStatus(enable bool) string {
	if enable {
		return autoRegistrationEnable
	}
	return autoRegistrationDisable
}

// caErrorAs says which CA is missing, as a refusal of that kind.
func (r *Registry) caErrorAs(err error, kind Kind, caID string) error {
	if store.IsNotFound(err) {
		return Errorf(kind, "The CA certificate is not registered (caCertificateId=%s)", caID).About(caID, r.ARN("cacert", caID))
	}
	return err
}

// CARegistration asks for the registration of a CA.
type CARegistration struct {
	PEM              string
	VerificationPEM  string // proves possession of the CA's key; for mode DEFAULT only
	Active           bool
	AutoRegistration bool
	Mode             string // DEFAULT when empty
	Registration     RegistrationConfig
	Tags             []Tag
}

// RegisterCACertificate registers a CA. It checks in this order:
//
//   - the certificate can be read and is a CA: CertificateValidation
//   - mode DEFAULT: the verification certificate is there, was signed by the
//     CA (CertificateValidation), and has the registration code as its common
//     name (RegistrationCodeValidation); mode SNI_ONLY: there is none (InvalidRequest)
//   - the registration configuration: InvalidRequest, ResourceNotFound
//   - the CA is not registered yet: ResourceAlreadyExists
//   - fewer than 10 CAs have that subject: LimitExceeded
//
// Source: connect sheet 4.5.
func (r *Registry) RegisterCACertificate(ctx context.Context, req CARegistration) (CACertificate, error) {
	ca, err := parseCACertificate(req.PEM)
	if err != nil {
		return CACertificate{}, err
	}
	verification, err := parseVerification(ca, req)
	if err != nil {
		return CACertificate{}, err
	}
	row := registeredCA{
		CACertificateID:        CertificateID(ca.Raw),
		PEM:                    encodePEM(ca.Raw),
		Subject:                encodeName(ca.RawSubject),
		Status:                 string(activeOr(req.Active, StatusInactive)),
		AutoRegistrationStatus: autoRegistrationStatus(req.AutoRegistration),
		CertificateMode:        ModeDefault,
		TemplateBody:           req.Registration.TemplateBody,
		TemplateName:           req.Registration.TemplateName,
		RoleARN:                req.Registration.RoleARN,
		GenerationID:           uuid.NewString(),
		CustomerVersion:        1,
		NotBefore:              ca.NotBefore.UnixMilli(),
		NotAfter:               ca.NotAfter.UnixMilli(),
	}
	if req.Mode == ModeSNIOnly {
		row.CertificateMode = ModeSNIOnly
	}
	err = r.write(ctx, func(t *tx) error {
		if verification != nil {
			if err := checkRegistrationCode(ctx, t, verification); err != nil {
				return err
			}
		}
		if err := checkRegistrationConfig(req.Registration); err != nil {
			return err
		}
		row.CreatedAt, row.LastModifiedAt = t.now, t.now
		return r.insertCA(ctx, t, row, req.Tags)
	})
	return r.caCertificate(row), err
}

// insertCA registers row unless it is registered or its subject has too many.
func (r *Registry) insertCA(ctx context.Context, t *tx, row registeredCA, tags []Tag) error {
	same, err := t.ListCACertificatesOfSubject(ctx, row.Subject)
	if err != nil {
		return err
	}
	for _, other := range same {
		if other.CACertificateID == row.CACertificateID {
			return Errorf(ResourceAlreadyExists, "CA certificate is already registered (caCertificateId=%s)", row.CACertificateID).
				About(row.CACertificateID, r.ARN("cacert", row.CACertificateID))
		}
	}
	if len(same) >= MaxCAsOfSubject {
		return Errorf(LimitExceeded, "%d CA certificates with the same subject are registered; that is the limit.", len(same))
	}
	if err := t.InsertCACertificate(ctx, registrydb.InsertCACertificateParams(row)); err != nil {
		return err
	}
	if err := r.tagNew(ctx, t, "cacert", row.CACertificateID, tags); err != nil {
		return err
	}
	t.changed(Change{Kind: CACertificateChanged, CertificateID: row.CACertificateID, Status: row.Status})
	return nil
}

// parseCACertificate reads the certificate of a CA.
func parseCACertificate(text string) (*x509.Certificate, error) {
	ca, err := parseCertificate("caCertificate", text)
	if err != nil {
		return nil, err
	}
	if !ca.BasicConstraintsValid || !ca.IsCA {
		return nil, Errorf(CertificateValidation, "caCertificate is not the certificate of a CA: its basic constraints lack CA:TRUE.")
	}
	return ca, nil
}

// parseVerification reads the proof that the caller holds the key of ca, nil
// where the mode has none.
func parseVerification(ca *x509.Certificate, req CARegistration) (*x509.Certificate, error) {
	switch req.Mode {
	case ModeSNIOnly:
		if req.VerificationPEM != "" {
			return nil, Errorf(InvalidRequest, "A CA certificate of the mode SNI_ONLY is registered without verificationCertificate.")
		}
		return nil, nil
	case ModeDefault, "":
	default:
		return nil, Errorf(InvalidRequest, "There is no certificate mode %q; use DEFAULT or SNI_ONLY.", req.Mode)
	}
	if req.VerificationPEM == "" {
		return nil, Errorf(CertificateValidation, "A CA certificate of the mode DEFAULT needs a verificationCertificate: a certificate that it signed, whose common name is the registration code.")
	}
	v, err := parseCertificate("verificationCertificate", req.VerificationPEM)
	if err != nil {
		return nil, err
	}
	if err := v.CheckSignatureFrom(ca); err != nil {
		return nil, Errorf(CertificateValidation, "The caCertificate did not sign the verificationCertificate: %s", reason(err))
	}
	return v, nil
}

// checkRegistrationCode refuses a verification certificate for another code.
func checkRegistrationCode(ctx context.Context, t *tx, verification *x509.Certificate) error {
	code, err := t.GetSetting(ctx, registrationCodeSetting)
	if store.IsNotFound(err) {
		return Errorf(RegistrationCodeValidation, "There is no registration code yet; get one, and make it the common name of the verificationCertificate.")
	}
	if err != nil {
		return err
	}
	if got := verification.Subject.CommonName; got != code {
		return Errorf(RegistrationCodeValidation, "The common name of the verificationCertificate is %q, not this account's registration code.", got)
	}
	return nil
}

// checkRegistrationConfig refuses a configuration that can't be carried out.
func checkRegistrationConfig(c RegistrationConfig) error {
	switch {
	case c.TemplateBody != "" && c.TemplateName != "":
		return Errorf(InvalidRequest, "registrationConfig holds both templateBody and templateName; give one.")
	case c.TemplateBody != "" && !json.Valid([]byte(c.TemplateBody)):
		return Errorf(InvalidRequest, "The templateBody of registrationConfig is not valid JSON.")
	case c.TemplateName != "":
		return Errorf(ResourceNotFound, "The provisioning template does not exist (templateName=%s)", c.TemplateName)
	}
	return nil
}
