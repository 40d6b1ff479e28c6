package policy

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
)

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

// dnOIDs are the attributes of distinguished names under id-at (2.5.4).
var dnOIDs = map[int]string{
	46: "DistinguishedNameQualifier", 6: "Country", 10: "Organization", 11: "OrganizationalUnit", 8: "State", 3: "CommonName",
	5: "SerialNumber", 12: "Title", 4: "Surname", 42: "GivenName", 43: "Initials", 65: "Pseudonym", 44: "GenerationQualifier",
}

// CertificateFacts extracts from cert what policies can use. What cannot be
// read is left out: its variable is then unresolved, which fails closed.
func CertificateFacts(cert *x509.Certificate) *Certificate {
	c := &Certificate{
		Subject:        nameValues(cert.RawSubject),
		Issuer:         nameValues(cert.RawIssuer),
		SubjectAltName: map[string][]string{},
		IssuerAltName:  map[string][]string{},
	}
	if len(cert.Raw) > 0 {
		sum := sha256.Sum256(cert.Raw)
		c.ID = hex.EncodeToString(sum[:])
	}
	if cert.SerialNumber != nil {
		c.SerialNumber = cert.SerialNumber.Text(10)
	}
	for _, ext := range cert.Extensions {
		switch {
		case ext.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}):
			c.SubjectAltName = generalNames(ext.Value)
		case ext.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 18}):
			c.IssuerAltName = generalNames(ext.Value)
		}
	}
	return c
}

func parseName(der []byte) pkix.RDNSequence {
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(der, &name); err != nil || len(rest) > 0 {
		return nil
	}
	return name
}

func nameValues(der []byte) map[string][]string {
	values := map[string][]string{}
	for _, rdn := range parseName(der) {
		for _, atv := range rdn {
			text, ok := atv.Value.(string)
			if attr := dnOIDs[idAt(atv.Type)]; ok && attr != "" {
				values[attr] = append(values[attr], text)
			}
		}
	}
	return values
}

// idAt returns n for the object identifier 2.5.4.n, else -1.
func idAt(oid asn1.ObjectIdentifier) int {
	if len(oid) == 4 && oid[0] == 2 && oid[1] == 5 && oid[2] == 4 {
		return oid[3]
	}
	return -1
}

// generalNames reads a GeneralNames extension, RFC 5280 section 4.2.1.6.
func generalNames(der []byte) map[string][]string {
	values := map[string][]string{}
	var seq asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &seq); err != nil || len(rest) > 0 || !seq.IsCompound || seq.Tag != asn1.TagSequence {
		return values
	}
	for rest := seq.Bytes; len(rest) > 0; {
		var name asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &name); err != nil {
			return values
		}
		if name.Class != asn1.ClassContextSpecific {
			continue
		}
		add := func(attr, value string) { values[attr] = append(values[attr], value) }
		switch name.Tag {
		case 1:
			add("RFC822Name", string(name.Bytes))
		case 2:
			add("DNSName", string(name.Bytes))
		case 4:
			if dn := parseName(name.Bytes); dn != nil {
				add("DirectoryName", directoryName(dn))
			}
		case 6:
			add("UniformResourceIdentifier", string(name.Bytes))
		case 7:
			if ip, ok := netip.AddrFromSlice(name.Bytes); ok {
				add("IPAddress", ip.String())
			}
		}
	}
	return values
}

// directoryName writes a name like "cn=LightBulbCert,ou=SmartHome,o=IoT,c=US":
// most specific first, keys in lower case. Source: policy sheet 7.3, [U].
func directoryName(name pkix.RDNSequence) string {
	short := map[int]string{
		3: "cn", 5: "serialnumber", 6: "c", 7: "l", 8: "st", 9: "street", 10: "o", 11: "ou", 12: "title",
		4: "sn", 42: "givenname", 43: "initials", 44: "generationqualifier", 46: "dnqualifier", 65: "pseudonym",
	}
	var parts []string
	for _, rdn := range slices.Backward(name) {
		for _, atv := range rdn {
			text, ok := atv.Value.(string)
			if !ok {
				continue
			}
			attr := short[idAt(atv.Type)]
			if attr == "" {
				attr = atv.Type.String()
			}
			parts = append(parts, attr+"="+escapeValue(text))
		}
	}
	return strings.Join(parts, ",")
}

// escapeValue puts a backslash before the special characters of names.
// Source: policy sheet 7.3.
func escapeValue(s string) string {
	if !strings.ContainsAny(s, escapedInCertificates) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(escapedInCertificates, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// group returns the attribute map that k reads from.
func (c *Certificate) group(kind keyKind) map[string][]string {
	switch kind {
	case keySubject:
		return c.Subject
	case keyIssuer:
		return c.Issuer
	case keySubjectAlt:
		return c.SubjectAltName
	case keyIssuerAlt:
		return c.IssuerAltName
	default:
		return nil
	}
}

// values returns the values that count: the first five.
func (c *Certificate) values(k key) []string {
	all := c.group(k.kind)[k.attr]
	return all[:min(len(all), maxCertificateValues)]
}

// raw returns the single value of k before escaping; k must have one.
func (c *Certificate) raw(k key) string { return c.values(k)[k.index] }

func (c *Certificate) fact(k key) fact {
	if c == nil {
		return absent(CauseNoCertificate)
	}
	switch k.kind {
	case keySerialNumber:
		return knownIf(c.SerialNumber, CauseUnknownFact)
	case keyAvailableKeys:
		return knownList(c.availableKeys())
	default: // the attributes below
	}
	values := c.values(k)
	switch {
	case len(values) == 0:
		return absent(CauseCertificateLacks)
	case k.list:
		escaped := make([]string, len(values))
		for i, v := range values {
			escaped[i] = escapeAttribute(k, v)
		}
		return knownList(escaped)
	case k.index < 0 || k.index >= len(values):
		return absent(CauseIndexOutOfRange)
	}
	return known(escapeAttribute(k, values[k.index]))
}

func escapeAttribute(k key, value string) string {
	if k.attr == "DirectoryName" && !escapeDirectoryName {
		return value
	}
	return escapeValue(value)
}

// availableKeys names the certificate variables that have a value.
func (c *Certificate) availableKeys() []string {
	var names []string
	for _, g := range slices.Backward(certificateGroups) {
		for _, attr := range g.names {
			if len(c.group(g.kind)[attr]) > 0 {
				names = append(names, availableKeysPrefix+strings.TrimPrefix(g.prefix, "iot:Certificate.")+attr)
			}
		}
	}
	if c.SerialNumber != "" {
		names = append(names, availableKeysPrefix+"SerialNumber")
	}
	return names
}
