package gateway

import (
	"crypto/tls"
	"slices"
	"strconv"
	"strings"
)

// DefaultSecurityPolicy is the policy of an endpoint that names none.
// Source: connect sheet 3.1.
const DefaultSecurityPolicy = "IoTSecurityPolicy_TLS13_1_2_2022_10"

// A SecurityPolicy is one of AWS's named sets of TLS versions and cipher
// suites. There are no custom ones. Source: connect sheet 3.1.
type SecurityPolicy struct {
	Name       string   // "IoTSecurityPolicy_TLS13_1_2_2022_10"
	MinVersion uint16   // tls.VersionTLS12 or tls.VersionTLS13
	MaxVersion uint16   // tls.VersionTLS12 or tls.VersionTLS13
	Suites     []uint16 // every suite that it allows and that crypto/tls has, TLS 1.3 ones included
	suites12   []uint16 // the TLS 1.2 part: what tls.Config.CipherSuites takes
}

// groupA are the suites of TLS 1.3.
var groupA = []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256}

// groupB are the suites of TLS 1.2. They are listed one by one because
// crypto/tls leaves out RSA key exchange and CBC with SHA-256 otherwise.
// ECDHE-*-AES256-SHA384, AES256-SHA256 and DHE-RSA-AES256-SHA do not exist in
// crypto/tls: a device that offers nothing else can't be served.
var groupB = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_128_CBC_SHA256, tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_AES_256_CBC_SHA,
}

// groupBNarrow is group B as the 2016 policy has it on 8443 and 8883: without
// AES128-SHA256.
var groupBNarrow = slices.DeleteFunc(slices.Clone(groupB), func(id uint16) bool {
	return id == tls.TLS_RSA_WITH_AES_128_CBC_SHA256
})

var (
	policyTLS13Only = newSecurityPolicy("IoTSecurityPolicy_TLS13_1_3_2022_10", tls.VersionTLS13, tls.VersionTLS13, nil)
	policyDefault   = newSecurityPolicy(DefaultSecurityPolicy, tls.VersionTLS12, tls.VersionTLS13, groupB)
	policyTLS12Only = newSecurityPolicy("IoTSecurityPolicy_TLS12_1_2_2022_10", tls.VersionTLS12, tls.VersionTLS12, groupB)
	policy2016      = newSecurityPolicy("IoTSecurityPolicy_TLS12_1_0_2016_01", tls.VersionTLS12, tls.VersionTLS12, groupB)
	policy2016Wide  = newSecurityPolicy("IoTSecurityPolicy_TLS12_1_0_2016_01", tls.VersionTLS12, tls.VersionTLS12, groupBNarrow)
	policy2015      = newSecurityPolicy("IoTSecurityPolicy_TLS12_1_0_2015_01", tls.VersionTLS12, tls.VersionTLS12, groupB)
)

func newSecurityPolicy(name string, minVersion, maxVersion uint16, suites12 []uint16) *SecurityPolicy {
	p := &SecurityPolicy{Name: name, MinVersion: minVersion, MaxVersion: maxVersion, suites12: suites12}
	if maxVersion == tls.VersionTLS13 {
		p.Suites = append(p.Suites, groupA...)
	}
	p.Suites = append(p.Suites, suites12...)
	return p
}

// LookupSecurityPolicy returns the policy of that name as it applies on a
// door, and false when AWS has none of that name. The empty name is the default.
func LookupSecurityPolicy(name string, door Door) (*SecurityPolicy, bool) {
	switch strings.TrimPrefix(name, "IoTSecurityPolicy_") {
	case "", "TLS13_1_2_2022_10":
		return policyDefault, true
	case "TLS13_1_3_2022_10":
		return policyTLS13Only, true
	case "TLS12_1_2_2022_10":
		return policyTLS12Only, true
	case "TLS12_1_0_2016_01":
		if door == DoorALPN {
			return policy2016, true
		}
		return policy2016Wide, true
	case "TLS12_1_0_2015_01":
		return policy2015, true
	}
	return nil, false
}

// negotiates returns the version that the handshake will use, 0 for none.
func (p *SecurityPolicy) negotiates(offered []uint16) uint16 {
	var best uint16
	for _, v := range offered {
		if p.MinVersion <= v && v <= p.MaxVersion {
			best = max(best, v)
		}
	}
	return best
}

// sharesSuite tells whether any of the offered suites can be used in version.
func (p *SecurityPolicy) sharesSuite(version uint16, offered []uint16) bool {
	usable := p.suites12
	if version == tls.VersionTLS13 {
		usable = groupA
	}
	return slices.ContainsFunc(offered, func(id uint16) bool { return slices.Contains(usable, id) })
}

// weakSuites returns the offered suites that nobody should offer any more:
// without encryption or without a server's certificate, for export, DES, 3DES
// and RC4. Source: PROBLEMS C-05; the numbers are IANA's.
func weakSuites(offered []uint16) (weak []uint16) {
	for _, id := range offered {
		// The first are NULL, EXPORT, RC4, DES, 3DES, anonymous DH, and NULL with PSK.
		if id >= 0x0001 && id <= 0x002e || slices.Contains(moreWeak, id) {
			weak = append(weak, id)
		}
	}
	return weak
}

// moreWeak are the weak suites with higher numbers.
var moreWeak = []uint16{
	0x0034, 0x003a, 0x003b, 0x0046, 0x006c, 0x006d, 0x0089, 0x009b, 0x00a6, 0x00a7, 0x00bf, 0x00c5, // DH_anon and NULL_SHA256
	0xc001, 0xc002, 0xc003, 0xc006, 0xc008, 0xc00b, 0xc00c, 0xc00d, 0xc010, 0xc015, 0xc016, 0xc017, 0xc018, 0xc019, 0xc007, 0xc011, 0xc012, // ECDH(E) with NULL, RC4 or 3DES, and ECDH_anon
}

// versionNames writes TLS versions for people: "1.2, 1.3". GREASE values
// (RFC 8701) are noise and left out.
func versionNames(versions []uint16) string {
	names := make([]string, 0, len(versions))
	for _, v := range slices.Backward(versions) {
		switch v {
		case tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13:
			names = append(names, strings.TrimPrefix(tls.VersionName(v), "TLS "))
		case 0x0300:
			names = append(names, "SSL 3.0")
		case 0x0002:
			names = append(names, "SSL 2.0")
		default:
			if !isGREASE(v) {
				names = append(names, "0x"+strconv.FormatUint(uint64(v), 16))
			}
		}
	}
	return strings.Join(names, ", ")
}

// suiteNames writes cipher suites for people, at most limit of them.
func suiteNames(suites []uint16, limit int) string {
	var b strings.Builder
	written := 0
	for _, id := range suites {
		if isGREASE(id) || id == 0x00ff || id == tls.TLS_FALLBACK_SCSV {
			continue // signalling values, not suites
		}
		if written == limit {
			b.WriteString(", ...")
			break
		}
		if written > 0 {
			b.WriteString(", ")
		}
		b.WriteString(tls.CipherSuiteName(id))
		written++
	}
	return b.String()
}

// isGREASE recognises the values 0x0a0a, 0x1a1a, ... that clients mix in.
func isGREASE(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }
