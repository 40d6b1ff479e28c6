package policy

import (
	"strconv"
	"strings"
)

// A key is a condition key or variable name, understood once at parse time.
type key struct {
	kind  keyKind
	name  string // as it is reported: documented spelling where known
	attr  string // attribute of a certificate or thing
	index int    // certificate attributes: 0 is the first value
	list  bool   // certificate attributes: all values
}

type keyKind uint8

const (
	keyUnknown keyKind = iota
	keyLegacyThing
	keyClientID
	keyDomainName
	keyCertificateID
	keyCognito
	keyThingName
	keyThingType
	keyThingAttribute
	keyThingAttached
	keySubject
	keyIssuer
	keySubjectAlt
	keyIssuerAlt
	keySerialNumber
	keyAvailableKeys
	keyConnectAttributes
	keyLastWillTopic
	keySourceIP
	keySourceVPC
	keySourceVPCE
	keyVPCSourceIP
	keyTopic
	keySocketInformation
	keyCurrentTime
	keyEpochTime
	keySecureTransport
)

// fixedKeys are the names without parameters. Source: policy sheet 7.1, 7.2, 9.4.
var fixedKeys = map[string]key{}

// attributeNames of distinguished names and of alternative names. Source: policy sheet 7.3.
var (
	distinguishedNames = []string{
		"DistinguishedNameQualifier", "Country", "Organization", "OrganizationalUnit", "State", "CommonName",
		"SerialNumber", "Title", "Surname", "GivenName", "Initials", "Pseudonym", "GenerationQualifier",
	}
	alternativeNames = []string{"RFC822Name", "DNSName", "DirectoryName", "UniformResourceIdentifier", "IPAddress"}
)

func init() {
	for name, kind := range map[string]keyKind{
		"iot:ClientId":                       keyClientID,
		"iot:DomainName":                     keyDomainName,
		"iot:CertificateId":                  keyCertificateID,
		"cognito-identity.amazonaws.com:sub": keyCognito,
		"iot:Connection.Thing.ThingName":     keyThingName,
		"iot:Connection.Thing.ThingTypeName": keyThingType,
		"iot:Connection.Thing.IsAttached":    keyThingAttached,
		"iot:Certificate.SerialNumber":       keySerialNumber,
		"iot:Certificate.AvailableKeys":      keyAvailableKeys,
		"iot:ConnectAttributes":              keyConnectAttributes,
		"iot:LastWillTopic":                  keyLastWillTopic,
		"aws:SourceIp":                       keySourceIP,
		"aws:SourceVpc":                      keySourceVPC,
		"aws:SourceVpce":                     keySourceVPCE,
		"aws:VpcSourceIp":                    keyVPCSourceIP,
		"iot:Topic":                          keyTopic,
		"iot:IncludeSocketInformation":       keySocketInformation,
		"aws:CurrentTime":                    keyCurrentTime,
		"aws:EpochTime":                      keyEpochTime,
		"aws:SecureTransport":                keySecureTransport,
	} {
		fixedKeys[foldKey(name)] = key{kind: kind, name: name}
	}
}

func foldKey(name string) string {
	if foldKeys {
		return strings.ToLower(name)
	}
	return name
}

// parseKey understands name. An unknown name is a key that never has a value.
func parseKey(name string) key {
	folded := foldKey(name)
	if k, ok := fixedKeys[folded]; ok {
		return k
	}
	const attributes = "iot:Connection.Thing.Attributes["
	if strings.HasPrefix(folded, foldKey(attributes)) && strings.HasSuffix(name, "]") {
		attr := name[len(attributes) : len(name)-1]
		return key{kind: keyThingAttribute, name: attributes + attr + "]", attr: attr}
	}
	if strings.HasPrefix(folded, foldKey("iot:Thing.")) {
		return key{kind: keyLegacyThing, name: name}
	}
	for _, g := range certificateGroups {
		if rest, ok := strings.CutPrefix(folded, foldKey(g.prefix)); ok {
			if k, ok := certificateKey(g.kind, g.prefix, name[len(name)-len(rest):], g.names); ok {
				return k
			}
		}
	}
	return key{kind: keyUnknown, name: name}
}

// certificateGroups holds longer prefixes first.
var certificateGroups = []struct {
	prefix string
	kind   keyKind
	names  []string
}{
	{"iot:Certificate.Subject.AlternativeName.", keySubjectAlt, alternativeNames},
	{"iot:Certificate.Issuer.AlternativeName.", keyIssuerAlt, alternativeNames},
	{"iot:Certificate.Subject.", keySubject, distinguishedNames},
	{"iot:Certificate.Issuer.", keyIssuer, distinguishedNames},
}

// certificateKey understands "CommonName", "CommonName.1" and "CommonName.List".
func certificateKey(kind keyKind, prefix, rest string, names []string) (key, bool) {
	attr, suffix, indexed := strings.Cut(rest, ".")
	for _, known := range names {
		if foldKey(attr) != foldKey(known) {
			continue
		}
		k := key{kind: kind, name: prefix + known, attr: known}
		if !indexed {
			return k, true
		}
		k.name += "." + suffix
		if foldKey(suffix) == foldKey("List") {
			k.name, k.list = prefix+known+".List", true
			return k, true
		}
		n, err := strconv.Atoi(suffix)
		if err != nil || suffix[0] == '+' || suffix[0] == '-' {
			return key{}, false
		}
		k.index = n - firstIndex + 1
		if n < firstIndex { // index 0 is not defined
			k.index = -1
		}
		return k, true
	}
	return key{}, false
}

// multi reports whether the key has several values by nature.
func (k key) multi() bool {
	return k.list || k.kind == keyConnectAttributes || k.kind == keyAvailableKeys
}

// changes reports whether the key's value changes during a connection.
func (k key) changes() bool { return k.kind == keyCurrentTime || k.kind == keyEpochTime }
