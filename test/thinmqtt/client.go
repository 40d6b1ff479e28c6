// Package thinmqtt is an MQTT client for tests that load a server: it does what it is told and
// nothing by itself, so that one can leave messages unacknowledged, not read, or vanish, in
// thousands of connections at once.
package thinmqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// Options say how to connect. Addr and TLS, or Dial, are required.
type Options struct {
	Addr string // host:port
	TLS  *tls.Config
	From string // IP address to connect from; empty is the system's choice
	// Dial replaces all of the above by another transport.
	Dial func(ctx context.Context) (net.Conn, error)

	ClientID       string
	UserName       string       // not sent if empty
	Password       []byte       // not sent if nil
	Version        mqtt.Version // default MQTT 3.1.1
	KeepAlive      uint16       // seconds; default 600
	Keep           bool         // a session that outlives the connection is resumed, or made
	Expiry         uint32       // seconds that it outlives it, of an MQTT 5 client; default 3600
	ReceiveMaximum uint16       // of an MQTT 5 client; 0: not sent
	Buffer         int          // bytes of the socket's receive buffer; 0: the system's choice
	Timeout        time.Duration
}

// A Client is one connection. One goroutine may read and others write.
type Client struct {
	net.Conn
	Version mqtt.Version
	Present bool // the server had the session

	reader *mqtt.Reader
	id     atomic.Uint32 // the last packet identifier of SUBSCRIBE and UNSUBSCRIBE
}

// Connect goes up to CONNACK. A refusal is an error.
func Connect(ctx context.Context, o Options) (*Client, error) {
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	dial := o.Dial
	if dial == nil {
		dial = o.dialTLS
	}
	nc, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	nc.SetDeadline(deadline)
	c := &Client{Conn: nc, Version: o.Version}
	if c.Version == 0 {
		c.Version = mqtt.V311
	}
	c.reader = mqtt.NewReader(nc, c.Version, 0)
	if err := c.hello(o); err != nil {
		nc.Close()
		return nil, fmt.Errorf("connect %s: %w", o.ClientID, err)
	}
	nc.SetDeadline(time.Time{})
	return c, nil
}

func (o Options) dialTLS(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{}
	if o.From != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(o.From)}
	}
	nc, err := d.DialContext(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, err
	}
	if o.Buffer > 0 {
		nc.(*net.TCPConn).SetReadBuffer(o.Buffer)
	}
	return tls.Client(nc, o.TLS), nil
}

func (c *Client) hello(o Options) error {
	p := &mqtt.Connect{Version: c.Version, CleanStart: !o.Keep, KeepAlive: o.KeepAlive, ClientID: []byte(o.ClientID)}
	if p.KeepAlive == 0 {
		p.KeepAlive = 600
	}
	p.HasUserName, p.UserName, p.HasPassword, p.Password = o.UserName != "", []byte(o.UserName), o.Password != nil, o.Password
	if c.Version == mqtt.V5 {
		if o.Keep && o.Expiry == 0 {
			o.Expiry = 3600
		}
		if o.Expiry > 0 {
			p.Props.SetSessionExpiry(o.Expiry)
		}
		if o.ReceiveMaximum > 0 {
			p.Props.SetReceiveMaximum(o.ReceiveMaximum)
		}
	}
	if err := c.Send(p); err != nil {
		return err
	}
	answer, err := c.Next()
	if err != nil {
		return err
	}
	ack, ok := answer.(*mqtt.Connack)
	if !ok || ack.Reason != mqtt.Success {
		return fmt.Errorf("answered %+v", answer)
	}
	c.Present = ack.SessionPresent
	return nil
}

// Send encodes and writes a packet.
func (c *Client) Send(p mqtt.Packet) error { return mqtt.WritePacket(c, c.Version, p) }

// Next reads a packet; it waits until the connection's read deadline.
func (c *Client) Next() (mqtt.Packet, error) { return c.reader.ReadPacket() }

// Publish sends a message; id is its packet identifier, 0 at QoS 0.
func (c *Client) Publish(topic string, payload []byte, id uint16, retain bool) error {
	p := &mqtt.Publish{Topic: []byte(topic), Payload: payload, PacketID: id, Retain: retain}
	if id != 0 {
		p.QoS = 1
	}
	return c.Send(p)
}

// Ack acknowledges a message that came.
func (c *Client) Ack(id uint16) error { return c.Send(&mqtt.Puback{PacketID: id}) }

// Subscribe subscribes to filters at a QoS, and waits until the server granted it. Messages that come
// meanwhile are for what: nil drops them.
func (c *Client) Subscribe(qos mqtt.QoS, what func(*mqtt.Publish), filters ...string) error {
	p := &mqtt.Subscribe{PacketID: c.nextID()}
	for _, f := range filters {
		p.Filters = append(p.Filters, mqtt.Subscription{Filter: []byte(f), QoS: qos})
	}
	if err := c.Send(p); err != nil {
		return err
	}
	answer, err := c.await(mqtt.TypeSuback, what)
	if err != nil {
		return fmt.Errorf("subscribe to %q: %w", filters, err)
	}
	for _, code := range answer.(*mqtt.Suback).Codes {
		if byte(code) != byte(qos) {
			return fmt.Errorf("subscribe to %q: SUBACK %#x", filters, byte(code))
		}
	}
	return nil
}

// Unsubscribe is the reverse of [Client.Subscribe].
func (c *Client) Unsubscribe(what func(*mqtt.Publish), filters ...string) error {
	p := &mqtt.Unsubscribe{PacketID: c.nextID()}
	for _, f := range filters {
		p.Filters = append(p.Filters, []byte(f))
	}
	if err := c.Send(p); err != nil {
		return err
	}
	_, err := c.await(mqtt.TypeUnsuback, what)
	return err
}

func (c *Client) nextID() uint16 { return uint16(c.id.Add(1)%60_000 + 1) }

func (c *Client) await(t mqtt.PacketType, what func(*mqtt.Publish)) (mqtt.Packet, error) {
	for {
		p, err := c.Next()
		if err != nil {
			return nil, err
		}
		if p.Type() == t {
			return p, nil
		}
		if m, ok := p.(*mqtt.Publish); ok && what != nil {
			what(m)
		}
	}
}

// Leave ends the connection by DISCONNECT.
func (c *Client) Leave() error { return errors.Join(c.Send(&mqtt.Disconnect{}), c.Close()) }

// Vanish ends it by a TCP reset, as a device that loses power behind a router that does not.
func (c *Client) Vanish() {
	nc := c.Conn
	if tc, ok := nc.(*tls.Conn); ok {
		nc = tc.NetConn()
	}
	if tcp, ok := nc.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	nc.Close()
}
