//go:build linux

package faults

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
	"github.com/gatehouse-iot/gatehouse/test/thinmqtt"
)

// What the log of messages leaves free on its file system, and holds as its reserve.
const (
	mustStayFree = 256 << 20
	reserve      = 32 << 20
)

// patience is how long a server may take to recover by itself: its log takes its messages
// together once a minute.
const patience = 2 * time.Minute

// tmpfs mounts a small file system in memory.
func tmpfs(t *testing.T, size int64) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprint("size=", size)); err != nil {
		t.Skipf("SKIPPED: a small file system needs root: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// leave fills the file system of a file with that file, until so many bytes are free.
func leave(t *testing.T, file string, free int64) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := int64(1 << 20); size > 0; size /= 2 {
		for freeOn(t, file) >= free+size {
			if _, err := f.Write(make([]byte, size)); err != nil {
				break
			}
		}
	}
}

func freeOn(t *testing.T, path string) int64 {
	t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		t.Fatal(err)
	}
	return int64(s.Bavail) * s.Bsize
}

// connectTo is a connection of a client that has to come through.
func connectTo(t *testing.T, gw *gatehouseproc.Process, d device, o thinmqtt.Options) *thinmqtt.Client {
	t.Helper()
	o.Addr, o.TLS = net.JoinHostPort("127.0.0.1", strconv.Itoa(gw.Ports.MQTT)), d.config
	c, err := thinmqtt.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Vanish)
	c.SetDeadline(time.Now().Add(10 * time.Minute))
	return c
}

// subscribeAway makes a session with a subscription, and leaves it.
func subscribeAway(t *testing.T, gw *gatehouseproc.Process, d device, id string, v mqtt.Version, filter string) {
	t.Helper()
	c := connectTo(t, gw, d, thinmqtt.Options{ClientID: id, Version: v, Keep: true})
	if err := c.Subscribe(1, nil, filter); err != nil {
		t.Fatal(err)
	}
	if err := c.Leave(); err != nil {
		t.Fatal(err)
	}
}

// takeAll resumes a session and takes and acknowledges messages until until says that it is enough.
func takeAll(t *testing.T, gw *gatehouseproc.Process, d device, id string, v mqtt.Version, until func(numbers []int) bool) (numbers []int) {
	t.Helper()
	c := connectTo(t, gw, d, thinmqtt.Options{ClientID: id, Version: v, Keep: true})
	if !c.Present {
		t.Errorf("the session of %s is gone", id)
	}
	c.SetReadDeadline(time.Now().Add(stalled))
	for !until(numbers) {
		p, err := c.Next()
		if err != nil {
			t.Errorf("%s after %d messages: %v", id, len(numbers), err)
			return numbers
		}
		m, ok := p.(*mqtt.Publish)
		if !ok {
			t.Fatalf("%s got %+v", id, p)
		}
		numbers = append(numbers, numberOf(m.Payload))
		if err := c.Ack(m.PacketID); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Leave(); err != nil {
		t.Fatal(err)
	}
	return numbers
}

// containsAll tells that all of want came.
func containsAll(want []int) func([]int) bool {
	return func(got []int) bool {
		return len(got) >= len(want) && !slices.ContainsFunc(want, func(n int) bool { return !slices.Contains(got, n) })
	}
}

// A source publishes numbers at QoS 1, one after the other, and knows what came of each.
type source struct {
	*thinmqtt.Client
	topic string
	size  int
	n     int
	acked []int // numbers
}

// publish sends the next number and answers the reason code of its PUBACK.
func (s *source) publish(t *testing.T) mqtt.ReasonCode {
	t.Helper()
	s.n++
	if err := s.Publish(s.topic, payloadOf(s.n, s.size), uint16(s.n%60_000+1), false); err != nil {
		t.Fatal(err)
	}
	p, err := s.Next()
	ack, ok := p.(*mqtt.Puback)
	if err != nil || !ok {
		t.Fatalf("publish %d on %s: answered %+v, %v", s.n, s.topic, p, err)
	}
	if ack.Reason == mqtt.Success {
		s.acked = append(s.acked, s.n)
	}
	return ack.Reason
}

// await publishes until the answer is want.
func (s *source) await(t *testing.T, want mqtt.ReasonCode) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		got := s.publish(t)
		if got == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("publish on %s: %#x for %v, want %#x", s.topic, byte(got), patience, byte(want))
		}
	}
}

// alive sends PINGREQ, and insists that the first answer is PINGRESP: no PUBACK came.
func alive(t *testing.T, c *thinmqtt.Client) {
	t.Helper()
	if err := c.Send(&mqtt.Pingreq{}); err != nil {
		t.Fatal(err)
	}
	if p, err := c.Next(); err != nil || p.Type() != mqtt.TypePingresp {
		t.Errorf("after a message that cannot be stored: %+v, %v, want PINGRESP", p, err)
	}
}

// recorded waits until the attempt of a client ID is in the store.
func recorded(t *testing.T, gw *gatehouseproc.Process, clientID string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		out, stderr, _ := gw.Run(t.Context(), "", "gatehouse", "-o", "json", "explain", "--client-id", clientID)
		if json.Valid([]byte(out)) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the attempt of %s is not recorded: %s", clientID, stderr)
		}
	}
}

// While the disk has no room for messages, a message that a stored session must not lose is refused
// and everything else goes on; what waits is delivered; with room again all is as before, by itself.
// Nothing that was acknowledged is lost, also when the server is killed then.
func TestMessagesOnFullDisk(t *testing.T) {
	mount := tmpfs(t, mustStayFree+128<<20)
	dir, filler := filepath.Join(mount, "data"), filepath.Join(mount, "filler")
	gw := gatehouseproc.StartIn(t, dir, "--limits", "open")
	d := addDevice(t, gw, "full")
	for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
		subscribeAway(t, gw, d, fmt.Sprint("away-", v), v, "kept/+")
		subscribeAway(t, gw, d, fmt.Sprint("late-", v), v, "kept/+")
	}
	out := &source{Client: connectTo(t, gw, d, thinmqtt.Options{ClientID: "source", Version: mqtt.V5}), topic: "kept/a", size: 1000}
	old := connectTo(t, gw, d, thinmqtt.Options{ClientID: "source-3"})
	receiver := connectTo(t, gw, d, thinmqtt.Options{ClientID: "receiver"})
	if err := receiver.Subscribe(1, nil, "volatile"); err != nil {
		t.Fatal(err)
	}
	direct := &source{Client: connectTo(t, gw, d, thinmqtt.Options{ClientID: "direct", Version: mqtt.V5}), topic: "volatile", size: 100}
	goesOn := func(when string) {
		t.Helper()
		if code := direct.publish(t); code != mqtt.Success {
			t.Errorf("%s: QoS 1 that nothing has to be stored for is answered %#x", when, byte(code))
		}
		if err := old.Publish("volatile", payloadOf(0, 8), 0, false); err != nil {
			t.Fatal(err)
		}
		for _, qos := range []mqtt.QoS{1, 0} {
			p, err := receiver.Next()
			m, ok := p.(*mqtt.Publish)
			if err != nil || !ok || m.QoS != qos {
				t.Fatalf("%s: the receiver got %+v, %v, want a message at QoS %d", when, p, err, qos)
			}
			if qos == 1 {
				_ = receiver.Ack(m.PacketID)
			}
		}
	}
	for range 20 {
		if code := out.publish(t); code != mqtt.Success {
			t.Fatalf("before the disk is full: %#x", byte(code))
		}
	}
	goesOn("before")

	leave(t, filler, mustStayFree/2)
	out.await(t, mqtt.QuotaExceeded)
	for range 10 {
		if code := out.publish(t); code != mqtt.QuotaExceeded {
			t.Errorf("no room: answered %#x, want 0x97", byte(code))
		}
	}
	if err := old.Publish("kept/b", payloadOf(1, 100), 1, false); err != nil {
		t.Fatal(err)
	}
	alive(t, old)
	goesOn("no room")
	newcomer := connectTo(t, gw, d, thinmqtt.Options{ClientID: "newcomer", Keep: true})
	alive(t, newcomer)
	_ = newcomer.Leave()
	recorded(t, gw, "newcomer") // on a full disk its attempt is lost

	leave(t, filler, 0)
	goesOn("a full disk")
	for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} { // what waits is delivered, and taken out
		takeAll(t, gw, d, fmt.Sprint("away-", v), v, containsAll(out.acked))
	}
	taken := len(out.acked)
	for range 10 {
		if code := out.publish(t); code != mqtt.QuotaExceeded && code != mqtt.UnspecifiedError {
			t.Errorf("a full disk: answered %#x, want 0x97 or 0x80", byte(code))
		}
	}
	goesOn("a full disk, messages taken out")

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	out.await(t, mqtt.Success)
	for range 20 {
		if code := out.publish(t); code != mqtt.Success {
			t.Errorf("there is room again: answered %#x", byte(code))
		}
	}
	goesOn("after")
	for id, want := range map[string]*check.Check{"source": check.DeliveryNotStored, "source-3": check.DeliveryNotStored, "newcomer": check.SessionNotStored} {
		if codes := codesOf(explained(t, gw, "--client-id", id).Report.Warnings); !slices.Contains(codes, want.Code) {
			t.Errorf("the attempt of %s says %v, want %s", id, codes, want.Code)
		}
	}
	gw.Kill()

	gw = gatehouseproc.StartIn(t, dir, "--limits", "open")
	for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
		for id, want := range map[string][]int{"away-": out.acked[taken:], "late-": out.acked} {
			got := takeAll(t, gw, d, fmt.Sprint(id, v), v, containsAll(want))
			if !slices.IsSorted(got) {
				t.Errorf("%s%d got %v: out of order", id, v, got)
			}
		}
	}
}

// The log stops before it fills the disk itself. Then the disk is filled to the last byte: the
// sessions can take their messages all the same, and that makes room without anybody's help.
func TestQueuesFillTheDisk(t *testing.T) {
	const sessions, size = 12, 100 << 10
	mount := tmpfs(t, mustStayFree+reserve+96<<20)
	dir, filler := filepath.Join(mount, "data"), filepath.Join(mount, "filler")
	gw := gatehouseproc.StartIn(t, dir, "--limits", "open")
	d := addDevice(t, gw, "fill")
	var sources []*source
	for i := range sessions {
		subscribeAway(t, gw, d, fmt.Sprint("fill-", i), mqtt.V5, fmt.Sprint("fill/", i))
		sources = append(sources, &source{
			Client: connectTo(t, gw, d, thinmqtt.Options{ClientID: fmt.Sprint("source-", i), Version: mqtt.V5}), topic: fmt.Sprint("fill/", i), size: size,
		})
	}
	stored, code := 0, mqtt.Success
	for code == mqtt.Success && stored < 150*sessions { // 15 MiB for each session, which may have 16
		if code = sources[stored%sessions].publish(t); code == mqtt.Success {
			stored++
		}
	}
	if code != mqtt.QuotaExceeded {
		t.Fatalf("after %d messages, %d MiB: answered %#x, want 0x97 before the disk is full", stored, stored*size>>20, byte(code))
	}
	left := freeOn(t, mount)
	t.Logf("%d messages of %d KiB were acknowledged, %d MiB of the disk are free", stored, size>>10, left>>20)
	if left < mustStayFree/2 {
		t.Errorf("the log left %d MiB free", left>>20)
	}

	leave(t, filler, 0)
	for i := range sessions {
		got := takeAll(t, gw, d, fmt.Sprint("fill-", i), mqtt.V5, containsAll(sources[i].acked))
		if !slices.IsSorted(got) {
			t.Errorf("session %d got %v: out of order", i, got)
		}
	}
	for end := time.Now().Add(patience); freeOn(t, mount) < int64(stored*size/2); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("everything was taken, and %d MiB are free", freeOn(t, mount)>>20)
		}
		sources[0].publish(t) // so that there is something to do
	}
	t.Logf("everything was taken on the full disk: %d MiB are free again", freeOn(t, mount)>>20)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	sources[1].await(t, mqtt.Success)
	if strings.Contains(gw.Output(), "panic") {
		t.Error("the server panicked")
	}
	gw.Kill()
	gw = gatehouseproc.StartIn(t, dir, "--limits", "open")
	last := sources[1].acked[len(sources[1].acked)-1:]
	takeAll(t, gw, d, "fill-1", mqtt.V5, containsAll(last))
}
