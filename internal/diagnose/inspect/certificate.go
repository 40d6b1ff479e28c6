package inspect

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/probe"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// certificate looks up the device's certificate by its fingerprint, and what it may do.
func (l *look) certificate(ctx context.Context) []probe.Result {
	id := l.device.Fingerprint
	if id == "" {
		return nil
	}
	// Provisional: enough for a certificate that can't be described.
	if l.report.Account != "" {
		l.report.PrincipalARN = fmt.Sprintf("arn:%s:iot:%s:%s:cert/%s", l.report.Partition, l.region, l.report.Account, id)
	}
	out, err := ask(ctx, l.iot.DescribeCertificate, &iot.DescribeCertificateInput{CertificateId: &id})
	switch {
	case absent(err):
		return l.unregistered(ctx, id)
	case err != nil:
		results := []probe.Result{l.unseen("iot:DescribeCertificate", err)}
		return append(results, l.authorization(ctx)...)
	}
	about := out.CertificateDescription
	l.report.PrincipalARN = aws.ToString(about.CertificateArn)
	results := []probe.Result{result(check.CertRegistered, probe.Pass, attempt.F("certificate_id", id))}
	results = append(results, statusOf(about))
	return append(results, l.authorization(ctx)...)
}

// statusOf judges the status of a registered certificate. Source: connect sheet 4.3.
func statusOf(about *types.CertificateDescription) probe.Result {
	c, outcome := check.CertInactive, probe.Fail
	switch about.Status {
	case types.CertificateStatusActive:
		c, outcome = check.CertActive, probe.Pass
	case types.CertificateStatusRevoked:
		c = check.CertRevoked
	case types.CertificateStatusPendingActivation:
		c = check.CertPendingActivation
	case types.CertificateStatusPendingTransfer:
		c = check.CertPendingTransfer
	default:
	}
	return result(c, outcome, attempt.F("certificate_id", aws.ToString(about.CertificateId)), attempt.F("status", string(about.Status)))
}

// unregistered explains a certificate that is not in this account and Region.
func (l *look) unregistered(ctx context.Context, id string) []probe.Result {
	evidence := []attempt.Field{attempt.F("certificate_id", id), attempt.F("account", l.report.Account), attempt.F("region", l.region)}
	if cert := l.device.Certificate; cert != nil {
		evidence = append(evidence, attempt.F("subject", cert.Subject.String()), attempt.F("issuer", cert.Issuer.String()))
	}
	results := []probe.Result{result(check.CertNotRegistered, probe.Fail, evidence...)}
	for _, region := range slices.Sorted(maps.Keys(l.elsewhere)) {
		_, err := ask(ctx, l.elsewhere[region].DescribeCertificate, &iot.DescribeCertificateInput{CertificateId: &id})
		switch {
		case err == nil:
			results = append(results, result(check.CertRegisteredElsewhere, probe.Fail, attempt.F("certificate_id", id), attempt.F("offered", l.region), attempt.F("required", region), attempt.F("region", region)))
		case !absent(err):
			r := l.unseen("iot:DescribeCertificate", err)
			r.Note += " in " + region
			results = append(results, r)
		}
	}
	if l.device.Certificate != nil {
		results = append(results, l.signer(ctx)...)
	}
	return results
}

// maxCAs bounds how many CA certificates are read to find who signed the device's.
const maxCAs = 10

// signer looks for the registered CA that signed the device's certificate.
func (l *look) signer(ctx context.Context) []probe.Result {
	list, err := ask(ctx, l.iot.ListCACertificates, &iot.ListCACertificatesInput{PageSize: aws.Int32(maxCAs)})
	if err != nil {
		return []probe.Result{l.unseen("iot:ListCACertificates", err)}
	}
	leaf := l.device.Certificate
	for _, ca := range list.Certificates {
		out, err := ask(ctx, l.iot.DescribeCACertificate, &iot.DescribeCACertificateInput{CertificateId: ca.CertificateId})
		if absent(err) {
			continue
		} else if err != nil {
			return []probe.Result{l.unseen("iot:DescribeCACertificate", err)}
		}
		signer, err := registry.FirstCertificate(aws.ToString(out.CertificateDescription.CertificatePem))
		if err != nil || !bytes.Equal(signer.RawSubject, leaf.RawIssuer) || signer.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) != nil {
			continue
		}
		c := check.CertRegisteredCA
		if out.CertificateDescription.Status == types.CACertificateStatusInactive {
			c = check.CertRegisteredCAInactive
		}
		return []probe.Result{result(c, probe.Warn, attempt.F("issuer", leaf.Issuer.String()), attempt.F("ca_certificate_id", aws.ToString(ca.CertificateId)))}
	}
	return nil
}

// serverName is what the device sends as server name.
func (d *Device) serverName() string { return cmp.Or(d.SNI, d.Endpoint) }
