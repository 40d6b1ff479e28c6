package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

func lookupHost(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// dns resolves the name. Behind a proxy the device's own resolver does not matter.
func (p *run) dns(ctx context.Context) bool {
	p.announce()
	host := p.report.Facts.Endpoint
	offered := f("offered", host)
	if p.Proxy != "" {
		p.skip(check.NetDNSNXDomain, "The proxy resolves the name.")
		return true
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		p.report.Facts.Addresses = []netip.Addr{addr}
		p.skip(check.NetDNSNXDomain, "An address was given in place of a name: no server name (SNI) is sent.")
		return true
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	addrs, err := p.lookup(ctx, host)
	took := time.Since(began)
	if err == nil && len(addrs) == 0 {
		err = &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	if err == nil {
		for i := range addrs {
			addrs[i] = addrs[i].Unmap()
		}
		p.report.Facts.Addresses = addrs
		p.add(check.NetDNSNXDomain, Pass, offered, f("count", strconv.Itoa(len(addrs))), f("used", joinAddrs(addrs))).Took = took
		return true
	}
	p.dnsFailed(ctx, err, offered)
	return false
}

func (p *run) dnsFailed(ctx context.Context, err error, offered attempt.Field) {
	c := check.NetDNSUnavailable
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		c = check.NetDNSNXDomain
	}
	reason := f("error", plainError(err))
	if key, _ := p.proxyVariable(); key != "" {
		p.behindProxy(ctx, c, key, offered, reason)
		return
	}
	p.add(c, Fail, offered, reason)
}

// behindProxy is a network without a way out, in an environment with a proxy:
// the proxy is asked for the way, and the direct failure is its consequence.
func (p *run) behindProxy(ctx context.Context, direct *check.Check, key string, ev ...attempt.Field) {
	_, value := p.proxyVariable()
	ev = append(ev, f("key", key))
	i := slices.IndexFunc(p.report.Facts.Connections, func(c Connection) bool { return c.Purpose == forProxy })
	if i < 0 {
		p.add(direct, Fail, ev...)
		return
	}
	p.report.Facts.Connections[i].Began = time.Now()
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.Timeout)
	defer cancel()
	nc, err := dialProxy(ctx, value, net.JoinHostPort(p.report.Facts.Endpoint, strconv.Itoa(p.report.Facts.Port)), p.Timeout)
	if refused, ok := errors.AsType[*proxyError](err); ok {
		p.add(check.NetProxyAuth, Fail, append(ev, f("reason", refused.status))...)
		p.add(direct, Unknown, ev...).Note = "It fails directly too: the proxy is the only way out."
		return
	}
	note := "Directly there is no way."
	if err == nil {
		nc.Close()
		note = "Directly there is no way; through the proxy there is. Try --proxy."
	}
	p.add(check.NetProxyRequired, Fail, ev...).Note = note
	p.add(direct, Unknown, ev...).Note = "Its consequence, most likely."
}

func joinAddrs(addrs []netip.Addr) string {
	var s []string
	for _, a := range addrs {
		s = append(s, a.String())
	}
	return list(s)
}

// tcp opens the connection that goes on to be the device's.
func (p *run) tcp(ctx context.Context) bool {
	port := uint16(p.report.Facts.Port) //nolint:gosec // the flag's range is checked where it is read
	v4 := slices.DeleteFunc(slices.Clone(p.report.Facts.Addresses), func(a netip.Addr) bool { return !a.Is4() })
	v6 := slices.DeleteFunc(slices.Clone(p.report.Facts.Addresses), func(a netip.Addr) bool { return a.Is4() })
	target := netip.AddrPortFrom(netip.IPv4Unspecified(), port) // a proxy needs none
	switch {
	case len(v4) > 0:
		target = netip.AddrPortFrom(v4[0], port)
	case len(v6) > 0:
		target = netip.AddrPortFrom(v6[0], port)
	}
	ev := []attempt.Field{f("port", strconv.Itoa(p.report.Facts.Port))}
	if p.Proxy == "" {
		ev = append(ev, f("used", target.Addr().String()))
	}
	began := time.Now()
	nc, err := p.dial(ctx, forDevice, target)
	took := time.Since(began)
	if err != nil {
		p.tcpFailed(ctx, err, ev, target)
		return false
	}
	p.add(check.NetTCPRefused, Pass, append(ev, f("elapsed", milliseconds(took)))...).Took = took
	p.link = &link{conn: nc, target: target}
	if len(v4) > 0 && len(v6) > 0 && !v6[0].IsLoopback() {
		p.ipv6(ctx, netip.AddrPortFrom(v6[0], port))
	}
	return true
}

func (p *run) tcpFailed(ctx context.Context, err error, ev []attempt.Field, target netip.AddrPort) {
	if ctx.Err() != nil {
		return
	}
	ev = append(ev, f("error", plainError(err)))
	if refused, ok := errors.AsType[*proxyError](err); ok {
		p.add(check.NetProxyAuth, Fail, append(ev, f("reason", refused.status))...)
		return
	}
	c := tcpFailure(err)
	if key, _ := p.proxyVariable(); key != "" && p.Proxy == "" && c != check.NetTCPRefused {
		p.behindProxy(ctx, c, key, ev...)
		return
	}
	if c == check.NetTCPTimeout {
		ev = append(ev, f("waited", p.Timeout.String()))
	}
	p.add(c, Fail, ev...)
	at := len(p.report.Results) - 1
	var open []string
	for _, port := range p.otherPorts() {
		if ctx.Err() != nil {
			break
		}
		nc, err := p.dial(ctx, forOtherPorts+strconv.Itoa(port), netip.AddrPortFrom(target.Addr(), uint16(port))) //nolint:gosec // one of awsPorts
		if err != nil {
			p.add(tcpFailure(err), Warn, f("port", strconv.Itoa(port)), f("error", plainError(err))).Note = "Another port of a data endpoint."
			continue
		}
		nc.Close()
		open = append(open, strconv.Itoa(port))
		p.add(check.NetTCPRefused, Pass, f("port", strconv.Itoa(port)))
	}
	if len(open) > 0 {
		p.report.Results[at].Note = "Of the other ports of a data endpoint, " + strings.Join(open, " and ") + " can be reached."
	}
}

// ipv6 tries the other family when the first one works: PROBLEMS A-14.
func (p *run) ipv6(ctx context.Context, target netip.AddrPort) {
	nc, err := p.dial(ctx, forIPv6, target)
	if err != nil {
		p.add(check.NetIPv6Unreachable, Warn, f("used", target.Addr().String()), f("error", plainError(err))).Note = "IPv4 works and is used."
		return
	}
	nc.Close()
	p.add(check.NetIPv6Unreachable, Pass, f("used", target.Addr().String()))
}

func milliseconds(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%dms", max(d.Milliseconds(), 1))
	}
	return d.Round(100 * time.Millisecond).String()
}
