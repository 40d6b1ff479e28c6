//go:build linux

package faults

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
	"github.com/gatehouse-iot/gatehouse/test/thinmqtt"
)

// A flood is one hostile behaviour, repeated by many clients until the end.
type flood struct {
	name    string
	clients int
	attack  func(ctx context.Context, ip string, gw *gatehouseproc.Process, d device) // one connection
}

// floods are attacks on every layer from TCP to the broker.
var floods = []flood{
	{"says nothing", 400, func(ctx context.Context, ip string, gw *gatehouseproc.Process, _ device) {
		hold(ctx, ip, gw.Ports.MQTT, nil)
	}},
	{"half a ClientHello", 200, func(ctx context.Context, ip string, gw *gatehouseproc.Process, _ device) {
		hello := clientHello()
		hold(ctx, ip, gw.Ports.MQTT, hello[:len(hello)/2])
	}},
	{"a byte at a time", 100, func(ctx context.Context, ip string, gw *gatehouseproc.Process, _ device) {
		dribble(ctx, ip, gw.Ports.MQTT, clientHello(), 50*time.Millisecond)
	}},
	{"TLS records of one byte", 20, func(ctx context.Context, ip string, gw *gatehouseproc.Process, _ device) {
		var b []byte
		for _, c := range clientHello()[5:] {
			b = append(b, 22, 3, 1, 0, 1, c)
		}
		hold(ctx, ip, gw.Ports.MQTT, b)
	}},
	{"a handshake message without end", 20, func(ctx context.Context, ip string, gw *gatehouseproc.Process, _ device) {
		stream(ctx, ip, gw.Ports.MQTT, []byte{22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff}, bytes.Repeat([]byte{22, 3, 1, 0x40, 0}, 4096))
	}},
	{"empty TLS records", 20, func(ctx context.Context, ip string, gw *gatehouseproc.Process, _ device) {
		stream(ctx, ip, gw.Ports.MQTT, nil, bytes.Repeat([]byte{22, 3, 1, 0, 0}, 4096))
	}},
	{"garbage", 20, func(ctx context.Context, ip string, gw *gatehouseproc.Process, _ device) {
		stream(ctx, ip, gw.Ports.MQTT, []byte("SSH-2.0-x\r\n"), bytes.Repeat([]byte{0xfe}, 16384))
	}},
	{"reset in the handshake", 20, func(_ context.Context, ip string, gw *gatehouseproc.Process, _ device) {
		if nc, err := dialFrom(ip, gw.Ports.MQTT); err == nil {
			nc.Write(clientHello())
			nc.SetLinger(0)
			nc.Close()
		}
	}},
	{"slow HTTP without a certificate", 100, func(ctx context.Context, ip string, gw *gatehouseproc.Process, d device) {
		inTLS(ctx, ip, gw.Ports.ALPN, &tls.Config{RootCAs: d.config.RootCAs, ServerName: d.config.ServerName}, func(tc *tls.Conn) {
			for _, b := range []byte("GET /" + strings.Repeat("x", 1000)) {
				if _, err := tc.Write([]byte{b}); err != nil || !thinmqtt.Pause(ctx, 100*time.Millisecond) {
					return
				}
			}
		})
	}},
	{"slow API requests", 50, func(ctx context.Context, ip string, gw *gatehouseproc.Process, _ device) {
		dribble(ctx, ip, gw.Ports.API, []byte("POST /things/x HTTP/1.1\r\nHost: x\r\nX-Y: "+strings.Repeat("y", 1000)), 100*time.Millisecond)
	}},
	{"unsigned API bodies", 4, func(ctx context.Context, ip string, gw *gatehouseproc.Process, _ device) {
		stream(ctx, ip, gw.Ports.API, []byte("POST /things/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n"), bytes.Repeat([]byte("z"), 65536))
	}},
	{"a huge remaining length", 20, mqttFlood(false, 4, func(ctx context.Context, tc *tls.Conn, _ device) {
		tc.Write([]byte{0x10, 0xff, 0xff, 0xff, 0x7f, 0, 4, 'M', 'Q', 'T', 'T', 4})
		drain(tc)
	})},
	{"a large CONNECT, slowly", 50, mqttFlood(false, 4, func(ctx context.Context, tc *tls.Conn, _ device) {
		body := append(connectPacket("x", 5)[2:12], make([]byte, 128<<10)...)
		p := packet(0x10, body)
		for len(p) > 0 {
			n := min(4096, len(p))
			if _, err := tc.Write(p[:n]); err != nil || !thinmqtt.Pause(ctx, 20*time.Millisecond) {
				return
			}
			p = p[n:]
		}
		drain(tc)
	})},
	{"client IDs of 65,535 bytes", 4, mqttFlood(false, 4, func(_ context.Context, tc *tls.Conn, _ device) {
		tc.Write(connectPacket(strings.Repeat("i", 65535), 4))
		drain(tc)
	})},
	{"invalid UTF-8", 4, mqttFlood(false, 4, func(_ context.Context, tc *tls.Conn, _ device) {
		tc.Write(connectPacket("\xff\xfe\xc0", 5))
		drain(tc)
	})},
	{"packets before CONNACK", 4, mqttFlood(false, 4, func(ctx context.Context, tc *tls.Conn, d device) {
		tc.Write(slices.Concat(connectPacket(d.id, 4), bytes.Repeat(packet(0x30, append(text("flood/a"), 'x')), 1000), connectPacket(d.id, 4)))
		drain(tc)
	})},
	{"SUBSCRIBE without end", 1, mqttFlood(true, 4, func(ctx context.Context, tc *tls.Conn, _ device) {
		go io.Copy(io.Discard, tc)
		for i := 0; ctx.Err() == nil; i++ {
			filter := fmt.Sprintf("s/%d/+", i)
			p := packet(0x82, append(append([]byte{0, 1}, text(filter)...), 1))
			if i%2 == 1 {
				p = append(p, packet(0xa2, append([]byte{0, 2}, text(filter)...))...)
			}
			if _, err := tc.Write(p); err != nil {
				return
			}
		}
	})},
	{"SUBSCRIBE with thousands of filters", 2, mqttFlood(true, 5, func(ctx context.Context, tc *tls.Conn, _ device) {
		go io.Copy(io.Discard, tc)
		p := packet(0x82, append([]byte{0, 1, 0}, bytes.Repeat([]byte{0, 1, 'f', 0}, 30000)...))
		for ctx.Err() == nil {
			if _, err := tc.Write(p); err != nil {
				return
			}
		}
	})},
	{"topic aliases", 1, mqttFlood(true, 5, func(ctx context.Context, tc *tls.Conn, _ device) {
		for i := 0; ctx.Err() == nil; i++ {
			topic := fmt.Sprintf("a/%d", i)
			body := append(text(topic), 3, 0x23, 0, byte(i%9))
			if _, err := tc.Write(packet(0x30, body)); err != nil {
				return
			}
		}
	})},
	{"user properties", 2, mqttFlood(true, 5, func(_ context.Context, tc *tls.Conn, _ device) {
		properties := bytes.Repeat([]byte{0x26, 0, 1, 'k', 0, 0}, 20000)
		n := len(properties)
		body := append(text("flood/p"), byte(n&0x7f|0x80), byte(n>>7&0x7f|0x80), byte(n>>14))
		tc.Write(packet(0x30, append(body, properties...)))
		drain(tc)
	})},
	{"receivers that do not read", 16, mqttFlood(true, 4, func(ctx context.Context, tc *tls.Conn, _ device) {
		tc.Write(packet(0x82, append(append([]byte{0, 1}, text("flood/#")...), 1)))
		<-ctx.Done()
	})},
	{"PUBLISH without end", 1, mqttFlood(true, 4, func(ctx context.Context, tc *tls.Conn, _ device) {
		go io.Copy(io.Discard, tc)
		p := packet(0x32, append(append(text("flood/b"), 0, 1), make([]byte, 16<<10)...))
		for ctx.Err() == nil {
			if _, err := tc.Write(p); err != nil {
				return
			}
		}
	})},
	{"PINGREQ and no reading", 2, mqttFlood(true, 4, func(ctx context.Context, tc *tls.Conn, _ device) {
		p := bytes.Repeat([]byte{0xc0, 0}, 4096)
		for ctx.Err() == nil {
			if _, err := tc.Write(p); err != nil {
				return
			}
		}
	})},
	{"take-overs of one client ID", 4, mqttFlood(false, 4, func(_ context.Context, tc *tls.Conn, _ device) {
		if connect(tc, "wanted", 4) == nil {
			tc.NetConn().(*net.TCPConn).SetLinger(0)
			tc.NetConn().Close()
		}
	})},
}

const (
	floodTime  = 10 * time.Second
	settleTime = 15 * time.Second // longer than the time limits of handshake and first packet
	mostMemory = 900              // MiB
	slowest    = 20 * time.Second // of a good client's connect, publish, PUBACK and API call: the floods share its processors
)

// While all floods come at once, from a few addresses, a good client from another
// address connects, publishes and calls the API, memory stays bounded, and afterwards nothing
// of them is left.
func TestFloods(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	for _, limits := range []string{"aws", "open"} { // open lets them all do their worst
		t.Run(limits, func(t *testing.T) { floodAll(t, limits) })
	}
}

func floodAll(t *testing.T, limits string) {
	gw := gatehouseproc.Start(t, "--limits", limits)
	hostile, good := addDevice(t, gw, "hostile"), addDevice(t, gw, "good")
	before, api := usageOf(gw.PID), gw.IoT()

	ctx, cancel := context.WithTimeout(t.Context(), floodTime)
	defer cancel()
	var wg sync.WaitGroup
	counts := make([]atomic.Int64, len(floods))
	for i, f := range floods {
		ip := fmt.Sprintf("127.0.1.%d", 1+i%4)
		for n := range f.clients {
			wg.Go(func() {
				d := device{fmt.Sprintf("hostile-%d-%d", i, n), hostile.config}
				for ctx.Err() == nil {
					f.attack(ctx, ip, gw, d)
					counts[i].Add(1)
					thinmqtt.Pause(ctx, time.Duration(1+n%10)*time.Millisecond)
				}
			})
		}
	}
	peak := before
	wg.Go(func() {
		for thinmqtt.Pause(ctx, 50*time.Millisecond) {
			u := usageOf(gw.PID)
			peak = usage{max(peak.rss, u.rss), max(peak.descriptors, u.descriptors), max(peak.threads, u.threads)}
		}
	})
	var took []time.Duration
	wg.Go(func() {
		for tries := 0; thinmqtt.Pause(ctx, 100*time.Millisecond); tries++ {
			began := time.Now()
			tc, err := good.open("127.0.0.1", gw.Ports.MQTT, fmt.Sprintf("good-%d", tries), 4)
			if err == nil {
				tc.SetDeadline(time.Now().Add(30 * time.Second))
				err = publishOnce(tc, "good")
				tc.Close()
			}
			if err == nil {
				_, err = api.DescribeEndpoint(t.Context(), &iot.DescribeEndpointInput{})
			}
			if err != nil {
				why, _, _ := gw.Run(t.Context(), "", "gatehouse", "explain", "--client-id", fmt.Sprintf("good-%d", tries))
				t.Errorf("a good client under attack, after %v: %v\n%s", time.Since(began), err, why)
				continue
			}
			took = append(took, time.Since(began))
		}
	})
	wg.Wait()

	slices.Sort(took)
	if len(took) == 0 {
		t.Fatal("no good client came through")
	}
	t.Logf("before %v; peak %v", before, peak)
	t.Logf("%d good clients: median %v, slowest %v", len(took), took[len(took)/2], took[len(took)-1])
	for i, f := range floods {
		t.Logf("%8d times %s", counts[i].Load(), f.name)
		if counts[i].Load() == 0 {
			t.Errorf("%q was not tried", f.name)
		}
	}
	if last := took[len(took)-1]; last > slowest {
		t.Errorf("the slowest good client took %v, want at most %v", last, slowest)
	}
	if peak.rss > mostMemory {
		t.Errorf("%d MiB under attack, want at most %d", peak.rss, mostMemory)
	}
	after := usageOf(gw.PID)
	for end := time.Now().Add(settleTime); after.descriptors > before.descriptors+4 && time.Now().Before(end); after = usageOf(gw.PID) {
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("after %v", after)
	if after.descriptors > before.descriptors+4 {
		t.Errorf("%d descriptors after the attack, %d before", after.descriptors, before.descriptors)
	}
	if strings.Contains(gw.Output(), "panic") {
		t.Error("the server panicked")
	}
}

// hold sends b and keeps the connection until the server ends it.
func hold(ctx context.Context, ip string, port int, b []byte) {
	nc, err := dialFrom(ip, port)
	if err != nil {
		return
	}
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	nc.Write(b)
	drain(nc)
}

// dribble sends b byte by byte.
func dribble(ctx context.Context, ip string, port int, b []byte, every time.Duration) {
	nc, err := dialFrom(ip, port)
	if err != nil {
		return
	}
	defer nc.Close()
	for _, c := range b {
		if _, err := nc.Write([]byte{c}); err != nil || !thinmqtt.Pause(ctx, every) {
			return
		}
	}
}

// stream sends first, and then more for as long as the server takes it.
func stream(ctx context.Context, ip string, port int, first, more []byte) {
	nc, err := dialFrom(ip, port)
	if err != nil {
		return
	}
	defer nc.Close()
	nc.SetWriteDeadline(time.Now().Add(5 * time.Second))
	nc.Write(first)
	for ctx.Err() == nil {
		if _, err := nc.Write(more); err != nil {
			return
		}
	}
}

// inTLS runs fn on a connection after its handshake.
func inTLS(ctx context.Context, ip string, port int, config *tls.Config, fn func(*tls.Conn)) {
	nc, err := dialFrom(ip, port)
	if err != nil {
		return
	}
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	tc := tls.Client(nc, config)
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	if tc.Handshake() == nil {
		fn(tc)
	}
}

// mqttFlood runs fn on a connection with a registered certificate, and with an open session if asked to.
func mqttFlood(session bool, level byte, fn func(context.Context, *tls.Conn, device)) func(context.Context, string, *gatehouseproc.Process, device) {
	return func(ctx context.Context, ip string, gw *gatehouseproc.Process, d device) {
		inTLS(ctx, ip, gw.Ports.MQTT, d.config, func(tc *tls.Conn) {
			if session && connect(tc, d.id, level) != nil {
				return
			}
			fn(ctx, tc, d)
		})
	}
}

// drain reads until the server ends the connection.
func drain(r io.Reader) { io.Copy(io.Discard, r) }

// clientHello is what Go's client says first.
var clientHello = sync.OnceValue(func() []byte {
	client, server := net.Pipe()
	go tls.Client(client, &tls.Config{ServerName: "localhost"}).Handshake()
	defer client.Close()
	defer server.Close()
	head := make([]byte, 5)
	io.ReadFull(server, head)
	body := make([]byte, int(head[3])<<8|int(head[4]))
	io.ReadFull(server, body)
	return append(head, body...)
})
