//go:build linux

package faults

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
	"github.com/gatehouse-iot/gatehouse/test/thinmqtt"
)

// numberFrom is the number in an environment variable, or def.
func numberFrom(t *testing.T, name string, def int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return def
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: want a number from 1", name, text)
	}
	return n
}

// descriptors is how many files a process may have open.
func descriptors(t *testing.T) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	return int(min(limit.Cur, 1<<30))
}

// A pair is a publisher and a receiver that keep up: one message after the other, at QoS 1.
type pair struct {
	from, to *thinmqtt.Client
	n        int
	took     []time.Duration
}

func newPair(t *testing.T, gw *gatehouseproc.Process, d device) *pair {
	t.Helper()
	p := &pair{
		from: connectTo(t, gw, d, thinmqtt.Options{ClientID: "pair-from", Version: mqtt.V5}),
		to:   connectTo(t, gw, d, thinmqtt.Options{ClientID: "pair-to"}),
	}
	if err := p.to.Subscribe(1, nil, "pair"); err != nil {
		t.Fatal(err)
	}
	return p
}

// pass sends one message and takes it.
func (p *pair) pass() error {
	p.n++
	began := time.Now()
	if err := p.from.Publish("pair", payloadOf(p.n, 64), uint16(p.n%60_000+1), false); err != nil {
		return err
	}
	got, err := p.to.Next()
	if err != nil {
		return err
	}
	p.took = append(p.took, time.Since(began))
	m, ok := got.(*mqtt.Publish)
	if !ok || numberOf(m.Payload) != p.n {
		return fmt.Errorf("message %d: the receiver got %+v", p.n, got)
	}
	if err := p.to.Ack(m.PacketID); err != nil {
		return err
	}
	got, err = p.from.Next()
	if ack, ok := got.(*mqtt.Puback); err == nil && (!ok || ack.Reason != mqtt.Success) {
		return fmt.Errorf("message %d: answered %+v", p.n, got)
	}
	return err
}

// passUntil passes messages until done is closed, and says how long they took.
func (p *pair) passUntil(done <-chan struct{}) (median, most time.Duration, err error) {
	p.took = nil
	for {
		if err := p.pass(); err != nil {
			return 0, 0, err
		}
		select {
		case <-done:
			slices.Sort(p.took)
			return p.took[len(p.took)/2], p.took[len(p.took)-1], nil
		case <-time.After(time.Millisecond): // leave the processors to the others
		}
	}
}

// passSome is passUntil for so many messages.
func (p *pair) passSome(n int) (median, most time.Duration, err error) {
	done := make(chan struct{})
	close(done)
	p.took = nil
	for range n - 1 {
		if err := p.pass(); err != nil {
			return 0, 0, err
		}
	}
	took := p.took
	if _, _, err = p.passUntil(done); err != nil {
		return 0, 0, err
	}
	took = append(took, p.took...)
	slices.Sort(took)
	return took[len(took)/2], took[len(took)-1], nil
}

// Thousands of connections subscribe, and never read what comes. They cost bounded memory, and a pair
// that keeps up loses nothing.
//
// GATEHOUSE_SLOW=10000 has so many of them; the default is 5,000. The server and the test need a
// file descriptor for each: where there are too few, the default is what there are.
func TestSlowConsumers(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	slow := numberFrom(t, "GATEHOUSE_SLOW", min(5000, descriptors(t)-500))
	gw := gatehouseproc.Start(t, "--limits", "open")
	d := addDevice(t, gw, "slow")
	p := newPair(t, gw, d)
	before := usageOf(gw.PID)
	median, most, err := p.passSome(500)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("alone: median %v, slowest %v; %v", median, most, before)

	var wg sync.WaitGroup
	clients := make([]*thinmqtt.Client, slow)
	for worker := range 32 {
		wg.Go(func() {
			for i := worker; i < slow; i += 32 {
				c, err := thinmqtt.Connect(t.Context(), thinmqtt.Options{
					Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(gw.Ports.MQTT)), TLS: d.config, From: fmt.Sprintf("127.0.2.%d", 1+i%250),
					ClientID: fmt.Sprint("slow-", i), Version: versionOf(i), Buffer: 4 << 10, Timeout: 2 * time.Minute,
				})
				if err == nil {
					clients[i] = c
					err = c.Subscribe(mqtt.QoS(i/2%2), nil, "slow/#")
				}
				if err != nil {
					t.Errorf("slow consumer %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	defer func() {
		for _, c := range clients {
			if c != nil {
				c.Vanish()
			}
		}
	}()
	if t.Failed() {
		return
	}
	connected := usageOf(gw.PID)
	t.Logf("%d connections: %v", slow, connected)

	done := make(chan struct{})
	peak := connected
	var sent int
	wg.Go(func() { // until the queues of all have been full for long
		defer close(done)
		load := &source{Client: connectTo(t, gw, d, thinmqtt.Options{ClientID: "load", Version: mqtt.V5}), topic: "slow/x", size: 32 << 10}
		for load.n < loadMessages && load.publish(t) == mqtt.Success {
			u := usageOf(gw.PID)
			peak.rss = max(peak.rss, u.rss)
		}
		sent = load.n
	})
	median, most, err = p.passUntil(done)
	wg.Wait()
	if err != nil {
		t.Fatalf("the pair beside slow consumers: %v", err)
	}
	t.Logf("%d messages of 32 KiB to each: the pair passed %d messages, median %v, slowest %v; at most %d MiB", sent, p.n, median, most, peak.rss)
	if sent < loadMessages {
		t.Errorf("the load ended after %d messages", sent)
	}
	if limit := mostShared + slow/10; peak.rss > limit {
		t.Errorf("%d MiB resident, want at most %d", peak.rss, limit)
	}
	if median > mostDelayed {
		t.Errorf("half of the pair's messages took %v or more, want at most %v", median, mostDelayed)
	}
	for _, c := range clients {
		c.Vanish()
	}
	after := usageOf(gw.PID)
	kept := func() bool { return after.descriptors > before.descriptors+4 || after.rss > connected.rss }
	for end := time.Now().Add(stalled); kept() && time.Now().Before(end); after = usageOf(gw.PID) {
		time.Sleep(50 * time.Millisecond)
	}
	if kept() {
		t.Errorf("when they are gone: %v; before they came: %v, before they got anything: %v", after, before, connected)
	}
	if _, _, err := p.passSome(10); err != nil {
		t.Errorf("the pair when they are gone: %v", err)
	}
	t.Logf("gone: %v", usageOf(gw.PID))
}

// loadMessages of 32 KiB are far more than a connection may have waiting when a thousand wait.
const loadMessages = 200

// mostShared is how many MiB the server may take besides 100 KiB for each slow consumer, which are its
// connection, one message that its socket did not take, and half of that as garbage: the server
// itself, what else waits for all of them (see sharedBytes of the broker), and the log's buffers. Of
// 10,000 it makes 1.5 GiB.
const mostShared = 512

// mostDelayed is what a message of the pair may take in the middle of all, on a machine whose
// processors have much else to do. Alone it takes less than a tenth of a millisecond.
const mostDelayed = 10 * time.Millisecond

// Devices that send a byte a second are cut in good time before their CONNECT, and inside a message
// that says to be large they take little memory; others do not notice.
func TestByteASecond(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	const each = 300
	gw := gatehouseproc.Start(t, "--limits", "open")
	d := addDevice(t, gw, "drip")
	p := newPair(t, gw, d)
	before := usageOf(gw.PID)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	var cut atomic.Int64
	early := make(chan struct{})
	for i := range each {
		wg.Go(func() { // before CONNECT
			inTLS(ctx, "127.0.3.1", gw.Ports.MQTT, d.config, func(c *tls.Conn) {
				c.SetDeadline(time.Now().Add(10 * time.Minute))
				connect := bytes.NewReader(connectPacket(fmt.Sprintf("%0100d", i), 4))
				gone := make(chan struct{})
				go func() { defer close(gone); io.Copy(io.Discard, c) }()
				for {
					select {
					case <-gone:
						if cut.Add(1) == each {
							close(early)
						}
						return
					case <-ctx.Done():
						return
					case <-time.After(time.Second):
						io.CopyN(c, connect, 1)
					}
				}
			})
		})
		wg.Go(func() { // inside a PUBLISH
			c, err := thinmqtt.Connect(ctx, thinmqtt.Options{
				Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(gw.Ports.MQTT)), TLS: d.config, From: "127.0.3.2", ClientID: fmt.Sprint("drip-", i), KeepAlive: 1200,
			})
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Vanish()
			message := packet(0x30, append(text("drip"), make([]byte, 128<<10)...))
			for n := range message {
				if _, err := c.Write(message[n : n+1]); err != nil {
					if ctx.Err() == nil {
						t.Errorf("inside a message: %v", err)
					}
					return
				}
				if !thinmqtt.Pause(ctx, time.Second) {
					return
				}
			}
		})
	}
	median, most, err := p.passUntil(early)
	if err != nil {
		t.Errorf("the pair: %v", err)
	}
	after := usageOf(gw.PID)
	t.Logf("%d were cut before CONNECT; before %v, at the end %v; the pair: median %v, slowest %v", cut.Load(), before, after, median, most)
	if grown := after.rss - before.rss; grown > each/10+50 { // 100 KiB for each, of which TLS takes a half
		t.Errorf("%d devices inside a message take %d MiB", each, grown)
	}
	cancel()
	wg.Wait()
	if codes := codesOf(explained(t, gw, "--source-ip", "127.0.3.1").Report.Findings); !slices.Contains(codes, check.ConnectTimeout.Code) {
		t.Errorf("the last attempt before CONNECT says %v, want %s", codes, check.ConnectTimeout.Code)
	}
}

// A publisher that is faster than a stored session fills that session's queue up to its bound. The
// newest messages are dropped then, and the device is told so; another session has them all.
func TestFastPublisherSlowSession(t *testing.T) {
	const count, size = 1500, 64 << 10 // 94 MiB, of which a queue holds 64
	gw := gatehouseproc.Start(t, "--limits", "open")
	d := addDevice(t, gw, "queue")
	before := usageOf(gw.PID)
	slow := connectTo(t, gw, d, thinmqtt.Options{ClientID: "slow-session", Version: mqtt.V5, Keep: true, ReceiveMaximum: 10})
	fast := connectTo(t, gw, d, thinmqtt.Options{ClientID: "fast-session", Version: mqtt.V5, Keep: true})
	for _, c := range []*thinmqtt.Client{slow, fast} {
		if err := c.Subscribe(1, nil, "queue"); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for want := 1; want <= count; want++ {
			got, err := fast.Next()
			m, ok := got.(*mqtt.Publish)
			if err != nil || !ok || numberOf(m.Payload) != want {
				t.Errorf("the fast session got %+v, %v, want message %d", got, err, want)
				return
			}
			_ = fast.Ack(m.PacketID)
		}
	})
	load := &source{Client: connectTo(t, gw, d, thinmqtt.Options{ClientID: "load", Version: mqtt.V5}), topic: "queue", size: size}
	peak := 0
	for range count {
		if code := load.publish(t); code != mqtt.Success {
			t.Fatalf("message %d is answered %#x", load.n, byte(code))
		}
		if load.n%50 == 0 {
			peak = max(peak, usageOf(gw.PID).rss)
		}
	}
	wg.Wait()
	if codes := codesOf(explained(t, gw, "--client-id", "slow-session").Report.Warnings); !slices.Contains(codes, check.DeliveryQueueFull.Code) {
		t.Errorf("the attempt of the slow session says %v, want %s", codes, check.DeliveryQueueFull.Code)
	}
	slow.SetReadDeadline(time.Now().Add(stalled))
	const fits = 64 << 20 / (size + 64) // at least
	n := 0
	for want := 1; want <= fits; want++ {
		got, err := slow.Next()
		m, ok := got.(*mqtt.Publish)
		if err != nil || !ok || numberOf(m.Payload) != want {
			t.Fatalf("the slow session got %T, %v, want message %d", got, err, want)
		}
		n++
		if err := slow.Ack(m.PacketID); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d MiB before, %d at most; the slow session got the first %d of %d messages", before.rss, peak, n, count)
	if grown := peak - before.rss; grown > 100 {
		t.Errorf("the queue of 64 MiB made the server grow by %d MiB", grown)
	}
}
