package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
)

// errRefused makes crypto/tls end a handshake whose refusal is recorded.
var errRefused = errors.New("refused")

// errBroken makes crypto/tls end a handshake that our machinery could not judge.
var errBroken = errors.New("certificate could not be looked up")

// A handshake is the TLS handshake of one connection: what the ClientHello
// decided, and what became of the client's certificate.
type handshake struct {
	s    *Server
	door Door
	at   *attempt.Attempt
	wire *wire

	hello    bool      // the ClientHello was read
	sni      string    // as the client sent it
	offered  []string  // ALPN protocols
	bare     bool      // none were offered
	endpoint *Endpoint // of the server name
	route    route
	version  uint16 // agreed or about to be agreed; 0 before

	served *x509.Certificate // what we presented; dropped after the handshake

	during *during // what crypto/tls holds of it

	lookup      context.Context // of the handshake, for the registry; dropped after it
	fingerprint identity.Fingerprint
	leaf        *x509.Certificate     // nil when none came; dropped after the handshake
	shown       []byte                // leaf in DER form, for an authorizer: CUSTOM_AUTH_X509 alone
	chain       int                   // certificates that the client sent
	known       *identity.Certificate // nil when it is not registered
	who         identity.Principal
	refused     []finding // what is wrong with the certificate
	judged      bool      // a refusal of the attempt is recorded
	err         error     // of our machinery
}

// during leads from crypto/tls to a handshake that is under way.
type during struct{ handshake *handshake }

func (d *during) serverCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return d.handshake.serverCertificate(hello)
}

func (d *during) verify(state tls.ConnectionState) error { return d.handshake.verify(state) }

// run performs the handshake. ok is false when it failed; why is recorded then.
func (h *handshake) run(sig conduct) (tc *tls.Conn, ok bool) {
	began := time.Now()
	h.wire.SetDeadline(began.Add(h.s.cfg.HandshakeTimeout))
	h.during = &during{h}
	tc = tls.Server(h.wire, &tls.Config{
		GetConfigForClient:     h.choose,
		SessionTicketsDisabled: true, // AWS has none: connect sheet 3.2
	})
	h.lookup = sig.stop
	// HandshakeContext would start a goroutine for every handshake.
	stop := afterStop(sig, func() { h.wire.SetDeadline(time.Unix(1, 0)) })
	err := tc.Handshake() //nolint:noctx // HandshakeContext starts a goroutine for each connection; the deadline and a cut of the socket end it
	if !stop() && err == nil {
		err = sig.stop.Err()
	}
	h.during.handshake = nil // crypto/tls keeps the settings as long as the connection lives
	if err != nil {
		h.diagnose(err, sig)
		return nil, false
	}
	h.wire.SetDeadline(time.Time{})
	h.wire.seal()

	state := tc.ConnectionState()
	h.at.SetTLS(versionNames([]uint16{state.Version}), tls.CipherSuiteName(state.CipherSuite))
	h.at.Pass(check.TLSHandshake)
	if len(state.PeerCertificates) > 0 && len(h.refused) == 0 {
		h.at.Pass(check.CertKeyProof)
	}
	if took := time.Since(began); took > slowHandshake {
		h.at.Warn(check.NetSlowHandshake, attempt.F("elapsed", took.Round(time.Millisecond).String()))
	}
	// crypto/tls keeps the parsed chain as long as the connection lives, some
	// KiB each; the slice is its own, and nothing reads it after the handshake.
	clear(state.PeerCertificates)
	h.lookup, h.offered, h.served = nil, nil, nil
	return tc, true
}

// slowHandshake is when a handshake is worth a remark: the embedded C SDK's
// example gives up after 5 s. Source: connect sheet 3.3.
const slowHandshake = 4 * time.Second

// alpnAnswers are the lists for tls.Config.NextProtos, made once.
var alpnAnswers = map[string][]string{
	alpnMQTTCert: {alpnMQTTCert}, alpnMQTTAuth: {alpnMQTTAuth}, alpnHTTPCert: {alpnHTTPCert}, alpnHTTP11: {alpnHTTP11},
}

// choose reads the ClientHello, records it, and answers with the settings for
// this connection. A refusal goes out as an alert in plaintext, before the
// ServerHello. Source: connect sheet 2.2, 5.1 rows 3 to 5.
func (h *handshake) choose(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	at := h.at
	h.hello, h.sni, h.offered = true, hello.ServerName, hello.SupportedProtos
	at.Pass(check.TLSClientHello, describeHello(hello)...)
	at.SetSNI(hello.ServerName)

	endpoint, known := h.s.cfg.Endpoints.lookup(hello.ServerName)
	if !known {
		at.SetALPN(hello.SupportedProtos, "")
		required := h.s.cfg.Endpoints.Default().Host
		return nil, h.refuseHello(alertUnrecognizedName, check.TLSSNIUnknown, attempt.F("offered", hello.ServerName), attempt.F("required", required))
	}
	h.endpoint, h.bare = endpoint, len(hello.SupportedProtos) == 0
	if hello.ServerName == "" {
		at.Warn(check.TLSSNIMissing, attempt.F("required", endpoint.Host))
	} else {
		at.Pass(check.TLSSNI)
	}
	h.route = routeFor(h.door, endpoint, hello.SupportedProtos)
	at.SetALPN(hello.SupportedProtos, h.route.alpn)
	if h.route.alpn != "" {
		at.Pass(check.TLSALPN)
	}

	security, _ := LookupSecurityPolicy(endpoint.SecurityPolicy, h.door)
	h.version = security.negotiates(hello.SupportedVersions)
	if h.version == 0 {
		return nil, h.refuseHello(alertProtocolVersion, check.TLSVersionBelowPolicy,
			attempt.F("offered", "TLS "+versionNames(hello.SupportedVersions)), attempt.F("required", requiredVersions(security)),
			attempt.F("security_policy", security.Name), attempt.F("domain_configuration", endpoint.Name))
	}
	if !security.sharesSuite(h.version, hello.CipherSuites) {
		return nil, h.refuseHello(alertHandshakeFailure, check.TLSCipherNoneShared,
			attempt.F("offered", suiteNames(hello.CipherSuites, 12)), attempt.F("required", suiteNames(security.Suites, 8)),
			attempt.F("security_policy", security.Name), attempt.F("domain_configuration", endpoint.Name))
	}

	if weak := weakSuites(hello.CipherSuites); len(weak) > 0 {
		at.Warn(check.TLSCipherOutsideRecommended, attempt.F("offered", suiteNames(weak, 12)))
	}

	cfg := &tls.Config{
		MinVersion:             security.MinVersion,
		MaxVersion:             security.MaxVersion,
		CipherSuites:           security.suites12,
		NextProtos:             alpnAnswers[h.route.alpn],
		GetCertificate:         h.during.serverCertificate,
		SessionTicketsDisabled: true,
		// Deliveries are written whole: records of one segment each would only
		// multiply the work.
		DynamicRecordSizingDisabled: true,
	}
	at.SetTLS(versionNames([]uint16{h.version}), "") // the words for a refusal depend on it
	if h.route.wantsCertificate() {
		// The certificate is required and never verified by crypto/tls: any
		// one reaches verify, also a self-signed or expired one, and a missing
		// one gets alert 40 or 116. ClientCAs stay nil: the list of CA names
		// in the request is empty. Source: connect sheet 3.2, 5.1 row 7.
		cfg.ClientAuth = tls.RequireAnyClientCert
		cfg.VerifyConnection = h.during.verify
	}
	return cfg, nil
}

// serverCertificate chooses our certificate, and remembers it for the words
// about a client that does not like it.
func (h *handshake) serverCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	cert, err := h.endpoint.Certificate, error(nil)
	if cert == nil {
		cert, err = h.s.cfg.ServerCertificate(hello)
	}
	if cert != nil {
		h.served = cert.Leaf
	}
	return cert, err
}

// refuseHello records a refusal of the ClientHello.
func (h *handshake) refuseHello(alert byte, c *check.Check, evidence ...attempt.Field) error {
	h.wire.alert, h.judged = alert, true
	h.at.Fail(c, append(evidence, attempt.F("alert", alertText(alert)))...)
	return errRefused
}

// requiredVersions writes the versions of a policy: "TLS 1.3", "TLS 1.2 or 1.3".
func requiredVersions(p *SecurityPolicy) string {
	text := tls.VersionName(p.MinVersion)
	if p.MaxVersion != p.MinVersion {
		text += " or " + strings.TrimPrefix(tls.VersionName(p.MaxVersion), "TLS ")
	}
	return text
}

// verify judges the client's certificate. It runs inside the handshake, before
// the client has proved that it holds the key, so that the device learns of the
// refusal by an alert.
func (h *handshake) verify(state tls.ConnectionState) error {
	h.version = state.Version
	h.chain = len(state.PeerCertificates)
	h.leaf = state.PeerCertificates[0] // RequireAnyClientCert: there is one
	h.fingerprint = sha256.Sum256(h.leaf.Raw)
	known, found, err := h.s.cfg.Identity.CertificateByFingerprint(h.lookup, h.fingerprint)
	if err != nil {
		h.err = err
		h.wire.alert = alertInternalError
		return errBroken
	}
	h.at.Pass(check.CertPresented)
	id := h.fingerprint.String()
	if found {
		h.known = known
	}
	h.refused = h.judge(state.PeerCertificates)
	if len(h.refused) == 0 {
		h.at.SetCertificate(id, nil)
		h.at.Pass(check.CertValidity)
		h.at.Pass(check.CertRegistered)
		h.at.Pass(check.CertActive)
		h.who = h.s.cfg.Identity.Principal(known)
		h.at.SetPrincipal(h.who.ID, h.who.ARN)
		if h.route.auth == authBoth {
			h.shown = bytes.Clone(h.leaf.Raw)
		}
		h.leaf = nil
		return nil
	}
	h.at.SetCertificate(id, h.leaf.Raw)
	if found {
		h.at.SetPrincipal(known.ID, known.ARN)
	}
	if h.endpoint.CertificateRejection == RejectAfterConnect {
		return nil // told when the first packet has come
	}
	h.reportCertificate()
	h.wire.alert = h.refused[0].alert
	return errRefused
}

// reportCertificate records what is wrong with the certificate: the first fault
// refuses, the others would have.
func (h *handshake) reportCertificate() {
	h.judged = true
	for i, f := range h.refused {
		evidence := f.evidence
		if h.endpoint.CertificateRejection != RejectAfterConnect {
			evidence = append(evidence, attempt.F("alert", alertText(h.alertOnWire(f.alert))))
		}
		if i == 0 {
			h.at.Fail(f.check, evidence...)
		} else {
			h.at.Also(f.check, f.evidence...)
		}
	}
}

// alertOnWire is the alert that the client will see for the wanted one: in TLS
// 1.3 it is encrypted, and crypto/tls has only one for refusals.
// Source: connect sheet 9.1.
func (h *handshake) alertOnWire(wanted byte) byte {
	if h.version == tls.VersionTLS13 {
		return alertBadCertificate
	}
	return wanted
}

// now is the gateway's clock as evidence.
func (h *handshake) now() string { return h.s.cfg.Now().UTC().Format(time.RFC3339) }
