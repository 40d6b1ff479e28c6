package probe

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// pair is evidence by name.
type pair struct{ key, value string }

func fields(pairs []pair) (list []attempt.Field) {
	for _, e := range pairs {
		list = append(list, f(e.key, e.value))
	}
	return list
}

func itoa(n uint8) string { return strconv.Itoa(int(n)) }

// hexBytes shows bytes as they stand in a capture.
func hexBytes(b []byte) string {
	var s []string
	for _, c := range b[:min(len(b), 16)] {
		s = append(s, hex.EncodeToString([]byte{c}))
	}
	return strings.Join(s, " ")
}

// link is the connection that walks from TCP to the messages.
type link struct {
	conn   net.Conn
	target netip.AddrPort
	shake  shake
	client *client
	sent   time.Time // of its CONNECT
	ready  bool      // TLS stands, the server is trusted and content
}

// leave says goodbye.
func (l *link) leave() {
	if l == nil {
		return
	}
	l.client.disconnect()
	if l.client != nil {
		l.client.conn.Close()
	}
	l.conn.Close()
}

// tls makes the device's handshake, judges the server's certificate, and hears
// whether the server takes the device's.
func (p *run) tls(ctx context.Context) bool {
	v := p.deviceVariant()
	s := p.handshake(ctx, p.link.conn, v, 3*p.Timeout)
	p.link.shake = s
	p.report.Facts.ServerChain = s.state.PeerCertificates
	if s.err != nil {
		if ctx.Err() == nil {
			c, ev := p.failure(s, v)
			p.refused(c, ev)
		}
		return false
	}
	p.report.Facts.TLSVersion = strings.TrimPrefix(tls.VersionName(s.state.Version), "TLS ")
	p.report.Facts.ALPN = s.state.NegotiatedProtocol
	ev := []attempt.Field{
		f("tls_version", p.report.Facts.TLSVersion), f("cipher", tls.CipherSuiteName(s.state.CipherSuite)),
		f("alpn_offered", strings.Join(v.alpn, ", ")), f("alpn", s.state.NegotiatedProtocol), f("elapsed", milliseconds(s.elapsed)),
	}
	p.add(check.TLSHandshake, Pass, ev...).Took = s.elapsed
	if s.elapsed > p.Timeout {
		p.add(check.NetSlowHandshake, Warn, f("elapsed", milliseconds(s.elapsed)), f("required", "less than "+p.Timeout.String())).Took = s.elapsed
	}
	if !p.serverCertificate(ctx, s.state.PeerCertificates) {
		return false
	}
	if !p.certificateAccepted(s, v) {
		return false
	}
	p.link.ready = true
	return true
}

// certificateAccepted hears out the server.
func (p *run) certificateAccepted(s shake, v variant) bool {
	err := s.hearOut()
	alert := alertNumber(err)
	switch {
	case alert != 0:
		c, ev := p.refusal(alert)
		p.refused(c, ev)
		return false
	case err == errSpokeFirst: //nolint:errorlint // it is never wrapped
		p.add(check.ConnectNotMQTT, Fail, f("reason", err.Error()))
		return false
	case err != nil && s.asked:
		p.refused(check.CertRefused, []pair{{"certificate_id", p.report.Facts.Fingerprint}, {"reason", ending(err)}})
		return false
	case err != nil:
		p.refused(check.TLSHandshakeClosed, []pair{{"reason", ending(err)}})
		return false
	case !s.asked && p.material.key != nil && len(v.alpn) == 0:
		p.add(check.TLSALPNAbsent, Warn, f("port", strconv.Itoa(p.report.Facts.Port))).Note = "The server asked for no client certificate."
	case !s.asked && p.material.key != nil:
		p.skip(check.CertPresented, "The server asked for no client certificate, so none was sent.")
	case s.asked && p.material.key != nil:
		p.add(check.CertRefused, Pass, f("certificate_id", p.report.Facts.Fingerprint))
	}
	return true
}

// refused records a failure, with what can be behind it.
func (p *run) refused(c *check.Check, ev []pair) {
	r := p.add(c, Fail, fields(ev)...)
	switch c {
	case check.CertRefused:
		r.Causes = certificateCauses
	case check.TLSHandshakeClosed:
		r.Causes = []*check.Check{check.TLSServerNotTLS, check.NetResetAfterClientHello, check.TLSSNIUnknown, check.TCPTooManyHandshakes}
	case check.CertNoneSent:
		r.Evidence = append(r.Evidence, f("port", strconv.Itoa(p.report.Facts.Port)))
	}
}

// A trial is one variant that tells more of a failure.
type trial struct {
	purpose string
	change  func(*run, *variant)
	check   *check.Check
	telling []*check.Check // failures that it tells more of
}

// WrongName is the server name of the variant with a wrong one.
const WrongName = "wrong-name.gatehouse.invalid"

var trials = []trial{
	{
		forNoSNI, func(_ *run, v *variant) { v.sni = "" }, check.TLSSNIRequiredForCert,
		[]*check.Check{check.TLSSNIUnknown, check.CertRefused, check.TLSHandshakeClosed, check.NetResetAfterClientHello, check.TLSHandshakeTimeout},
	},
	{
		forWithSNI, func(p *run, v *variant) { v.sni = p.serverName() }, check.TLSSNIRequiredForCert,
		[]*check.Check{check.TLSSNIUnknown, check.CertRefused, check.TLSHandshakeClosed, check.NetResetAfterClientHello, check.TLSHandshakeTimeout, check.TLSServerCertName},
	},
	{
		forWrongSNI, func(_ *run, v *variant) { v.sni = WrongName }, check.TLSSNIUnknown,
		[]*check.Check{check.TLSHandshakeClosed, check.NetResetAfterClientHello, check.TLSHandshakeTimeout},
	},
	{
		forTLS12, func(_ *run, v *variant) { v.min, v.max = 0, tls.VersionTLS12 }, check.TLSVersionBelowPolicy,
		[]*check.Check{check.TLSVersionBelowPolicy, check.TLSHandshakeFailed, check.TLSCipherNoneShared},
	},
	{forTLS13, func(_ *run, v *variant) { v.min, v.max = tls.VersionTLS13, 0 }, check.TLSVersionBelowPolicy, []*check.Check{check.TLSVersionBelowPolicy}},
	{
		forWithALPN, func(_ *run, v *variant) { v.alpn = []string{"x-amzn-mqtt-ca"} }, check.TLSALPNMissingOn443,
		[]*check.Check{check.TLSALPNMissingOn443, check.TLSALPNNoOverlap, check.ConnectNotMQTT},
	},
	{forNoALPN, func(_ *run, v *variant) { v.alpn = nil }, check.TLSALPNNoOverlap, []*check.Check{check.TLSALPNNoOverlap}},
}

// variants makes further handshakes where they tell more of a failure, or all of
// them when asked to. They send nothing after the handshake.
func (p *run) variants(ctx context.Context) {
	if p.link == nil {
		return
	}
	failed := p.report.First()
	device := p.deviceVariant()
	for _, t := range trials {
		wanted := p.Variants
		for _, c := range t.telling {
			wanted = wanted || failed != nil && failed.Check == c
		}
		v := device
		t.change(p, &v)
		if !wanted || ctx.Err() != nil || sameVariant(v, device) {
			continue
		}
		p.try(ctx, t, v)
	}
}

func sameVariant(a, b variant) bool {
	return a.sni == b.sni && strings.Join(a.alpn, ",") == strings.Join(b.alpn, ",") && a.min == b.min && a.max == b.max
}

// try makes the handshake of one trial. What it finds colours what failed before
// and is itself no failure of the device.
func (p *run) try(ctx context.Context, t trial, v variant) {
	nc, err := p.dial(ctx, t.purpose, p.link.target)
	if err != nil {
		p.add(t.check, Unknown, f("error", plainError(err))).Note = t.purpose + ": no connection."
		return
	}
	defer nc.Close()
	s := p.handshake(ctx, nc, v, p.Timeout)
	if s.err == nil {
		if err := s.hearOut(); err != nil {
			s.err = err
		}
	}
	if ctx.Err() != nil {
		return
	}
	main := p.link.shake.err == nil && p.link.ready
	var r *Result
	switch {
	case s.err == nil && main:
		r = p.add(t.check, Pass)
		r.Note = t.purpose + ": the server takes it too."
	case s.err == nil && t.purpose == forWithSNI: // nothing else was changed: this is the cause
		r = p.add(t.check, Fail, f("certificate_id", p.report.Facts.Fingerprint), f("offered", "no server name"), f("required", v.sni))
		r.Note = t.purpose + ": this works, where the device's own way does not."
	case s.err == nil && t.purpose == forNoSNI: // it says something of the server, and nothing of the certificate
		r = p.add(t.check, Pass)
		r.Note = t.purpose + ": this works, where the device's own way does not."
	case s.err == nil:
		r = p.add(t.check, Warn)
		r.Note = t.purpose + ": this works, where the device's own way does not."
	default:
		c, ev := p.failure(s, v)
		outcome, says := Unknown, "refused as well"
		if main {
			outcome, says = Warn, "refused, so a device that connects so fails"
			if t.purpose == forWrongSNI || t.purpose == forNoALPN {
				outcome, says = Pass, "refused, as it should be"
			}
		}
		r = p.add(t.check, outcome, fields(ev)...)
		r.Note = t.purpose + ": " + says + " (" + c.Code + ")."
	}
	r.Took = s.elapsed
}

// window is how long an answer is awaited that need not come.
func window(rtt time.Duration) time.Duration {
	return min(max(2*rtt, 50*time.Millisecond), 500*time.Millisecond)
}
