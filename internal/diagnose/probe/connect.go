package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// connectEvery is how long to wait between two CONNECTs of one client ID: AWS
// takes one a second. Source: mqtt sheet 9.
const connectEvery = 1100 * time.Millisecond

// connect opens the MQTT session as the device.
func (p *run) connect(ctx context.Context) bool {
	if !p.clientID(ctx) {
		return false
	}
	version := mqtt.V5
	if p.Version == 3 {
		version = mqtt.V311
	}
	return p.session(ctx, p.link, version)
}

// clientID chooses the client ID and looks whether a live device has it.
func (p *run) clientID(ctx context.Context) bool {
	id := p.ClientID
	if id == "" {
		id = p.Thing
	}
	if id == "" {
		id, p.random = randomClientID(), true
	}
	p.report.Facts.ClientID = id
	client := f("client_id", id)
	if p.random {
		p.add(check.SessionHazard, Pass, client).Note = "No client ID was given: this one is random. A policy that names its clients refuses it."
		return true
	}
	live, known, who := false, false, ""
	if p.Live != nil {
		live, known, who = p.Live(ctx, id)
	}
	switch {
	case known && !live:
		p.add(check.SessionHazard, Pass, client)
	case known && p.Force:
		p.add(check.SessionHazard, Warn, client, f("other_source_ip", who)).Note = "--force: it is cut off now."
	case known:
		p.add(check.SessionHazard, Warn, client, f("other_source_ip", who))
		p.skip(check.ConnectRefused, "CONNECT was not sent: it would cut the live device off. Use --force, or another --client-id.")
		return false
	default:
		p.add(check.SessionHazard, Unknown, client).Note = "Nobody who could know was asked. If a device is connected as " + id + ", it is cut off for a moment."
	}
	return true
}

// session sends CONNECT over a link whose TLS stands, and judges the answer.
func (p *run) session(ctx context.Context, l *link, v mqtt.Version) bool {
	var conn net.Conn = l.shake.conn
	if p.WebSocket {
		ws, ok := p.upgrade(ctx, l.shake.conn)
		if !ok {
			return false
		}
		conn = ws
	}
	stop := context.AfterFunc(ctx, func() { l.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	l.client = newClient(conn, v)
	l.sent = time.Now()
	// A server that refuses may have closed before this is written: what can be
	// read says more than a failed write.
	sendErr := l.client.send(p.connectPacket(), p.Timeout)
	packet, err := l.client.receive(p.connackWait())
	if errors.Is(err, os.ErrDeadlineExceeded) && sendErr != nil {
		err = sendErr
	}
	took := time.Since(l.sent)
	l.client.rtt = took
	if ctx.Err() != nil {
		return false
	}
	return p.connack(l, answer{packet, err, took})
}

// authorizerTime is how long an authorizer's function may take: custom-auth sheet 1.
const authorizerTime = 5 * time.Second

// connackWait is how long to wait for CONNACK. A server that asks an authorizer
// first may need the authorizer's time for a refusal.
func (p *run) connackWait() time.Duration {
	if p.custom() {
		return p.Timeout + authorizerTime
	}
	return p.Timeout
}

// custom says whether a custom authorizer is to decide.
func (p *run) custom() bool { return p.Authorizer != "" || p.Token != "" }

func (p *run) connectPacket() *mqtt.Connect {
	c := &mqtt.Connect{CleanStart: true, KeepAlive: keepAlive, ClientID: []byte(p.report.Facts.ClientID)}
	user := p.Username
	if p.custom() && !p.WebSocket {
		user += "?" + strings.Join(p.authorizerParameters(), "&")
	}
	if user != "" {
		c.HasUserName, c.UserName = true, []byte(user)
	}
	if p.Password != "" {
		c.HasPassword, c.Password = true, []byte(p.Password)
	}
	return c
}

// authorizerParameters are those of a user name: custom-auth sheet 4.
func (p *run) authorizerParameters() (list []string) {
	add := func(key, value string) {
		if key != "" && value != "" {
			list = append(list, key+"="+url.QueryEscape(value))
		}
	}
	add("x-amz-customauthorizer-name", p.Authorizer)
	add("x-amz-customauthorizer-signature", p.Signature)
	add(p.TokenKey, p.Token)
	return list
}

// connack judges the answer to CONNECT.
func (p *run) connack(l *link, a answer) bool {
	v := l.client.version
	client := pair{"client_id", p.report.Facts.ClientID}
	protocol := pair{"protocol", v.String()}
	authorizer := pair{"authorizer", p.Authorizer}
	if ack, ok := a.packet.(*mqtt.Connack); ok && a.err == nil {
		if ack.Reason == 0 {
			p.add(check.ConnectRefused, Pass, f(client.key, client.value), f(protocol.key, protocol.value), f("elapsed", milliseconds(a.took))).Took = a.took
			return p.staysOpen(l)
		}
		l.client.gone = true
		c, causes := p.refusedConnack(ack.Reason)
		ev := []pair{client, protocol, authorizer, {"reply", codeText(v, ack)}, {"reason", string(ack.Props.ReasonString)}}
		switch c {
		case check.LimitConnectRateClientID:
			ev = append(ev, pair{"required", "1 a second"})
		case check.LimitConnectRateAccount:
			ev = append(ev, pair{"required", "500 a second, if nobody raised it"})
		}
		p.add(c, Fail, fields(ev)...).Causes = causes
		return false
	}
	l.client.gone = true
	if alert := alertNumber(a.err); alert != 0 {
		c, ev := p.refusal(alert)
		p.refused(c, ev)
		return false
	}
	first := l.client.tee.kept
	malformed, isMalformed := errors.AsType[*mqtt.Error](a.err)
	switch {
	case p.wrongALPN(l):
		ev := []pair{{"port", strconv.Itoa(p.report.Facts.Port)}, {"alpn_offered", "none"}, {"required", "x-amzn-mqtt-ca"}, {"reason", ending(a.err)}}
		c := check.TLSALPNMissingOn443
		if p.Authorizer != "" {
			c, ev[2].value = check.TLSALPNMQTTRequired, "mqtt"
		}
		p.add(c, Fail, fields(ev)...)
	case isMalformed || a.packet != nil || len(first) > 0:
		reason := "another packet than CONNACK"
		if isMalformed {
			reason = malformed.Error()
		}
		p.add(check.ConnectNotMQTT, Fail, fields([]pair{client, protocol, {"bytes", hexBytes(first)}, {"offered", looksLike(first)}, {"reason", reason}})...)
	case errors.Is(a.err, os.ErrDeadlineExceeded):
		p.add(check.ConnectNoAnswer, Fail, fields([]pair{client, protocol, {"waited", p.connackWait().String()}})...)
	default:
		r := p.add(check.ConnectClosed, Fail, fields([]pair{client, protocol, authorizer, {"reason", ending(a.err)}})...)
		r.Causes = p.connectCauses()
	}
	return false
}

// wrongALPN says whether the port was asked without ALPN and then asked for no
// certificate: it speaks HTTPS. Source: connect sheet 2.
func (p *run) wrongALPN(l *link) bool {
	s := l.shake
	return !p.WebSocket && !s.asked && s.state.NegotiatedProtocol == "" && (p.material.key != nil || p.Authorizer != "") && len(p.deviceVariant().alpn) == 0
}

// connectCauses are behind a refused CONNECT, the likeliest first: connect sheet 8.5.
func (p *run) connectCauses() []*check.Check {
	if p.custom() {
		return []*check.Check{
			check.AuthorizerNotSelected, check.AuthorizerSignatureMismatch, check.AuthorizerSignatureMissing, check.AuthorizerTokenKeyName,
			check.AuthorizerRejected, check.AuthorizerInvokeDenied, check.AuthorizerTimeout, check.AuthzConnectNoStatement,
		}
	}
	return []*check.Check{
		check.AuthzConnectNoStatement, check.PolicyNoneAttached, check.AuthzConnectClientID, check.AuthzConnectResourceType,
		check.PolicyVarUndefined, check.PolicyARNAccountMismatch, check.CertNotRegistered, check.SessionTakeover,
	}
}

// staysOpen looks whether the server ends the session at once.
func (p *run) staysOpen(l *link) bool {
	packet, err := l.client.receive(window(l.client.rtt))
	switch d := packet.(type) {
	case *mqtt.Disconnect:
		l.client.gone = true
		p.add(check.SessionDisconnected, Fail, f("client_id", p.report.Facts.ClientID), f("reply", fmt.Sprintf("DISCONNECT 0x%02X %s", byte(d.Reason), d.Reason)), f("reason", string(d.Props.ReasonString)))
		return false
	default:
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			p.add(check.SessionDisconnected, Fail, f("client_id", p.report.Facts.ClientID), f("reply", "the end of the connection"), f("reason", ending(err)))
			return false
		}
		return true
	}
}

func codeText(v mqtt.Version, ack *mqtt.Connack) string {
	if v == mqtt.V5 {
		return fmt.Sprintf("0x%02X %s", byte(ack.Reason), ack.Reason)
	}
	return fmt.Sprintf("%d %s", byte(ack.Reason), ack.Reason.Name(v, mqtt.TypeConnack))
}

// otherVersion makes the device's connection once more: in MQTT 3.1.1, which
// most devices speak, and with TLS 1.2 alone, which embedded ones do.
func (p *run) otherVersion(ctx context.Context) {
	if p.Version != 0 || p.link == nil || p.link.client == nil {
		return
	}
	select {
	case <-time.After(time.Until(p.link.sent.Add(connectEvery))):
	case <-ctx.Done():
		return
	}
	nc, err := p.dial(ctx, forOther, p.link.target)
	if err != nil {
		p.add(tcpFailure(err), Unknown, f("error", plainError(err))).Note = "The second connection could not be made."
		return
	}
	second := &link{conn: nc, target: p.link.target}
	defer second.leave()
	v := p.deviceVariant()
	if p.TLS == 0 {
		v.max = tls.VersionTLS12
	}
	second.shake = p.handshake(ctx, nc, v, 3*p.Timeout)
	if second.shake.err != nil {
		if ctx.Err() == nil {
			c, ev := p.failure(second.shake, v)
			p.stage = StageTLS
			p.add(c, Warn, fields(ev)...).Note = "With TLS 1.2 alone, as many embedded devices have it."
		}
		return
	}
	p.session(ctx, second, mqtt.V311)
}
