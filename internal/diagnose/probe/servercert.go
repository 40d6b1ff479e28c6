package probe

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// serverCertificate judges the server's certificate as a device does, one
// question at a time: is it valid now, is it the name's, is it trusted. After a
// failure the run stops, so that nothing of the device goes to a stranger.
func (p *run) serverCertificate(ctx context.Context, chain []*x509.Certificate) bool {
	leaf := chain[0]
	valid := p.serverTimes(ctx, leaf)
	named := p.serverNamed(leaf)
	return p.serverTrusted(chain) && valid && named
}

// serverTimes compares the certificate's validity with this machine's clock and,
// if that does not fit, with the server's.
func (p *run) serverTimes(ctx context.Context, leaf *x509.Certificate) bool {
	now := p.Now().UTC()
	before, after, nowF := f("not_before", stamp(leaf.NotBefore)), f("not_after", stamp(leaf.NotAfter)), f("now", stamp(now))
	if !now.Before(leaf.NotBefore) && !now.After(leaf.NotAfter) {
		p.add(check.TLSServerCertExpired, Pass, before, after, nowF)
		p.add(check.DeviceClockBehind, Pass, nowF).Note = "Within the validity of the server's certificate."
		return true
	}
	at, known := p.serverClock(ctx)
	if known {
		p.report.Facts.ServerTime, p.report.Facts.ClockOffset = at, at.Sub(now)
	}
	theirs := known && !at.Before(leaf.NotBefore) && !at.After(leaf.NotAfter)
	c, other := check.TLSServerCertExpired, check.DeviceClockBehind
	if theirs || !known && now.Before(leaf.NotBefore) { // servers rarely get certificates of the future; devices often wake up in 1970
		c, other = other, c
	}
	server := f("server_time", "")
	if known {
		server = f("server_time", stamp(at))
	}
	r := p.add(c, Fail, before, after, nowF, server)
	if !known {
		r.Causes = []*check.Check{c, other}
		r.Note = "The server told no time to compare with."
	}
	return false
}

// serverClock reads the Date header of the endpoint's HTTPS port. The header is
// only compared with, so it need not come from a server that is trusted.
func (p *run) serverClock(ctx context.Context) (time.Time, bool) {
	target := p.link.target
	if slices.Contains(awsPorts, p.report.Facts.Port) {
		target = netip.AddrPortFrom(target.Addr(), 443)
	}
	nc, err := p.dial(ctx, forClock, target)
	if err != nil {
		return time.Time{}, false
	}
	defer nc.Close()
	limit := min(p.Timeout, 2*time.Second)
	s := p.handshake(ctx, nc, variant{sni: p.serverName(), bare: true}, limit)
	if s.err != nil {
		return time.Time{}, false
	}
	s.conn.SetDeadline(time.Now().Add(limit))
	if _, err := s.conn.Write([]byte("HEAD / HTTP/1.1\r\nHost: " + p.report.Facts.Endpoint + "\r\nConnection: close\r\n\r\n")); err != nil {
		return time.Time{}, false
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(s.conn, 4096), &http.Request{Method: http.MethodHead})
	if err != nil {
		return time.Time{}, false
	}
	resp.Body.Close()
	at, err := http.ParseTime(resp.Header.Get("Date"))
	return at, err == nil
}

func (p *run) serverNamed(leaf *x509.Certificate) bool {
	name := p.serverName()
	names := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		names = []string{"no name at all; its common name " + leaf.Subject.CommonName + " does not count"}
	}
	if err := leaf.VerifyHostname(name); err != nil {
		p.add(check.TLSServerCertName, Fail, f("offered", name), f("required", list(names)))
		return false
	}
	p.add(check.TLSServerCertName, Pass, f("offered", name), f("required", list(names)))
	return true
}

// serverTrusted builds the server's chain to the trust store.
func (p *run) serverTrusted(chain []*x509.Certificate) bool {
	leaf := chain[0]
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	at := p.Now() // the dates were judged already: here only the signatures count
	if at.Before(leaf.NotBefore) || at.After(leaf.NotAfter) {
		at = leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: p.material.pool, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	end := chain[len(chain)-1]
	root := f("chain_root", cmp.Or(end.Issuer.String(), "a certificate without an issuer's name"))
	if err == nil {
		p.add(check.TLSServerCertUntrusted, Pass, root)
		p.crossSigned(end)
		return true
	}
	store := "no certificate of that name, as this machine's own trust store"
	if p.material.pool != nil {
		var subjects []string
		for _, c := range p.material.roots {
			subjects = append(subjects, c.Subject.String())
		}
		store = list(subjects)
	}
	if device := p.report.Facts.Certificate; device != nil {
		for _, c := range p.material.roots {
			if bytes.Equal(c.RawSubject, device.RawIssuer) && device.CheckSignatureFrom(c) == nil {
				p.add(check.TLSTrustStoreIsDeviceCA, Fail, f("path", p.CAFile), f("issuer", c.Subject.String()), root)
				return false
			}
		}
	}
	p.add(check.TLSServerCertUntrusted, Fail, root, f("trust_store", store), f("path", p.CAFile), f("error", strings.TrimPrefix(err.Error(), "x509: ")))
	return false
}

// crossSigned warns where the server's chain goes on behind a root that is
// trusted: some clients follow it and find no end. PROBLEMS B-05.
func (p *run) crossSigned(end *x509.Certificate) {
	if !end.IsCA || bytes.Equal(end.RawSubject, end.RawIssuer) {
		return
	}
	for _, c := range p.material.roots {
		if bytes.Equal(c.RawSubjectPublicKeyInfo, end.RawSubjectPublicKeyInfo) {
			p.add(check.TLSServerCertCrossSign, Warn, f("chain_root", end.Issuer.String()), f("required", c.Subject.String())).Note = "Most clients stop at the trusted root. Those that do not look for the older one."
			return
		}
	}
}
