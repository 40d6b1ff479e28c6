//go:build linux

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
	"github.com/gatehouse-iot/gatehouse/test/thinmqtt"
)

// load is all clients, and what came of them.
type load struct {
	gw       *gatehouseproc.Process
	config   *tls.Config
	stranger *tls.Config // a certificate that nobody registered
	scale    float64

	published, delivered, connects, refused atomic.Int64

	mu    sync.Mutex
	wrong []string // guarded by mu
	more  int      // guarded by mu: that are not in wrong any more
}

func newLoad(ctx context.Context, gw *gatehouseproc.Process, dir string, scale float64) (*load, error) {
	_, config, err := gw.NewPermissiveDevice(ctx, "soak", dir)
	if err != nil {
		return nil, err
	}
	stranger, err := selfSigned()
	if err != nil {
		return nil, err
	}
	return &load{gw: gw, config: config, scale: scale, stranger: &tls.Config{Certificates: []tls.Certificate{stranger}, RootCAs: config.RootCAs, ServerName: config.ServerName}}, nil
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// fault notes what must not happen.
func (l *load) fault(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.wrong) < 20 {
		l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
	} else {
		l.more++
	}
}

func (l *load) faults() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.more > 0 {
		return append(l.wrong, fmt.Sprint(l.more, " more"))
	}
	return l.wrong
}

// run starts every kind of client, and returns when ctx has ended and all are gone.
func (l *load) run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, kind := range []struct {
		clients int
		run     func(ctx context.Context, i int)
	}{
		{8, func(ctx context.Context, i int) { l.pair(ctx, fmt.Sprint("zero-", i), versionOf(i), 0, nil) }},
		{8, func(ctx context.Context, i int) { l.pair(ctx, fmt.Sprint("one-", i), versionOf(i), 1, nil) }},
		{2, func(ctx context.Context, i int) { l.pair(ctx, fmt.Sprint("web-", i), versionOf(i), 1, l.dialWebSocket) }},
		{20, l.comeAndGo},
		{2, l.abandon},
		{2, l.retain},
		{4, l.share},
		{2, l.resubscribe},
		{1, l.strange},
	} {
		for i := range max(1, int(float64(kind.clients)*l.scale)) {
			wg.Go(func() { kind.run(ctx, i) })
		}
	}
	wg.Wait()
}

func versionOf(i int) mqtt.Version {
	if i%2 == 1 {
		return mqtt.V5
	}
	return mqtt.V311
}

// between is a time of that order.
func between(d time.Duration) time.Duration { return d/2 + mathrand.N(d) }

// connect opens a connection, which ends with ctx; nil when it does not come about.
func (l *load) connect(ctx context.Context, o thinmqtt.Options) *thinmqtt.Client {
	o.Addr, o.TLS = net.JoinHostPort("127.0.0.1", strconv.Itoa(l.gw.Ports.MQTT)), l.config
	c, err := thinmqtt.Connect(ctx, o)
	if err != nil {
		if ctx.Err() == nil {
			l.fault("connect %s: %v", o.ClientID, err)
		}
		return nil
	}
	l.connects.Add(1)
	context.AfterFunc(ctx, c.Vanish)
	return c
}

// check notes an error, unless the end of the load brought it about.
func (l *load) check(ctx context.Context, who string, err error) bool {
	if err != nil && ctx.Err() == nil {
		l.fault("%s: %v", who, err)
	}
	return err == nil
}

func numbered(n int64, size int) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 0, size), uint64(n))[:size]
}

func numberOf(m *mqtt.Publish) int64 { return int64(binary.BigEndian.Uint64(m.Payload)) }

// pair sends 50 messages a second to a receiver; at QoS 1 it has a stored session, and each must come.
func (l *load) pair(ctx context.Context, name string, v mqtt.Version, qos byte, dial func(context.Context) (net.Conn, error)) {
	to := l.connect(ctx, thinmqtt.Options{ClientID: name + "-to", Version: v, Keep: qos > 0, Dial: dial})
	from := l.connect(ctx, thinmqtt.Options{ClientID: name + "-from", Version: v, Dial: dial})
	if to == nil || from == nil || !l.check(ctx, name, to.Subscribe(mqtt.QoS(qos), nil, "soak/"+name)) {
		return
	}
	go func() { // ends with the connection
		last := int64(0)
		for {
			p, err := to.Next()
			if !l.check(ctx, name, err) {
				return
			}
			if p.Type() == mqtt.TypePingresp {
				continue
			}
			m, ok := p.(*mqtt.Publish)
			if !ok {
				l.fault("%s got %T", name, p)
				return
			}
			if n := numberOf(m); n != last+1 {
				l.fault("%s got message %d after %d", name, n, last)
			}
			last = numberOf(m)
			l.delivered.Add(1)
			if m.QoS > 0 && !l.check(ctx, name, to.Ack(m.PacketID)) {
				return
			}
			if m.QoS == 0 && last%3000 == 0 && !l.check(ctx, name, to.Send(&mqtt.Pingreq{})) { // once a minute: it says nothing else
				return
			}
		}
	}()
	slots := make(chan struct{}, receiveMaximum)
	if qos > 0 {
		go l.readAcks(ctx, name, from, slots)
	}
	for n := int64(1); thinmqtt.Pause(ctx, 20*time.Millisecond); n++ {
		if qos > 0 {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
		if !l.check(ctx, name, from.Publish("soak/"+name, numbered(n, 8+mathrand.IntN(2000)), uint16(n%60_000+1)*uint16(qos), false)) {
			return
		}
		l.published.Add(1)
	}
}

// receiveMaximum is how many publishes the server takes before it acknowledges one. While the disk
// stalls for seconds, who sends on all the same is cut (MQTT 5: 0x93).
const receiveMaximum = 100

// readAcks takes acknowledgements and frees a slot for each, where there are slots.
func (l *load) readAcks(ctx context.Context, name string, c *thinmqtt.Client, slots <-chan struct{}) {
	for {
		p, err := c.Next()
		if !l.check(ctx, name, err) {
			return
		}
		switch p := p.(type) {
		case *mqtt.Puback:
			if p.Reason != mqtt.Success {
				l.fault("%s: PUBACK %#x", name, byte(p.Reason))
			}
			if slots != nil {
				<-slots
			}
		case *mqtt.Disconnect:
			l.fault("%s: DISCONNECT %#x", name, byte(p.Reason))
		}
	}
}

// comeAndGo is a device that is there half of the time, and a service that writes to it at QoS 1.
func (l *load) comeAndGo(ctx context.Context, i int) {
	name := fmt.Sprint("guest-", i)
	from := l.connect(ctx, thinmqtt.Options{ClientID: name + "-from", Version: versionOf(i)})
	if from == nil {
		return
	}
	go l.readAcks(ctx, name, from, nil)
	go func() {
		for n := int64(1); thinmqtt.Pause(ctx, 100*time.Millisecond); n++ {
			if !l.check(ctx, name, from.Publish("soak/"+name, numbered(n, 300), uint16(n%60_000+1), false)) {
				return
			}
			l.published.Add(1)
		}
	}()
	last, subscribed := int64(0), false
	for ctx.Err() == nil {
		c := l.connect(ctx, thinmqtt.Options{ClientID: name, Version: versionOf(i), Keep: true})
		if c == nil {
			return
		}
		if c.Present != subscribed {
			l.fault("%s: session present: %v", name, c.Present)
		}
		if !subscribed && !l.check(ctx, name, c.Subscribe(1, nil, "soak/"+name)) {
			return
		}
		subscribed = true
		c.SetReadDeadline(time.Now().Add(between(2 * time.Second)))
		for {
			p, err := c.Next()
			if err != nil {
				break
			}
			if m, ok := p.(*mqtt.Publish); ok {
				if n := numberOf(m); last > 0 && n > last+1 {
					l.fault("%s got message %d after %d", name, n, last)
				}
				last = max(last, numberOf(m))
				l.delivered.Add(1)
				_ = c.Ack(m.PacketID)
			}
		}
		if mathrand.IntN(2) == 0 {
			_ = c.Leave()
		} else {
			c.Vanish()
		}
		thinmqtt.Pause(ctx, between(2*time.Second))
	}
}

// abandon leaves sessions behind, each with messages, that expire soon.
func (l *load) abandon(ctx context.Context, i int) {
	name := fmt.Sprint("abandoned-", i)
	from := l.connect(ctx, thinmqtt.Options{ClientID: name + "-from"})
	if from == nil {
		return
	}
	go l.readAcks(ctx, name, from, nil)
	for n := 1; thinmqtt.Pause(ctx, 300*time.Millisecond); n++ {
		id := fmt.Sprint(name, "-", n)
		c := l.connect(ctx, thinmqtt.Options{ClientID: id, Version: mqtt.V5, Keep: true, Expiry: 3})
		if c == nil || !l.check(ctx, id, c.Subscribe(1, nil, "soak/"+id, "soak/+/"+id)) {
			return
		}
		_ = c.Leave()
		for k := range 5 {
			l.check(ctx, id, from.Publish("soak/"+id, numbered(int64(k), 500), uint16((5*n+k)%60_000+1), false))
			l.published.Add(1)
		}
	}
}

// retain writes, reads and deletes retained messages.
func (l *load) retain(ctx context.Context, i int) {
	name := fmt.Sprint("retained-", i)
	c := l.connect(ctx, thinmqtt.Options{ClientID: name, Version: versionOf(i)})
	for n := int64(1); c != nil && thinmqtt.Pause(ctx, 50*time.Millisecond); n++ {
		topic := fmt.Sprintf("soak/%s/%d", name, n%300)
		payload := numbered(n, 8+mathrand.IntN(500))
		if n%10 == 0 {
			payload = nil
		}
		if !l.check(ctx, name, c.Publish(topic, payload, uint16(n%60_000+1), true)) {
			return
		}
		if p, err := c.Next(); err != nil || p.Type() != mqtt.TypePuback {
			l.check(ctx, name, fmt.Errorf("PUBACK: %+v, %w", p, err))
			return
		}
		l.published.Add(1)
		if n%7 == 0 {
			if !l.check(ctx, name, c.Subscribe(0, nil, topic)) || !l.check(ctx, name, c.Unsubscribe(func(*mqtt.Publish) { l.delivered.Add(1) }, topic)) {
				return
			}
		}
	}
}

// share is a member of a group; the first one has nothing but work, the last one comes and goes.
func (l *load) share(ctx context.Context, i int) {
	name := fmt.Sprint("member-", i)
	if i == 0 {
		go l.work(ctx)
	}
	for ctx.Err() == nil {
		c := l.connect(ctx, thinmqtt.Options{ClientID: name, Version: versionOf(i), Keep: i%2 == 0})
		if c == nil || !l.check(ctx, name, c.Subscribe(1, func(m *mqtt.Publish) { _ = c.Ack(m.PacketID) }, "$share/soak/work/+")) {
			return
		}
		if i == 3 {
			c.SetReadDeadline(time.Now().Add(between(3 * time.Second)))
		}
		for {
			p, err := c.Next()
			if err != nil {
				break
			}
			if m, ok := p.(*mqtt.Publish); ok {
				l.delivered.Add(1)
				_ = c.Ack(m.PacketID)
			}
		}
		c.Vanish()
		if i != 3 && ctx.Err() == nil {
			l.fault("%s: the connection ended", name)
			return
		}
	}
}

func (l *load) work(ctx context.Context) {
	c := l.connect(ctx, thinmqtt.Options{ClientID: "work"})
	if c == nil {
		return
	}
	go l.readAcks(ctx, "work", c, nil)
	for n := int64(1); thinmqtt.Pause(ctx, 10*time.Millisecond); n++ {
		if !l.check(ctx, "work", c.Publish(fmt.Sprint("work/", n%50), numbered(n, 200), uint16(n%60_000+1), false)) {
			return
		}
		l.published.Add(1)
	}
}

// resubscribe changes its subscriptions all the time.
func (l *load) resubscribe(ctx context.Context, i int) {
	name := fmt.Sprint("fickle-", i)
	c := l.connect(ctx, thinmqtt.Options{ClientID: name, Version: versionOf(i), Keep: i == 1})
	for n := 0; c != nil && thinmqtt.Pause(ctx, 20*time.Millisecond); n++ {
		filters := []string{fmt.Sprint("f/", n), fmt.Sprintf("f/%d/+", n), fmt.Sprintf("f/+/%d/#", n), fmt.Sprint("$share/fickle/f/", n)}
		if !l.check(ctx, name, c.Subscribe(1, nil, filters...)) || !l.check(ctx, name, c.Unsubscribe(nil, filters...)) {
			return
		}
	}
}

// strange tries what is refused: an unknown certificate, and something that is no MQTT.
func (l *load) strange(ctx context.Context, _ int) {
	for n := 0; thinmqtt.Pause(ctx, 200*time.Millisecond); n++ {
		o := thinmqtt.Options{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(l.gw.Ports.MQTT)), TLS: l.stranger, ClientID: fmt.Sprint("stranger-", n)}
		if n%2 == 1 {
			o.TLS, o.ClientID = l.config, strings.Repeat("x", 200) // longer than a client ID may be
		}
		c, err := thinmqtt.Connect(ctx, o)
		if err == nil {
			c.Vanish()
			l.fault("a stranger was let in")
			continue
		}
		l.refused.Add(1)
	}
}

// dialWebSocket opens a WebSocket signed by the first user.
func (l *load) dialWebSocket(ctx context.Context) (net.Conn, error) {
	url, err := l.gw.PresignWebSocket(ctx, l.gw.Credentials())
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: l.config.RootCAs, ServerName: "localhost"}}}
	ws, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: client, Subprotocols: []string{"mqtt"}}) //nolint:bodyclose // the connection has it
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(-1)
	return websocket.NetConn(context.Background(), ws, websocket.MessageBinary), nil
}
