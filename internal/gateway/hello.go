package gateway

import (
	"crypto/tls"
	"hash/maphash"
	"strconv"
	"strings"
	"sync"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
)

// maxHelloForms bounds the descriptions that are kept. A fleet has a handful;
// hostile peers make new ones all the time.
const maxHelloForms = 512

// helloForms shares the words for equal ClientHellos: writing them for every
// connection would cost time in the handshake and memory while it lives.
var helloForms = struct {
	seed   maphash.Seed
	mu     sync.Mutex // guards byHash
	byHash map[uint64][]attempt.Field
}{seed: maphash.MakeSeed(), byHash: map[uint64][]attempt.Field{}}

// describeHello returns a ClientHello as evidence. Server name and ALPN are
// facts of the attempt itself. The slice is shared; do not change it.
func describeHello(hello *tls.ClientHelloInfo) []attempt.Field {
	var h maphash.Hash
	h.SetSeed(helloForms.seed)
	write := func(v uint16) { h.WriteByte(byte(v >> 8)); h.WriteByte(byte(v)) }
	for _, v := range hello.SupportedVersions {
		if !isGREASE(v) {
			write(v)
		}
	}
	h.WriteString("c")
	for _, v := range hello.CipherSuites {
		if !isGREASE(v) {
			write(v)
		}
	}
	h.WriteString("g")
	for _, v := range hello.SupportedCurves {
		if !isGREASE(uint16(v)) {
			write(uint16(v))
		}
	}
	h.WriteString("s")
	for _, v := range hello.SignatureSchemes {
		write(uint16(v))
	}
	key := h.Sum64()
	helloForms.mu.Lock()
	form, ok := helloForms.byHash[key]
	helloForms.mu.Unlock()
	if ok {
		return form
	}
	form = []attempt.Field{
		attempt.F("versions", versionNames(hello.SupportedVersions)),
		attempt.F("ciphers", suiteNames(hello.CipherSuites, 40)),
		attempt.F("groups", groupNames(hello.SupportedCurves)),
		attempt.F("signatures", schemeNames(hello.SignatureSchemes)),
	}
	helloForms.mu.Lock()
	defer helloForms.mu.Unlock()
	if len(helloForms.byHash) >= maxHelloForms {
		clear(helloForms.byHash)
	}
	helloForms.byHash[key] = form
	return form
}

// groupNames writes key-share groups for people, at most 12 of them.
func groupNames(groups []tls.CurveID) string {
	names := make([]string, 0, min(len(groups), 12))
	for _, g := range groups {
		if len(names) == 12 {
			names = append(names, "...")
			break
		}
		switch {
		case isGREASE(uint16(g)):
		case g >= 256 && g <= 260:
			names = append(names, "ffdhe"+strconv.Itoa([]int{2048, 3072, 4096, 6144, 8192}[g-256]))
		case g == 30:
			names = append(names, "X448")
		default:
			names = append(names, g.String())
		}
	}
	return strings.Join(names, ", ")
}

// schemeNames writes signature schemes for people, at most 20 of them.
func schemeNames(schemes []tls.SignatureScheme) string {
	names := make([]string, 0, min(len(schemes), 20))
	for _, s := range schemes {
		if len(names) == 20 {
			names = append(names, "...")
			break
		}
		names = append(names, s.String())
	}
	return strings.Join(names, ", ")
}
