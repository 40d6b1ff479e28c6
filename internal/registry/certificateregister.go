package registry

import (
	"context"
	"crypto/x509"
)

// RegisterCertificate registers a device certificate that a registered, ACTIVE
// CA signed. caPEM names that CA; without it the CA is found by the issuer's
// name and key. An empty status is INACTIVE. The certificate takes the mode of
// its CA. It refuses with
//
//   - InvalidRequest: a status other than ACTIVE, INACTIVE and REVOKED
//   - CertificateValidation: what can't be read, keys and signatures that are
//     not accepted, no registered CA that signed it
//   - CertificateConflict: several registered CAs with the same subject and key
//   - CertificateState: the CA is not ACTIVE
//   - ResourceAlreadyExists: the certificate is registered
//
// Source: connect sheet 4.5.
func (r *Registry) RegisterCertificate(ctx context.Context, certPEM, caPEM string, status CertificateStatus) (Certificate, error) {
	status, err := registrationStatus(status)
	if err != nil {
		return Certificate{}, err
	}
	cert, err := parseCertificate("certificatePem", certPEM)
	if err != nil {
		return Certificate{}, err
	}
	var named *x509.Certificate
	if caPEM != "" {
		if named, err = parseCertificate("caCertificatePem", caPEM); err != nil {
			return Certificate{}, err
		}
	}
	var added Certificate
	err = r.write(ctx, func(t *tx) error {
		if err := r.checkNotRegistered(ctx, t, CertificateID(cert.Raw)); err != nil {
			return err // also one that AWS issued, which no registered CA signed
		}
		ca, err := r.signerOf(ctx, t, cert, named)
		if err != nil {
			return err
		}
		if ca.Status != string(StatusActive) {
			return Errorf(CertificateState, "The CA certificate that signed this certificate has the status %s; it must be ACTIVE (caCertificateId=%s)", ca.Status, ca.CACertificateID).
				About(ca.CACertificateID, r.ARN("cacert", ca.CACertificateID))
		}
		added, err = r.insertCertificate(ctx, t, cert, newCertificate{status, ca.CertificateMode, ca.CACertificateID, "registered"})
		return err
	})
	return added, err
}

// RegisterCertificateWithoutCA registers a device certificate whatever signed
// it. Its mode is SNI_ONLY. An empty status is INACTIVE. It refuses like
// [Registry.RegisterCertificate], without the rules about the CA.
func (r *Registry) RegisterCertificateWithoutCA(ctx context.Context, certPEM string, status CertificateStatus) (Certificate, error) {
	status, err := registrationStatus(status)
	if err != nil {
		return Certificate{}, err
	}
	cert, err := parseCertificate("certificatePem", certPEM)
	if err != nil {
		return Certificate{}, err
	}
	var added Certificate
	err = r.write(ctx, func(t *tx) error {
		added, err = r.insertCertificate(ctx, t, cert, newCertificate{status: status, mode: ModeSNIOnly, origin: "registered-no-ca"})
		return err
	})
	return added, err
}

// registrationStatus checks the status that a certificate is registered with.
// The deprecated REGISTER_INACTIVE is taken for INACTIVE.
func registrationStatus(s CertificateStatus) (CertificateStatus, error) {
	switch s {
	case "", StatusRegisterInactive:
		return StatusInactive, nil
	case StatusActive, StatusInactive, StatusRevoked:
		return s, nil
	case StatusPendingTransfer, StatusPendingActivation, StatusDeleted:
	}
	return "", Errorf(InvalidRequest, "A certificate can't be registered with the status %s; use ACTIVE, INACTIVE or REVOKED.", s)
}

// signerOf finds the registered CA that signed cert: named, or, when that is
// nil, the only one with the issuer's name and a key that verifies the signature.
func (r *Registry) signerOf(ctx context.Context, t *tx, cert, named *x509.Certificate) (registeredCA, error) {
	if named != nil {
		row, err := t.GetCACertificate(ctx, CertificateID(named.Raw))
		if err != nil {
			return registeredCA{}, r.caErrorAs(err, CertificateValidation, CertificateID(named.Raw))
		}
		if err := cert.CheckSignatureFrom(named); err != nil {
			return registeredCA{}, Errorf(CertificateValidation, "The CA certificate in caCertificatePem did not sign the certificate: %s", reason(err))
		}
		return row, nil
	}
	rows, err := t.ListCACertificatesOfSubject(ctx, encodeName(cert.RawIssuer))
	if err != nil {
		return registeredCA{}, err
	}
	var found []registeredCA
	for _, row := range rows {
		ca, err := parseCertificate("CA certificate", row.PEM)
		if err != nil {
			return registeredCA{}, err
		}
		if cert.CheckSignatureFrom(ca) == nil {
			found = append(found, row)
		}
	}
	switch len(found) {
	case 0:
		return registeredCA{}, Errorf(CertificateValidation, "No registered CA certificate signed this certificate. Its issuer is %q.", cert.Issuer)
	case 1:
		return found[0], nil
	}
	return registeredCA{}, Errorf(CertificateConflict, "Several registered CA certificates have the subject %q and the key that signed this certificate; name one in caCertificatePem.", cert.Issuer).
		About(found[0].CACertificateID, r.ARN("cacert", found[0].CACertificateID))
}
