//go:build linux

package faults

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
	"github.com/gatehouse-iot/gatehouse/test/thinmqtt"
)

const (
	killsDefault = 6
	lifeMessages = 200 // that a publisher begins in one life of the server
	window       = 20  // that it leaves unacknowledged
	mostBehind   = 400
	stalled      = 60 * time.Second
)

// The server is killed again and again under load. What was acknowledged is delivered; each session
// is there with its subscriptions; what it gets for the first time comes in the order in which it was
// published; a message comes twice only if it was published twice, or came on an earlier connection;
// and a retained message is the last one that was acknowledged, or one published after it.
//
// GATEHOUSE_KILLS=50 kills so many times; the default is 6.
func TestKillUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	kills := killsDefault
	if text := os.Getenv("GATEHOUSE_KILLS"); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil || kills < 1 {
			t.Fatalf("GATEHOUSE_KILLS=%q: want a number from 1", text)
		}
	}
	began := time.Now()
	k := newKillTest(t)
	dir := filepath.Join(t.TempDir(), "data")
	for life := 0; life <= kills && !t.Failed(); life++ {
		gw := gatehouseproc.StartIn(t, dir, "--limits", "open")
		if life == 0 {
			k.device = addDevice(t, gw, "kill")
		}
		k.live(gw, life, life == kills)
	}
	k.verify()
	k.report(kills, time.Since(began))
}

// killTest is what is known across the server's lives.
type killTest struct {
	t          *testing.T
	device     device
	publishers []*killPublisher
	sessions   []*killSession
	acked      atomic.Int64 // PUBACKs, in all lives

	groupMu sync.Mutex
	group   map[string]bool // guarded by groupMu: topic and number of what came to a member

	life int
	gw   *gatehouseproc.Process
	ctx  context.Context // ends with the life
	dead atomic.Bool     // the server was killed, or will be now
	last bool            // nobody will kill it: everything comes to its end
}

// A killPublisher sends numbers, from 1, to a topic of its own, and those that were not acknowledged
// again on its next connection, as devices do.
type killPublisher struct {
	id, topic string
	version   mqtt.Version
	size      int // of a payload
	retain    bool

	mu        sync.Mutex
	sent      int         // guarded by mu, like all below: the greatest number that was sent
	acked     map[int]int // PUBACKs of a number
	copies    map[int]int // how often it was sent
	began     int         // what had been sent before this life
	firstLife map[int]int // in which it was sent first
}

func newKillTest(t *testing.T) *killTest {
	k := &killTest{t: t, group: map[string]bool{}}
	for i, size := range []int{16, 100, 700, 3000, 32 << 10} {
		k.publishers = append(k.publishers, &killPublisher{
			id: fmt.Sprint("publisher-", i), topic: fmt.Sprint("k/", i), version: versionOf(i), size: size,
		})
	}
	for i := range 2 {
		k.publishers = append(k.publishers, &killPublisher{
			id: fmt.Sprint("retainer-", i), topic: fmt.Sprint("r/", i), version: versionOf(i), size: 50, retain: true,
		})
	}
	for _, p := range k.publishers {
		p.acked, p.copies, p.firstLife = map[int]int{}, map[int]int{}, map[int]int{}
	}
	for i := range 2 {
		v := versionOf(i)
		add := func(name, filter string, how conduct) {
			k.sessions = append(k.sessions, &killSession{
				k: k, id: fmt.Sprintf("%s-%d", name, v), filter: filter, version: v, conduct: how, got: map[string][]delivery{}, newest: map[string]int{},
			})
		}
		add("online", "k/+", stays)
		add("comes-and-goes", "k/#", vanishes)
		add("offline", "k/+", rests)
		add("offline-in-group", fmt.Sprintf("$share/solo%d/k/+", i), rests)
		add("trio", "$share/trio/k/+", []conduct{stays, vanishes}[i])
	}
	k.sessions = append(k.sessions, &killSession{
		k: k, id: "trio-volatile", filter: "$share/trio/k/+", version: mqtt.V5, conduct: stays, volatile: true, got: map[string][]delivery{}, newest: map[string]int{},
	})
	return k
}

// versionOf alternates.
func versionOf(i int) mqtt.Version {
	if i%2 == 1 {
		return mqtt.V5
	}
	return mqtt.V311
}

// live is one life of the server: with all clients, until it is killed, or until all is delivered.
func (k *killTest) live(gw *gatehouseproc.Process, life int, last bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	k.gw, k.life, k.last, k.ctx = gw, life, last, ctx
	k.dead.Store(false)
	k.checkRetained()
	for _, p := range k.publishers {
		p.began = p.sent
	}
	var running, ready sync.WaitGroup
	for _, s := range k.sessions {
		if !s.comes(life, last) {
			continue
		}
		ready.Add(1)
		running.Go(func() { s.run(sync.OnceFunc(ready.Done)) })
	}
	ready.Wait() // all have subscribed
	enough := k.acked.Load() + rand.Int64N(int64(len(k.publishers)*lifeMessages*9/10))
	for _, p := range k.publishers {
		running.Go(func() { p.run(k) })
	}
	if last {
		k.awaitAll()
	} else {
		k.await("enough PUBACKs", k.acked.Load, func() bool { return k.acked.Load() >= enough })
	}
	k.dead.Store(true)
	gw.Kill()
	cancel()
	running.Wait()
}

// await waits for done, and fails when counter rests too long.
func (k *killTest) await(what string, counter func() int64, done func() bool) {
	k.t.Helper()
	seen, since := counter(), time.Now()
	for !done() && !k.t.Failed() {
		if n := counter(); n != seen {
			seen, since = n, time.Now()
		}
		if time.Since(since) > stalled {
			k.t.Errorf("life %d: nothing moves for %v: no %s", k.life, stalled, what)
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// awaitAll waits until everything was acknowledged and every session has everything.
func (k *killTest) awaitAll() {
	k.await("end", func() int64 {
		n := k.acked.Load()
		for _, s := range k.sessions {
			n += s.deliveries.Load()
		}
		return n
	}, func() bool {
		for _, p := range k.publishers {
			if !p.done() {
				return false
			}
		}
		for _, s := range k.sessions {
			if !s.inGroup() && s.behind() > 0 {
				return false
			}
		}
		return k.missingOfGroup() == 0
	})
}

func (k *killTest) options(id string, v mqtt.Version) thinmqtt.Options {
	return thinmqtt.Options{
		Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(k.gw.Ports.MQTT)), TLS: k.device.config, ClientID: id, Version: v,
	}
}

// connect is for clients that the server's death excuses: nil, then.
func (k *killTest) connect(o thinmqtt.Options) *thinmqtt.Client {
	c, err := thinmqtt.Connect(k.ctx, o)
	if err != nil {
		k.fail(o.ClientID, err)
		return nil
	}
	context.AfterFunc(k.ctx, func() { c.Vanish() })
	return c
}

// fail reports what the server's death does not excuse.
func (k *killTest) fail(who string, err error) {
	if !k.dead.Load() {
		k.t.Errorf("life %d: %s: %v", k.life, who, err)
	}
}

// checkRetained reads the retained messages before anybody publishes.
func (k *killTest) checkRetained() {
	for _, p := range k.publishers {
		if !p.retain {
			continue
		}
		acked := p.ackedUpTo()
		if acked == 0 {
			continue
		}
		c := k.connect(k.options("reader", p.version))
		if c == nil {
			return
		}
		c.SetDeadline(time.Now().Add(stalled))
		var got *mqtt.Publish
		err := c.Subscribe(1, func(m *mqtt.Publish) { got = m }, p.topic)
		for got == nil && err == nil {
			var m mqtt.Packet
			if m, err = c.Next(); err == nil {
				got, _ = m.(*mqtt.Publish)
			}
		}
		if err != nil {
			k.fail("reader of "+p.topic, err)
		} else if n := numberOf(got.Payload); n < acked || n > p.sent || !got.Retain {
			k.t.Errorf("life %d: retained on %s: %d (RETAIN %v), acknowledged up to %d, sent up to %d", k.life, p.topic, n, got.Retain, acked, p.sent)
		}
		_ = c.Leave()
	}
}

// run sends what was not acknowledged, and then more.
func (p *killPublisher) run(k *killTest) {
	c := k.connect(k.options(p.id, p.version))
	if c == nil {
		return
	}
	slots := make(chan struct{}, window)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			got, err := c.Next()
			if err != nil {
				k.fail(p.id, err)
				return
			}
			ack, ok := got.(*mqtt.Puback)
			if !ok || ack.Reason != mqtt.Success {
				k.t.Errorf("%s: answered %+v", p.id, got)
				return
			}
			p.mu.Lock()
			p.acked[int(ack.PacketID)]++ // fewer than 65,536 numbers
			p.mu.Unlock()
			k.acked.Add(1)
			<-slots
		}
	}()
	send := func(n int) bool {
		select {
		case slots <- struct{}{}:
		case <-ended:
			return false
		}
		p.mu.Lock()
		p.sent = max(p.sent, n)
		if p.copies[n]++; p.copies[n] == 1 {
			p.firstLife[n] = k.life
		}
		p.mu.Unlock()
		return c.Publish(p.topic, payloadOf(n, p.size), uint16(n), p.retain) == nil
	}
	more := true
	for _, n := range p.unacked() {
		more = more && send(n)
	}
	for n := p.sent + 1; more && n <= p.began+lifeMessages; n++ {
		for !p.retain && k.mostBehind(p.topic) >= mostBehind { // the bound of a queue is another test's
			if k.dead.Load() || k.t.Failed() {
				break
			}
			time.Sleep(time.Millisecond)
		}
		more = send(n)
	}
	<-ended
}

// payloadOf is a number in so many bytes that do not compress.
func payloadOf(n, size int) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(n))
	r := rand.NewPCG(uint64(n), 1)
	for len(b) < size {
		b = binary.BigEndian.AppendUint64(b, r.Uint64())
	}
	return b
}

func numberOf(payload []byte) int {
	if len(payload) < 8 {
		return -1
	}
	return int(binary.BigEndian.Uint64(payload))
}

func (p *killPublisher) unacked() (list []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n := 1; n <= p.sent; n++ {
		if p.acked[n] == 0 {
			list = append(list, n)
		}
	}
	return list
}

// ackedUpTo is the greatest number that was acknowledged.
func (p *killPublisher) ackedUpTo() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.sent
	for n > 0 && p.acked[n] == 0 {
		n--
	}
	return n
}

func (p *killPublisher) done() bool {
	return p.ackedUpTo() == p.began+lifeMessages && len(p.unacked()) == 0
}

// mostBehind is how many messages of a topic the slowest session has not got.
func (k *killTest) mostBehind(topic string) int {
	most := 0
	for _, p := range k.publishers {
		if p.topic != topic {
			continue
		}
		p.mu.Lock()
		sent := p.sent
		p.mu.Unlock()
		for _, s := range k.sessions {
			if !s.inGroup() {
				most = max(most, sent-s.latest(topic))
			}
		}
	}
	return most
}

// groupGot notes what came to a member of the group of several.
func (k *killTest) groupGot(topic string, n int) {
	k.groupMu.Lock()
	defer k.groupMu.Unlock()
	k.group[fmt.Sprint(topic, " ", n)] = true
}

// missingOfGroup counts the messages that no member of the group has got.
func (k *killTest) missingOfGroup() int {
	sent := 0
	for _, p := range k.publishers {
		if !p.retain {
			p.mu.Lock()
			sent += p.sent
			p.mu.Unlock()
		}
	}
	k.groupMu.Lock()
	defer k.groupMu.Unlock()
	return sent - len(k.group)
}

func (k *killTest) report(kills int, took time.Duration) {
	published, copies, acknowledged := 0, 0, 0
	for _, p := range k.publishers {
		published += p.sent
		acknowledged += len(p.acked)
		for _, n := range p.copies {
			copies += n
		}
	}
	delivered, again := 0, 0
	for _, s := range k.sessions {
		for _, list := range s.got {
			seen := map[int]bool{}
			for _, d := range list {
				delivered++
				if seen[d.n] {
					again++
				}
				seen[d.n] = true
			}
		}
	}
	k.t.Logf("%d kills in %v: %d messages published (%d with those sent again), %d acknowledged; %d deliveries to %d sessions, %d of them again",
		kills, took.Round(time.Second), published, copies, acknowledged, delivered, len(k.sessions), again)
}
