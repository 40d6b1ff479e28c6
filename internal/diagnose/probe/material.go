package probe

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// maxFile bounds a certificate, key or CA file. AWS takes 64 KiB of PEM
// (connect sheet 4.2); a bundle of all public roots has some 250 KiB.
const maxFile = 1 << 20

// material is what the device's files hold.
type material struct {
	chain []*x509.Certificate // the device's, leaf first
	key   crypto.Signer
	roots []*x509.Certificate
	pool  *x509.CertPool // nil: that of this machine
}

// kind is what a file holds, whatever it is called.
type kind uint8

const (
	kindNothing kind = iota
	kindCertificates
	kindKey
	kindRequest // certificate signing request
	kindPublicKey
)

func (k kind) String() string {
	return [...]string{"neither certificate nor key", "a certificate", "a private key", "a certificate signing request", "a public key"}[k]
}

// A parsed is a file by its content.
type parsed struct {
	kind     kind
	certs    []*x509.Certificate
	key      crypto.Signer
	form     string // of a key: PKCS#1, SEC1, PKCS#8
	der      bool
	encoding string // what is wrong with the text, such as "UTF-16 text (first bytes FF FE)"; empty if nothing
	problem  error  // why a PEM block or the DER can't be parsed
	odd      string // of a key that is sound: an encoding that many libraries do not take
}

// readFile reads at most maxFile bytes.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("open %s: not a regular file", path)
	}
	raw, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(raw) > maxFile {
		err = fmt.Errorf("read %s: larger than %d bytes", path, maxFile)
	}
	return raw, err
}

// parse tells what raw holds, as PEM in any encoding, or as DER.
func parse(raw []byte) (f parsed) {
	text, encoding := plainText(raw)
	f.encoding = encoding
	if bytes.Contains(text, []byte("-----BEGIN")) {
		f.parsePEM(text)
		return f
	}
	f.encoding = ""
	f.parseDER(raw)
	if f.kind == kindNothing {
		f.encoding, f.problem = encoding, guess(text)
	}
	return f
}

// plainText turns raw into the ASCII that it should have been, and says what it was.
func plainText(raw []byte) (text []byte, was string) {
	switch {
	case bytes.HasPrefix(raw, []byte("\xff\xfe")), bytes.HasPrefix(raw, []byte("-\x00-\x00")):
		return everyOther(raw, 0), fmt.Sprintf("UTF-16 text (first bytes % X)", raw[:2])
	case bytes.HasPrefix(raw, []byte("\xfe\xff")), bytes.HasPrefix(raw, []byte("\x00-\x00-")):
		return everyOther(raw, 1), fmt.Sprintf("UTF-16 text (first bytes % X)", raw[:2])
	case bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")):
		return raw[3:], "text with a byte order mark (first bytes EF BB BF)"
	}
	begin := bytes.Index(raw, []byte("-----BEGIN"))
	if begin < 0 {
		return raw, ""
	}
	if !bytes.Contains(raw[begin:], []byte("\n")) {
		switch {
		case bytes.Contains(raw, []byte(`\n`)):
			plain := strings.NewReplacer(`\r`, "", `\n`, "\n", `"`, "").Replace(string(raw))
			return []byte(plain), `text in which line breaks are the two characters \n`
		case bytes.Contains(raw, []byte("\r")):
			return bytes.ReplaceAll(raw, []byte("\r"), []byte("\n")), "text whose lines end in CR alone"
		default:
			return oneLine(string(raw)), "text in one line, its line breaks lost"
		}
	}
	if begin > 0 && raw[begin-1] != '\n' {
		return raw[begin:], "text with something before -----BEGIN in its line"
	}
	return raw, ""
}

func everyOther(raw []byte, from int) []byte {
	out := make([]byte, 0, len(raw)/2)
	for i := from; i < len(raw); i += 2 {
		if raw[i] < 0x80 { // a byte order mark and what is no PEM anyway
			out = append(out, raw[i])
		}
	}
	return out
}

// oneLine gives PEM that lost its line breaks its two back that count.
func oneLine(s string) []byte {
	s = strings.ReplaceAll(s, "-----BEGIN", "\n-----BEGIN")
	s = strings.ReplaceAll(s, "-----END", "\n-----END")
	for _, name := range []string{"CERTIFICATE", "PRIVATE KEY"} {
		s = strings.ReplaceAll(s, name+"-----", name+"-----\n")
	}
	return []byte(s)
}

// parsePEM takes the first key, and all certificates.
func (f *parsed) parsePEM(text []byte) {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		switch {
		case block.Type == "CERTIFICATE" || block.Type == "TRUSTED CERTIFICATE":
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				f.problem = cleanError(err)
				continue
			}
			f.certs = append(f.certs, cert)
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			f.kind = kindKey
			f.parseKey(block)
		case block.Type == "CERTIFICATE REQUEST" || block.Type == "NEW CERTIFICATE REQUEST":
			f.kind = max(f.kind, kindRequest)
		case strings.HasSuffix(block.Type, "PUBLIC KEY"):
			f.kind = max(f.kind, kindPublicKey)
		}
	}
	if f.key == nil && len(f.certs) > 0 && f.kind != kindKey {
		f.kind = kindCertificates
	}
	if f.kind == kindNothing && f.problem == nil {
		f.problem = errors.New("a -----BEGIN line, and no whole block: the file is cut off, or a line of it was changed")
	}
}

func (f *parsed) parseKey(block *pem.Block) {
	if strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") || block.Type == "ENCRYPTED PRIVATE KEY" {
		f.form, f.odd = "encrypted", "encrypted with a passphrase"
		return
	}
	f.parseKeyDER(block.Bytes)
	if f.key == nil && f.odd == "" && f.problem == nil {
		f.problem = fmt.Errorf("a %s block that can't be parsed", block.Type)
	}
}

// parseKeyDER tries the three forms.
func (f *parsed) parseKeyDER(der []byte) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		f.key, f.form = key, "PKCS#1"
		return
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		f.key, f.form = key, "SEC1"
		return
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err == nil {
		f.form = "PKCS#8"
		f.key, _ = key.(crypto.Signer)
		if f.key == nil {
			f.problem = fmt.Errorf("a %T, which can't sign", key)
		}
		return
	}
	if explicitCurve(der) {
		f.form, f.odd = "with explicit curve parameters", "an EC key with explicit curve parameters"
	}
}

// primeField stands in an EC key whose curve is written out in place of its name.
var primeField = asn1.ObjectIdentifier{1, 2, 840, 10045, 1, 1}

func explicitCurve(der []byte) bool {
	oid, err := asn1.Marshal(primeField)
	return err == nil && bytes.Contains(der, oid)
}

func (f *parsed) parseDER(raw []byte) {
	if certs, err := x509.ParseCertificates(raw); err == nil && len(certs) > 0 {
		f.kind, f.certs, f.der = kindCertificates, certs, true
		return
	}
	f.parseKeyDER(raw)
	if f.key != nil || f.odd != "" {
		f.kind, f.der = kindKey, true
	}
}

// guess says what a file is that holds neither PEM nor DER.
func guess(text []byte) error {
	start := bytes.ToLower(bytes.TrimSpace(text[:min(len(text), 512)]))
	switch {
	case len(start) == 0:
		return errors.New("it is empty")
	case bytes.HasPrefix(start, []byte("<")):
		return errors.New("it is HTML or XML: a web page was saved in place of the file")
	case bytes.HasPrefix(start, []byte("{")):
		return errors.New("it is JSON: the PEM text is a value in it, and needs a file of its own")
	case bytes.HasPrefix(start, []byte("ssh-")), bytes.HasPrefix(start, []byte("ecdsa-sha2")):
		return errors.New("it is an SSH public key")
	case bytes.HasPrefix(start, []byte("miie")), bytes.HasPrefix(start, []byte("miic")), bytes.HasPrefix(start, []byte("mii")):
		return errors.New("it is Base64 without its -----BEGIN and -----END lines")
	case utf8.Valid(text):
		return errors.New("it is text without a -----BEGIN line")
	}
	return errors.New("it is neither PEM nor DER")
}

// cleanError is an error of crypto/x509 without its package.
func cleanError(err error) error { return errors.New(strings.TrimPrefix(err.Error(), "x509: ")) }

// public compares what a key and a certificate have in common.
type public interface{ Equal(crypto.PublicKey) bool }

func fits(key crypto.Signer, cert *x509.Certificate) bool {
	pub, ok := key.Public().(public)
	return ok && pub.Equal(cert.PublicKey)
}

// keyName is a public key's algorithm with its size.
func keyName(pub any) string {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", pub), "*")
}
