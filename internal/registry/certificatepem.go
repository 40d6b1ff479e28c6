package registry

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	minRSABits = 2048
	maxRSABits = 8192 // crypto/tls refuses greater ones in a handshake
	maxCSR     = 4096 // characters
)

// acceptedSignatures are the algorithms that AWS documents, without DSA, which
// Go can't verify. Source: connect sheet 4.2.
var acceptedSignatures = []x509.SignatureAlgorithm{
	x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
	x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
	x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512,
}

// CertificateID returns the ID of a certificate in DER form: the lower-case hex
// of its SHA-256. Source: connect sheet 4.1.
func CertificateID(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// parseCertificate reads the one certificate in text, and refuses a key or a
// signature that AWS IoT does not accept. field names the parameter.
func parseCertificate(field, text string) (*x509.Certificate, error) {
	der, err := parsePEM(text, "CERTIFICATE")
	if err != nil {
		return nil, Errorf(CertificateValidation, "%s: %v", field, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, Errorf(CertificateValidation, "%s is no valid X.509 certificate: %s", field, reason(err))
	}
	if !slices.Contains(acceptedSignatures, cert.SignatureAlgorithm) {
		return nil, Errorf(CertificateValidation, "%s is signed with %s; accepted are SHA-256, SHA-384 and SHA-512 with RSA, RSA-PSS or ECDSA.", field, cert.SignatureAlgorithm)
	}
	if err := checkKey(cert.PublicKey); err != nil {
		return nil, Errorf(CertificateValidation, "%s: %v", field, err)
	}
	return cert, nil
}

// parseCSR reads a certificate signing request, verifies that its sender holds
// the key, and returns it.
func parseCSR(text string) (*x509.CertificateRequest, error) {
	if len(text) > maxCSR {
		return nil, Errorf(InvalidRequest, "The certificate signing request has %d characters; %d are allowed.", len(text), maxCSR)
	}
	der, err := parsePEM(text, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
	if err != nil {
		return nil, Errorf(InvalidRequest, "The certificate signing request is not valid: %v", err)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, Errorf(InvalidRequest, "The certificate signing request is not valid: %s", reason(err))
	}
	if err := checkKey(csr.PublicKey); err != nil {
		return nil, Errorf(InvalidRequest, "The certificate signing request is not valid: %v", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, Errorf(InvalidRequest, "The certificate signing request is not valid: its signature (%s) does not verify with its own public key: %s",
			csr.SignatureAlgorithm, reason(err))
	}
	return csr, nil
}

// FirstCertificate returns the first certificate in a PEM text that was accepted
// before; unlike what registers one, it asks nothing about key and signature.
func FirstCertificate(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("no PEM block")
	}
	return x509.ParseCertificate(block.Bytes)
}

// parsePEM returns the one block of text, which has one of the types. What
// stands before it, as openssl -text writes it, is ignored.
func parsePEM(text string, types ...string) ([]byte, error) {
	block, rest := pem.Decode([]byte(text))
	switch {
	case block == nil:
		return nil, fmt.Errorf("it holds no PEM block; expected -----BEGIN %s-----.", types[0])
	case !slices.Contains(types, block.Type):
		return nil, fmt.Errorf("its PEM block is a %q; expected %q.", block.Type, types[0])
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, fmt.Errorf("something follows the first PEM block; expected one block and no chain.")
	}
	return block.Bytes, nil
}

// checkKey refuses keys that AWS IoT does not accept. Source: connect sheet 4.2.
func checkKey(pub any) error {
	switch key := pub.(type) {
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < minRSABits || n > maxRSABits {
			return fmt.Errorf("its RSA key has %d bits; %d to %d are accepted.", n, minRSABits, maxRSABits)
		}
		return nil
	case *ecdsa.PublicKey:
		if !slices.Contains([]elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}, key.Curve) {
			return fmt.Errorf("its key is on the curve %s; accepted are NIST P-256, P-384 and P-521.", key.Curve.Params().Name)
		}
		return nil
	}
	return fmt.Errorf("its key is of a kind that is not accepted (%s); accepted are RSA and ECDSA.", keyKind(pub))
}

func keyKind(pub any) string {
	if pub == nil {
		return "unknown"
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", pub), "*")
}

// reason shortens an error of crypto/x509 to its cause.
func reason(err error) string { return strings.TrimPrefix(err.Error(), "x509: ") }

// encodePEM writes a certificate as the API returns it.
func encodePEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
