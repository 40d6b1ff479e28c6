package mqttconn

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/internal/broker/nonblock"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// startTLS runs a server on loopback TCP under TLS, as the gateway does, and returns how to connect.
func startTLS(tb testing.TB) (dial func(v mqtt.Version, id string) (net.Conn, *mqtt.Reader)) {
	tb.Helper()
	_, dial = serveTLS(tb)
	return dial
}

// serveTLS is startTLS for who needs the server too.
func serveTLS(tb testing.TB) (s *Server, dial func(v mqtt.Version, id string) (net.Conn, *mqtt.Reader)) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, DynamicRecordSizingDisabled: true}
	doc, err := policy.Parse([]byte(allowAll))
	if err != nil {
		tb.Fatal(err)
	}
	set := policy.Compile(policy.Named{Name: "p", Source: policy.SourceCertificate, Doc: doc})
	s, err = New(Config{
		Broker: broker.New(broker.Config{}), Limits: OpenLimits,
		Authorize: func(_ context.Context, _ identity.Principal, id string, _ identity.Facts) (Authorization, error) {
			return fixed{set.Bind(&policy.Context{Region: "us-east-1", Account: "123456789012", ClientID: id})}, nil
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	attempts := attempt.NewRecorder(attempt.Config{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer nc.Close()
				at := attempts.Begin(attempt.DoorMQTT, nc.RemoteAddr(), nc.LocalAddr())
				defer at.End()
				rest := s.Serve(context.Background(), tls.Server(nonblock.New(nc), cfg), Info{}, identity.Principal{ID: "p"}, at)
				for rest != nil {
					rest = rest()
				}
			})
		}
	})
	tb.Cleanup(func() {
		ln.Close()
		s.CutAll(context.Background())
		serving.Wait()
		attempts.Close()
	})
	return s, func(v mqtt.Version, id string) (net.Conn, *mqtt.Reader) {
		tb.Helper()
		raw, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			tb.Fatal(err)
		}
		nc := tls.Client(&corked{Conn: raw}, &tls.Config{InsecureSkipVerify: true})
		tb.Cleanup(func() { nc.Close() })
		r := mqtt.NewReader(nc, v, 0)
		p := &mqtt.Connect{CleanStart: true, KeepAlive: 60, ClientID: []byte(id)}
		if err := mqtt.WritePacket(nc, v, p); err != nil {
			tb.Fatal(err)
		}
		if a, err := r.ReadPacket(); err != nil || a.Type() != mqtt.TypeConnack {
			tb.Fatalf("CONNACK: %v, %v", a, err)
		}
		return nc, r
	}
}

// A corked connection can keep what is written to it until it is uncorked, and counts the TLS
// records that come in.
type corked struct {
	net.Conn
	cork    bool
	kept    []byte
	records int
	left    int // bytes of the current record still to come
	header  []byte
}

func (c *corked) Write(p []byte) (int, error) {
	if !c.cork {
		return c.Conn.Write(p)
	}
	c.kept = append(c.kept, p...)
	return len(p), nil
}

// uncork sends in one write what was kept.
func (c *corked) uncork() error {
	c.cork = false
	_, err := c.Conn.Write(c.kept)
	return err
}

func (c *corked) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	for _, b := range p[:n] {
		if c.left > 0 {
			c.left--
		} else if c.header = append(c.header, b); len(c.header) == 5 {
			c.records++
			c.left = int(c.header[3])<<8 | int(c.header[4])
			c.header = c.header[:0]
		}
	}
	return n, err
}

type fixed struct{ *policy.Bound }

func (fixed) Generation() uint64 { return 1 }
func (fixed) ThingName() string  { return "" }

// TestOverTLS sends QoS 1 messages of all sizes through real sockets: all arrive, once and in order.
func TestOverTLS(t *testing.T) {
	for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
		t.Run(v.String(), func(t *testing.T) {
			dial := startTLS(t)
			sub, in := dial(v, "sub")
			mqtt.WritePacket(sub, v, subscribeTo(1, "t/+"))
			if p, err := in.ReadPacket(); err != nil || p.Type() != mqtt.TypeSuback {
				t.Fatalf("SUBACK: %v, %v", p, err)
			}
			pub, acks := dial(v, "pub")
			const n = 2000
			window := make(chan struct{}, maxInflight)
			ahead := make(chan struct{}, 500) // of the subscriber: what waits for it is bounded
			go func() {
				for i := range n {
					window <- struct{}{}
					ahead <- struct{}{}
					p := publishOf("t/1", fmt.Sprintf("%d %s", i, make([]byte, i*37%20_000)), 1)
					p.PacketID = uint16(i + 1)
					mqtt.WritePacket(pub, v, p)
				}
			}()
			done := make(chan error, 1)
			go func() {
				for range n {
					if p, err := acks.ReadPacket(); err != nil || p.Type() != mqtt.TypePuback {
						done <- fmt.Errorf("PUBACK: %v, %w", p, err)
						return
					}
					<-window
				}
				done <- nil
			}()
			for i := range n {
				p, err := in.ReadPacket()
				<-ahead
				m, ok := p.(*mqtt.Publish)
				if !ok {
					t.Fatalf("message %d: %v, %v", i, p, err)
				}
				if want := fmt.Sprintf("%d %s", i, make([]byte, i*37%20_000)); string(m.Payload) != want {
					t.Fatalf("message %d has %d bytes and begins with %.8q, want %d bytes", i, len(m.Payload), m.Payload, len(want))
				}
				mqtt.WritePacket(sub, v, &mqtt.Puback{PacketID: m.PacketID})
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAnsweredTogether: what arrives together is answered in one TLS record, whatever records it came in.
func TestAnsweredTogether(t *testing.T) {
	nc, in := startTLS(t)(mqtt.V311, "c")
	wire := nc.(*tls.Conn).NetConn().(*corked)
	const n = 40
	wire.cork = true
	for i := range n {
		p := publishOf("t/1", "x", 1)
		p.PacketID = uint16(i + 1)
		mqtt.WritePacket(nc, mqtt.V311, p) // a record of its own
	}
	before := wire.records
	if err := wire.uncork(); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		p, err := in.ReadPacket()
		if a, ok := p.(*mqtt.Puback); !ok || a.PacketID != uint16(i+1) {
			t.Fatalf("answer %d: %v, %v", i, p, err)
		}
	}
	if got := wire.records - before; got != 1 {
		t.Errorf("%d records with answers, want 1", got)
	}
}

func BenchmarkOneToOne(b *testing.B) {
	for _, size := range []int{16, 256, 4096} {
		b.Run(fmt.Sprintf("qos=0/payload=%d", size), func(b *testing.B) {
			dial := startTLS(b)
			sub, in := dial(mqtt.V311, "sub")
			mqtt.WritePacket(sub, mqtt.V311, subscribeTo(0, "t/+"))
			if _, err := in.ReadPacket(); err != nil {
				b.Fatal(err)
			}
			pub, _ := dial(mqtt.V311, "pub")
			one, err := publishOf("t/1", string(make([]byte, size)), 0).Append(nil, mqtt.V311)
			if err != nil {
				b.Fatal(err)
			}
			const burst, ahead = 50, 2000 // the publisher stays so far ahead at most
			var batch []byte
			for range burst {
				batch = append(batch, one...)
			}
			credit := make(chan struct{}, ahead/burst)
			b.ResetTimer()
			go func() {
				for range b.N/burst + 1 {
					credit <- struct{}{}
					pub.Write(batch)
				}
			}()
			for i := range b.N/burst*burst + burst {
				if _, _, err := in.ReadFrame(); err != nil {
					b.Fatal(err)
				}
				if i%burst == burst-1 {
					<-credit
				}
			}
		})
	}
}
