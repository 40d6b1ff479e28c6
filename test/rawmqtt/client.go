// Package rawmqtt is an MQTT client for tests that does what no library lets
// one do: it sends any bytes, well-formed or not, and reports exactly how the
// server ended the connection, as a device on the wire would see it.
//
//	end, err := rawmqtt.Try(ctx, rawmqtt.Options{Addr: addr, ServerName: "localhost", TLS: tls.VersionTLS12}, connect)
//	// end.String() is "alert 46 certificate_unknown in the handshake, then FIN"
package rawmqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// Options say how to connect. Only Addr is required.
type Options struct {
	Addr string // host:port
	From string // IP address to connect from, such as 127.1.2.3; empty is the system's choice

	Plain        bool             // no TLS at all: the bytes go on the wire as they are
	TLS          uint16           // the one TLS version to offer, tls.VersionTLS12 or the like; 0 offers 1.2 and 1.3
	ServerName   string           // SNI; none is sent if empty or an IP address
	ALPN         []string         // protocols to offer; the extension is left out if empty
	Certificate  *tls.Certificate // sent whatever CAs the server names; nil sends an empty list
	RootCAs      *x509.CertPool   // the server's certificate is verified against it, for ServerName; nil trusts any
	CipherSuites []uint16         // TLS 1.2 and older; nil is Go's choice
	Curves       []tls.CurveID    // nil is Go's choice

	MQTT    mqtt.Version  // how to read the server's packets; 0 is MQTT 3.1.1. Sending a CONNECT packet sets it
	Timeout time.Duration // for the TCP connection and the handshake, and for End in Try; 0 is 5 s
}

func (o Options) timeout() time.Duration {
	if o.Timeout > 0 {
		return o.Timeout
	}
	return 5 * time.Second
}

// config is the TLS configuration that shows everything and hides nothing.
func (o Options) config() *tls.Config {
	c := &tls.Config{
		ServerName:             o.ServerName,
		NextProtos:             o.ALPN,
		MinVersion:             tls.VersionTLS12,
		CipherSuites:           o.CipherSuites,
		CurvePreferences:       o.Curves,
		InsecureSkipVerify:     true, // VerifyConnection below verifies, where RootCAs asks for it
		SessionTicketsDisabled: true,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if o.Certificate == nil {
				return &tls.Certificate{}, nil
			}
			return o.Certificate, nil
		},
	}
	if o.TLS != 0 {
		c.MinVersion, c.MaxVersion = o.TLS, o.TLS
	}
	if o.RootCAs != nil {
		c.VerifyConnection = func(s tls.ConnectionState) error {
			inter := x509.NewCertPool()
			for _, cert := range s.PeerCertificates[1:] {
				inter.AddCert(cert)
			}
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: o.RootCAs, Intermediates: inter, DNSName: o.ServerName})
			return err
		}
	}
	return c
}

// Client is one connection. It is for one goroutine, like a test.
type Client struct {
	tap     *tap
	tls     *tls.Conn // nil when Options.Plain
	reader  *mqtt.Reader
	started time.Time
	version mqtt.Version
	seen    int  // TLS records that had come when we sent, or read a packet, last
	end     *End // once known
}

// Dial connects and shakes hands. A server that ends the handshake is not an
// error: it is the End, and the Client is nil then. In TLS 1.3 a handshake is
// over for the client before the server has seen the client's certificate: its
// refusal comes as the answer to the first read.
func Dial(ctx context.Context, o Options) (*Client, *End, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout())
	defer cancel()
	started := time.Now()
	dialer := new(net.Dialer)
	if o.From != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(o.From)}
	}
	nc, err := dialer.DialContext(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, nil, fmt.Errorf("dial %s: %w", o.Addr, err)
	}
	c := &Client{tap: &tap{Conn: nc}, started: started, version: o.MQTT}
	if c.version == 0 {
		c.version = mqtt.V311
	}
	if o.Plain {
		c.reader = mqtt.NewReader(c.tap, c.version, 0)
		return c, nil, nil
	}
	c.tls = tls.Client(c.tap, o.config())
	c.reader = mqtt.NewReader(c.tls, c.version, 0)
	deadline, _ := ctx.Deadline()
	nc.SetDeadline(deadline)
	if err := c.tls.HandshakeContext(ctx); err != nil {
		end := c.classify(err)
		end.Handshake = true
		c.follow(&end, deadline)
		nc.Close()
		return nil, &end, nil
	}
	nc.SetDeadline(time.Time{})
	return c, nil, nil
}

// Try does everything once: it dials, sends each of sends in its own write,
// and reads until the connection ends or is silent for the timeout.
func Try(ctx context.Context, o Options, sends ...[]byte) (End, error) {
	c, end, err := Dial(ctx, o)
	if err != nil {
		return End{}, err
	}
	if end != nil {
		return *end, nil
	}
	defer func() { _ = c.Reset() }() // it may have ended already
	for _, b := range sends {
		if err := c.Send(b); err != nil {
			break // how the server ended it is what the caller wants to know
		}
	}
	return c.End(o.timeout()), nil
}

// State is what the handshake agreed on; zero without TLS.
func (c *Client) State() tls.ConnectionState {
	if c.tls == nil {
		return tls.ConnectionState{}
	}
	return c.tls.ConnectionState()
}

// Send writes bytes as they are, in one TLS record if they fit.
func (c *Client) Send(b []byte) error {
	c.tap.SetWriteDeadline(time.Now().Add(5 * time.Second))
	c.seen = c.tap.count
	var err error
	if c.tls != nil {
		_, err = c.tls.Write(b)
	} else {
		_, err = c.tap.Write(b)
	}
	return err
}

// SendPacket encodes and sends p. A CONNECT sets the version of all packets
// from then on to its own.
func (c *Client) SendPacket(p mqtt.Packet) error {
	if connect, ok := p.(*mqtt.Connect); ok && connect.Version.Supported() {
		c.version, c.reader.Version = connect.Version, connect.Version
	}
	b, err := p.Append(nil, c.version)
	if err != nil {
		return err
	}
	return c.Send(b)
}

// Next returns the next packet, or how the connection ended. Silence for the
// timeout is an End too, after which one may go on; all other ends are final. A
// packet that the decoder refuses comes with its fault as End.Malformed, and
// one may go on too.
func (c *Client) Next(timeout time.Duration) (mqtt.Packet, *End) {
	if c.end != nil {
		end := *c.end
		return nil, &end
	}
	deadline := time.Now().Add(timeout)
	c.tap.SetReadDeadline(deadline)
	p, err := c.reader.ReadPacket()
	if err == nil {
		c.seen = c.tap.count
		return p, nil
	}
	if bad, ok := errors.AsType[*mqtt.Error](err); ok && p != nil {
		return p, &End{Kind: Silence, Malformed: bad, After: time.Since(c.started)}
	}
	end := c.classify(err)
	if end.Kind == Garbage {
		end = c.drain(end)
	}
	if end.Kind != Silence {
		end.Rest = append(end.Rest, c.reader.Buffered()...)
		c.follow(&end, deadline)
		end.Wire = c.tap.since(c.seen)
		c.end = &end
	}
	return nil, &end
}

// End reads until the connection ends or nothing comes for the timeout, and
// reports that with all packets that came before.
func (c *Client) End(timeout time.Duration) End {
	var packets []mqtt.Packet
	var malformed *mqtt.Error
	for {
		p, end := c.Next(timeout)
		if p != nil {
			packets = append(packets, p)
			if end != nil {
				malformed = end.Malformed
			}
			continue
		}
		end.Packets = packets
		if end.Malformed == nil {
			end.Malformed = malformed
		}
		return *end
	}
}

// Close ends the connection as a well-behaved client: close_notify and FIN.
func (c *Client) Close() error {
	if c.tls != nil {
		return c.tls.Close()
	}
	return c.tap.Close()
}

// CloseWrite sends close_notify and FIN and goes on reading.
func (c *Client) CloseWrite() error {
	if c.tls != nil {
		if err := c.tls.CloseWrite(); err != nil {
			return err
		}
	}
	return c.tap.Conn.(*net.TCPConn).CloseWrite()
}

// Drop sends FIN without close_notify and closes.
func (c *Client) Drop() error { return c.tap.Close() }

// Reset ends the connection with a TCP reset.
func (c *Client) Reset() error {
	return errors.Join(c.tap.Conn.(*net.TCPConn).SetLinger(0), c.tap.Close())
}
