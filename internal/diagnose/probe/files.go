package probe

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// files reads the device's certificate, key and trust store. It goes on after a
// failure as far as it can: a device may have several faults at once.
func (p *run) files(context.Context) bool {
	if p.From != "" && !p.discover() {
		return false
	}
	p.report.Facts.Files = Files{p.CertFile, p.KeyFile, p.CAFile}
	ok := true
	switch {
	case p.CertFile != "" && p.KeyFile != "":
		ok = p.certificateAndKey()
	case p.CertFile != "" || p.KeyFile != "":
		p.add(check.FileMissing, Fail, f("offered", "one of certificate and key"), f("required", "both")).Note = "A client certificate needs its private key, and the other way round."
		ok = false
	default:
		p.skip(check.FileCertFormat, "No certificate was given: the device authenticates in another way, or the server refuses it.")
	}
	return p.trustStore() && ok
}

// open reads and parses one file; role is what it was given as.
func (p *run) open(path, role string) (parsed, bool) {
	raw, err := readFile(path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		p.add(check.FilePermissions, Fail, f("path", path), f("required", "readable by the user that runs the client"), f("error", err.Error()))
		return parsed{}, false
	case err != nil:
		p.add(check.FileMissing, Fail, f("path", path), f("error", err.Error()))
		return parsed{}, false
	}
	file := parse(raw)
	if file.encoding != "" {
		p.add(check.FileEncoding, Fail, f("path", path), f("offered", file.encoding), f("required", "plain ASCII")).Note = role + ": the probe reads it all the same, the device's TLS library does not."
	}
	return file, true
}

func (p *run) certificateAndKey() bool {
	cert, certOK := p.open(p.CertFile, "Certificate")
	key, keyOK := p.open(p.KeyFile, "Private key")
	if !certOK || !keyOK {
		return false
	}
	if cert.kind == kindKey && key.kind == kindCertificates {
		p.add(check.FileSwapped, Fail, f("path", p.CertFile), f("required", "the certificate"), f("offered", "the private key")).Note = "Certificate and key are swapped."
		return false
	}
	certOK = p.certificate(cert)
	keyOK = p.key(key)
	if !certOK || !keyOK {
		return false
	}
	leaf := p.material.chain[0]
	if !fits(p.material.key, leaf) {
		for i, other := range p.material.chain {
			if i > 0 && fits(p.material.key, other) {
				p.add(check.CertKeyMismatch, Fail, f("path", p.KeyFile), f("certificate_id", p.report.Facts.Fingerprint),
					f("reason", fmt.Sprintf("the key belongs to certificate %d of the file, which must come first", i+1)))
				return false
			}
		}
		p.add(check.CertKeyMismatch, Fail, f("path", p.KeyFile), f("certificate_id", p.report.Facts.Fingerprint),
			f("offered", keyName(p.material.key.Public())), f("required", keyName(leaf.PublicKey)+", the pair of the certificate's public key"))
		return false
	}
	p.add(check.CertKeyProof, Pass, f("path", p.KeyFile))
	return true
}

func (p *run) certificate(file parsed) bool {
	if file.kind != kindCertificates {
		switch file.kind {
		case kindNothing:
			p.add(check.FileCertFormat, Fail, f("path", p.CertFile), f("reason", file.problem.Error()))
		default:
			p.add(check.FileSwapped, Fail, f("path", p.CertFile), f("required", "the certificate"), f("offered", file.kind.String()))
		}
		return false
	}
	leaf := file.certs[0]
	sum := sha256.Sum256(leaf.Raw)
	p.material.chain = file.certs
	p.report.Facts.Certificate, p.report.Facts.Chain, p.report.Facts.Fingerprint = leaf, file.certs, hex.EncodeToString(sum[:])
	id := f("certificate_id", p.report.Facts.Fingerprint)
	p.add(check.FileCertFormat, Pass, f("path", p.CertFile), id, f("subject", leaf.Subject.String()), f("issuer", leaf.Issuer.String()))
	ok := true
	if leaf.IsCA {
		p.add(check.CertRegisteredCAPresented, Fail, id, f("subject", leaf.Subject.String()), f("path", p.CertFile))
		ok = false
	}
	if algorithm, required := refusedAlgorithm(leaf); algorithm != "" {
		p.add(check.CertAlgorithm, Fail, id, f("algorithm", algorithm), f("required", required))
		ok = false
	} else {
		p.add(check.CertAlgorithm, Pass, f("algorithm", keyName(leaf.PublicKey)+", "+leaf.SignatureAlgorithm.String()))
	}
	now := p.Now().UTC()
	before, after, nowF := f("not_before", stamp(leaf.NotBefore)), f("not_after", stamp(leaf.NotAfter)), f("now", stamp(now))
	switch {
	case now.After(leaf.NotAfter):
		p.add(check.CertExpired, Fail, id, after, nowF)
		ok = false
	case now.Before(leaf.NotBefore):
		// The server judges by its own clock, and this one may be wrong: the handshake tells.
		p.add(check.CertNotYetValid, Warn, id, before, nowF).Note = "By this machine's clock."
	default:
		p.add(check.CertValidity, Pass, before, after, nowF)
	}
	return ok
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

const acceptedAlgorithms = "RSA from 2048 bits or ECDSA P-256, P-384, P-521, signed with SHA-256, SHA-384 or SHA-512"

// refusedAlgorithm names what AWS does not accept of cert. Source: connect sheet 4.2.
func refusedAlgorithm(cert *x509.Certificate) (algorithm, required string) {
	switch k := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return keyName(k), acceptedAlgorithms
		}
	case *ecdsa.PublicKey:
		if c := k.Curve; c != elliptic.P256() && c != elliptic.P384() && c != elliptic.P521() {
			return keyName(k), acceptedAlgorithms
		}
	default:
		return keyName(k), acceptedAlgorithms
	}
	switch cert.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1, x509.PureEd25519, x509.UnknownSignatureAlgorithm:
		return cert.SignatureAlgorithm.String(), acceptedAlgorithms
	default:
		return "", ""
	}
}

func (p *run) key(file parsed) bool {
	path := f("path", p.KeyFile)
	switch {
	case file.kind != kindKey && file.kind != kindNothing:
		p.add(check.FileSwapped, Fail, path, f("required", "the private key"), f("offered", file.kind.String()))
		return false
	case file.odd != "":
		p.add(check.FileKeyEncoding, Fail, path, f("offered", file.odd), f("required", "unencrypted PKCS#8, PKCS#1 or SEC1, with a named curve"))
		return false
	case file.key == nil:
		p.add(check.FileKeyFormat, Fail, path, f("reason", file.problem.Error()))
		return false
	}
	p.material.key = file.key
	form := file.form + " PEM"
	if file.der {
		form = file.form + " DER"
	}
	p.add(check.FileKeyFormat, Pass, path, f("offered", keyName(file.key.Public())+", "+form))
	p.keyForm(file, path.Value, form)
	p.keyPermissions()
	return true
}

// keyForm compares the key's form with the one that the device's TLS library
// reads, if that was given.
func (p *run) keyForm(file parsed, path, form string) {
	want := strings.ToLower(p.KeyForm)
	have := map[string]bool{"pem": !file.der, "der": file.der, "pkcs8": file.form == "PKCS#8", "pkcs1": file.form == "PKCS#1", "sec1": file.form == "SEC1"}
	right, known := have[want]
	switch {
	case !known: // not given: any will do
	case right:
		p.add(check.FileKeyEncoding, Pass, f("path", path), f("offered", form))
	case want == "pem" || want == "der":
		p.add(check.FileKeyFormat, Fail, f("path", path), f("offered", form), f("required", strings.ToUpper(want)),
			f("reason", "it is "+form+", and this client reads "+strings.ToUpper(want)))
	default:
		p.add(check.FileKeyEncoding, Fail, f("path", path), f("offered", form), f("required", want))
	}
}

// keyPermissions warns of a key that others may read. AWS IoT Device Client refuses it: PROBLEMS D-16.
func (p *run) keyPermissions() {
	info, err := os.Stat(p.KeyFile)
	if err != nil || runtime.GOOS == "windows" {
		return
	}
	mode := f("offered", fmt.Sprintf("mode %04o", info.Mode().Perm()))
	if info.Mode().Perm()&0o077 != 0 {
		p.add(check.FilePermissions, Warn, f("path", p.KeyFile), mode, f("required", "mode 0600")).Note = "Others on this machine may read the private key. Some clients refuse such a file."
		return
	}
	p.add(check.FilePermissions, Pass, f("path", p.KeyFile), mode)
}

// trustStore reads the CA file and looks for a mix-up with the device's files.
func (p *run) trustStore() bool {
	if p.CAFile == "" {
		p.skip(check.TLSTrustStoreMissing, "No root CA was given: this machine's trust store is used. The device needs its own.")
		return true
	}
	path := f("path", p.CAFile)
	raw, err := readFile(p.CAFile)
	if err != nil {
		p.add(check.TLSTrustStoreMissing, Fail, path, f("error", err.Error()))
		return false
	}
	file := parse(raw)
	if file.encoding != "" {
		p.add(check.FileEncoding, Fail, path, f("offered", file.encoding), f("required", "plain ASCII"))
	}
	switch file.kind {
	case kindNothing:
		c := check.FileCertFormat
		if len(bytes.TrimSpace(raw)) == 0 {
			c = check.TLSTrustStoreMissing
		}
		p.add(c, Fail, path, f("reason", file.problem.Error()))
		return false
	case kindCertificates:
	default:
		p.add(check.FileSwapped, Fail, path, f("required", "the root CA"), f("offered", file.kind.String()))
		return false
	}
	p.material.pool = x509.NewCertPool()
	var subjects []string
	for _, cert := range file.certs {
		p.material.pool.AddCert(cert)
		if cert.IsCA || cert.Version == 1 {
			p.material.roots = append(p.material.roots, cert)
			subjects = append(subjects, cert.Subject.String())
		}
	}
	p.report.Facts.TrustStore = file.certs
	if len(p.material.roots) == 0 {
		leaf := file.certs[0]
		if len(p.material.chain) > 0 && leaf.Equal(p.material.chain[0]) {
			p.add(check.FileSwapped, Fail, path, f("required", "the root CA"), f("offered", "the device's own certificate"))
			return false
		}
		p.add(check.TLSTrustStoreNotACA, Fail, path, f("offered", leaf.Subject.String()))
		return false
	}
	p.add(check.TLSTrustStoreMissing, Pass, path, f("trust_store", list(subjects)))
	return true
}

// list joins names, the first few of many.
func list(names []string) string {
	const shown = 4
	if len(names) > shown {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], "; "), len(names)-shown)
	}
	return strings.Join(names, "; ")
}
