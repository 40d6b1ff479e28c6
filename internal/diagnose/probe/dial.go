package probe

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// Purposes of connections, as they are announced.
const (
	forDevice     = "MQTT as the device"
	forOther      = "MQTT as the device, in the other version and with TLS 1.2"
	forIPv6       = "TCP over IPv6"
	forClock      = "HTTPS, to read the server's clock"
	forProxy      = "CONNECT through the proxy of the environment"
	forNoSNI      = "TLS without a server name"
	forWithSNI    = "TLS with the server name"
	forWrongSNI   = "TLS with a wrong server name"
	forTLS12      = "TLS 1.2 alone"
	forTLS13      = "TLS 1.3 alone"
	forWithALPN   = "TLS with the ALPN protocol x-amzn-mqtt-ca"
	forNoALPN     = "TLS without ALPN"
	forOtherPorts = "TCP on port "
)

// awsPorts are the ports of a data endpoint: connect sheet 2.
var awsPorts = []int{8883, 443, 8443}

// announce plans every connection that the run may make.
func (p *run) announce() {
	add := func(purpose string) {
		p.report.Facts.Connections = append(p.report.Facts.Connections, Connection{Purpose: purpose})
	}
	add(forDevice)
	if p.Version == 0 {
		add(forOther)
	}
	for _, port := range p.otherPorts() {
		add(forOtherPorts + strconv.Itoa(port))
	}
	if key, _ := p.proxyVariable(); key != "" && p.Proxy == "" {
		add(forProxy)
	}
	for _, purpose := range []string{forIPv6, forClock, forNoSNI, forWithSNI, forWrongSNI, forTLS12, forTLS13, forWithALPN, forNoALPN} {
		add(purpose)
	}
}

// otherPorts are those that are tried beside the device's: the other ones of AWS.
func (p *run) otherPorts() []int {
	if !slices.Contains(awsPorts, p.report.Facts.Port) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(awsPorts), func(port int) bool { return port == p.report.Facts.Port })
}

// errNotAnnounced is a mistake in this package: a test holds it.
var errNotAnnounced = errors.New("this connection was not announced")

// dial makes the connection that was announced for purpose, to addr, or through
// the proxy.
func (p *run) dial(ctx context.Context, purpose string, addr netip.AddrPort) (net.Conn, error) {
	i := slices.IndexFunc(p.report.Facts.Connections, func(c Connection) bool { return c.Purpose == purpose && c.Began.IsZero() })
	if i < 0 {
		return nil, fmt.Errorf("%s: %w", purpose, errNotAnnounced)
	}
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	p.report.Facts.Connections[i].Began = time.Now()
	var (
		d   net.Dialer
		nc  net.Conn
		err error
	)
	if p.Proxy != "" {
		nc, err = dialProxy(ctx, p.Proxy, net.JoinHostPort(p.report.Facts.Endpoint, strconv.Itoa(int(addr.Port()))), p.Timeout)
	} else {
		nc, err = d.DialContext(ctx, "tcp", addr.String())
	}
	if err != nil {
		return nil, err
	}
	p.report.Facts.Connections[i].Remote = addrPort(nc.RemoteAddr())
	p.report.Facts.Connections[i].Local = addrPort(nc.LocalAddr())
	return nc, nil
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// A proxyError is a proxy that answered, and not with 200.
type proxyError struct{ status string }

func (e *proxyError) Error() string { return "the proxy answered " + e.status }

// dialProxy opens a tunnel to target with HTTP CONNECT.
func dialProxy(ctx context.Context, proxy, target string, timeout time.Duration) (net.Conn, error) {
	u, err := url.Parse(proxy)
	if err != nil || u.Host == "" {
		return nil, errors.New("the proxy is no URL: http://HOST:PORT") // err would show its password
	}
	if u.Scheme != "http" {
		return nil, fmt.Errorf("a proxy with the scheme %s is not built: http is", u.Scheme)
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "80")
	}
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	nc.SetDeadline(time.Now().Add(timeout))
	req := "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n"
	if u.User != nil {
		password, _ := u.User.Password()
		req += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)) + "\r\n"
	}
	if _, err := nc.Write([]byte(req + "\r\n")); err != nil {
		nc.Close()
		return nil, fmt.Errorf("proxy: %w", err)
	}
	r := bufio.NewReaderSize(nc, 4096)
	resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("proxy: %w", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || r.Buffered() > 0 {
		nc.Close()
		return nil, &proxyError{resp.Status}
	}
	nc.SetDeadline(time.Time{})
	return nc, nil
}

// tcpFailure is the check that a failed dial stands for.
func tcpFailure(err error) *check.Check {
	if _, ok := errors.AsType[*proxyError](err); ok {
		return check.NetProxyAuth
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return check.NetTCPRefused
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		return check.NetTCPUnreachable
	case errors.Is(err, syscall.ECONNRESET): // it was accepted, and reset before connect returned
		return check.NetResetAfterClientHello
	}
	return check.NetTCPTimeout
}

// plainError is an error for people, without addresses that are evidence already.
func plainError(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return strings.TrimPrefix(op.Err.Error(), "tls: ")
	}
	return err.Error()
}
