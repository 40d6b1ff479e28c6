package conformance

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/gatehousetest"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/rawmqtt"
)

const (
	// patience is how long a device waits for the server: only what goes wrong takes so long.
	patience = 20 * time.Second
	// closed is how AWS ends a connection in silence.
	closed = "close_notify, then FIN"
	open   = "open"
)

// world is two Gatehouses and devices: like AWS, and one without rates for what comes in quick succession.
type world struct {
	open, like *gatehousetest.Gatehouse
	certs      map[string]*tls.Certificate // of the device that may do all, and of the one that may do little
	ids        map[string]string           // and the certificate IDs

	mu   sync.Mutex
	seen map[mqtt.PacketType]map[mqtt.ReasonCode]bool // guarded by mu: what the server answered MQTT 5 devices
}

// little is what the restricted device may do: all on topics below ok/, and no retained messages.
const little = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Action":"iot:Connect","Resource":"arn:aws:iot:us-east-1:123456789012:client/may-*"},
	{"Effect":"Allow","Action":["iot:Publish","iot:Receive"],"Resource":"arn:aws:iot:us-east-1:123456789012:topic/ok/*"},
	{"Effect":"Allow","Action":"iot:Subscribe","Resource":["arn:aws:iot:us-east-1:123456789012:topicfilter/ok/*","arn:aws:iot:us-east-1:123456789012:topicfilter/no/receive","arn:aws:iot:us-east-1:123456789012:topicfilter/$share/g/ok/*"]}]}`

const all = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`

func newWorld(t *testing.T) *world {
	w := &world{
		open: gatehousetest.Start(t, gatehousetest.WithOpenLimits()), like: gatehousetest.Start(t),
		certs: map[string]*tls.Certificate{}, seen: map[mqtt.PacketType]map[mqtt.ReasonCode]bool{}, ids: map[string]string{},
	}
	for gw, name := range map[*gatehousetest.Gatehouse]string{w.open: "open ", w.like: "like "} {
		for policy, document := range map[string]string{"all": all, "little": little} {
			d := gw.AddDeviceWithPolicy(t, policy, document)
			w.certs[name+policy], w.ids[name+policy] = &d.TLSConfig.Certificates[0], d.CertificateID
		}
	}
	return w
}

// A peer is one device on the wire.
type peer struct {
	*testing.T
	w       *world
	v       mqtt.Version
	id      string // client ID, and the first level of its topics
	like    bool   // on the Gatehouse with AWS's limits
	limited bool   // with the certificate that may do little
	c       *rawmqtt.Client
}

var peers atomic.Int64

// dial is a device that has not connected yet.
func (w *world) dial(t *testing.T, v mqtt.Version) *peer {
	return &peer{T: t, w: w, v: v, id: "c" + strconv.FormatInt(peers.Add(1), 10)}
}

// other is another device, of any version.
func (p *peer) other(v mqtt.Version) *peer { return p.w.dial(p.T, v) }

// again is the same device on a new connection.
func (p *peer) again(v mqtt.Version) *peer {
	q := p.w.dial(p.T, v)
	q.id, q.like, q.limited = p.id, p.like, p.limited
	return q
}

// likeAWS has the device use the Gatehouse with AWS's limits.
func (p *peer) likeAWS() *peer { p.like = true; return p }

// mayLittle gives the device the policy that allows little.
func (p *peer) mayLittle() *peer { p.limited, p.id = true, "may-"+p.id; return p }

func (p *peer) gateway() *gatehousetest.Gatehouse {
	if p.like {
		return p.w.like
	}
	return p.w.open
}

func (p *peer) certificate() string {
	name := map[bool]string{false: "open ", true: "like "}[p.like]
	return name + map[bool]string{false: "all", true: "little"}[p.limited]
}

// topic is a topic that no other row uses.
func (p *peer) topic(name string) string { return strings.TrimPrefix(p.id, "may-") + "/" + name }

func (p *peer) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// hello is a CONNECT of the device.
func (p *peer) hello(change ...func(*mqtt.Connect)) *mqtt.Connect {
	c := &mqtt.Connect{ProtocolName: []byte("MQTT"), Version: p.v, CleanStart: true, KeepAlive: 60, ClientID: []byte(p.id)}
	for _, f := range change {
		if f != nil {
			f(c)
		}
	}
	return c
}

// connect opens the session; it has to be accepted.
func (p *peer) connect(change ...func(*mqtt.Connect)) *mqtt.Connack {
	p.Helper()
	p.send(p.hello(change...))
	ack, ok := p.next().(*mqtt.Connack)
	if !ok || ack.Reason != mqtt.Success {
		p.Fatalf("%s can't connect: %+v", p.id, ack)
	}
	return ack
}

// send sends packets and bytes in one write, on a connection that it makes if there is none.
func (p *peer) send(list ...any) *peer {
	p.Helper()
	if p.c == nil {
		gw := p.gateway()
		c, end, err := rawmqtt.Dial(p.Context(), rawmqtt.Options{Addr: gw.MQTTAddr, ServerName: gw.Endpoint, Certificate: p.w.certs[p.certificate()], RootCAs: gw.Roots, MQTT: p.v, Timeout: patience})
		p.must(err)
		if end != nil {
			p.Fatalf("the handshake ends: %s", end)
		}
		p.c = c
		p.Cleanup(func() { _ = c.Reset() }) // it may have ended
	}
	var b []byte
	for _, what := range list {
		switch what := what.(type) {
		case string:
			b = append(b, what...)
		case mqtt.Packet:
			var err error
			b, err = what.Append(b, p.v)
			p.must(err)
		}
	}
	_ = p.c.Send(b) // how the server ended the connection is seen when reading
	return p
}

// next is the next packet from the server.
func (p *peer) next() mqtt.Packet {
	p.Helper()
	packet, end := p.c.Next(patience)
	if end != nil {
		p.Fatalf("no packet: %s", end)
	}
	p.w.note(p.v, packet)
	return packet
}

// gets reads one packet for each text.
func (p *peer) gets(want ...string) *peer {
	p.Helper()
	for _, w := range want {
		if got := words(p.next()); got != w {
			p.Fatalf("%s got %s, want %s", p.id, got, w)
		}
	}
	return p
}

// sees compares what comes until a PINGREQ is answered, or the connection ends.
func (p *peer) sees(v3, v5 string) {
	p.Helper()
	want := v3
	if p.v == mqtt.V5 {
		want = v5
	}
	if got := p.rest(); got != want {
		p.Fatalf("%s sees %q, want %q", p.id, got, want)
	}
}

// rest is all that comes until a PINGREQ is answered, or the connection ends.
func (p *peer) rest() string {
	p.send(&mqtt.Pingreq{})
	var got []string
	for {
		packet, end := p.c.Next(patience)
		switch {
		case packet == nil:
			return strings.Join(append(got, end.String()), ", ")
		case packet.Type() == mqtt.TypePingresp:
			return strings.Join(append(got, open), ", ")
		}
		p.w.note(p.v, packet)
		got = append(got, words(packet))
	}
}

// subscribe subscribes and reads the answer.
func (p *peer) subscribe(qos mqtt.QoS, filters ...string) *peer {
	p.Helper()
	p.send(sub(qos, filters...))
	return p.gets("SUBACK" + strings.Repeat(fmt.Sprintf(" 0x%02X", byte(qos)), len(filters)))
}

// publishes sends a message and, at QoS 1, reads the acknowledgement.
func (p *peer) publishes(packets ...*mqtt.Publish) *peer {
	p.Helper()
	for _, packet := range packets {
		p.send(packet)
		if packet.QoS > 0 {
			p.gets("PUBACK 0x00")
		}
	}
	return p
}

// goes ends the connection as a device does, and waits until the server has closed it.
func (p *peer) goes() {
	p.Helper()
	p.send(&mqtt.Disconnect{})
	if got := p.c.End(patience).String(); got != closed {
		p.Fatalf("after DISCONNECT %s sees %s", p.id, got)
	}
}

// vanishes ends the connection as a broken network does.
func (p *peer) vanishes() { p.must(p.c.Reset()) }

func (w *world) note(v mqtt.Version, p mqtt.Packet) {
	if v != mqtt.V5 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, code := range reasons(p) {
		if w.seen[p.Type()] == nil {
			w.seen[p.Type()] = map[mqtt.ReasonCode]bool{}
		}
		w.seen[p.Type()][code] = true
	}
}

func reasons(p mqtt.Packet) []mqtt.ReasonCode {
	switch p := p.(type) {
	case *mqtt.Connack:
		return []mqtt.ReasonCode{p.Reason}
	case *mqtt.Puback:
		return []mqtt.ReasonCode{p.Reason}
	case *mqtt.Suback:
		return p.Codes
	case *mqtt.Unsuback:
		return p.Codes
	case *mqtt.Disconnect:
		return []mqtt.ReasonCode{p.Reason}
	}
	return nil
}

// words puts a packet in one line: "PUBACK 0x87", or `PUBLISH a/b 1 "payload"` with its QoS.
func words(p mqtt.Packet) string {
	text := p.Type().String()
	if m, ok := p.(*mqtt.Publish); ok {
		text += fmt.Sprintf(" %s %d", m.Topic, m.QoS)
		if m.Dup {
			text += " dup"
		}
		if m.Retain {
			text += " retained"
		}
		payload := m.Payload
		if len(payload) > 40 {
			payload = fmt.Appendf(nil, "%d bytes", len(payload))
		}
		return text + fmt.Sprintf(" %q", payload)
	}
	for _, code := range reasons(p) {
		text += fmt.Sprintf(" 0x%02X", byte(code))
	}
	return text
}

// message is what arrives of a message.
func message(topic string, qos int, payload string) string {
	return fmt.Sprintf("PUBLISH %s %d %q", topic, qos, payload)
}

// pub is a PUBLISH of "x"; pubID of another packet identifier than 1.
func pub(topic string, qos mqtt.QoS, change ...func(*mqtt.Publish)) *mqtt.Publish {
	p := &mqtt.Publish{Topic: []byte(topic), QoS: qos, Payload: []byte("x")}
	if qos > 0 {
		p.PacketID = 1
	}
	for _, f := range change {
		f(p)
	}
	return p
}

func retain(p *mqtt.Publish) { p.Retain = true }

func payload(text string) func(*mqtt.Publish) {
	return func(p *mqtt.Publish) { p.Payload = []byte(text) }
}

func props(change func(*mqtt.Properties)) func(*mqtt.Publish) {
	return func(p *mqtt.Publish) { change(&p.Props) }
}

func sub(qos mqtt.QoS, filters ...string) *mqtt.Subscribe {
	p := &mqtt.Subscribe{PacketID: 7}
	for _, f := range filters {
		p.Filters = append(p.Filters, mqtt.Subscription{Filter: []byte(f), QoS: qos})
	}
	return p
}

func unsub(filters ...string) *mqtt.Unsubscribe {
	p := &mqtt.Unsubscribe{PacketID: 8}
	for _, f := range filters {
		p.Filters = append(p.Filters, []byte(f))
	}
	return p
}

// session asks for a session that outlives the connection, and resumes one.
func session(c *mqtt.Connect) {
	c.CleanStart = false
	if c.Version == mqtt.V5 {
		c.Props.SetSessionExpiry(600)
	}
}

// will leaves "gone" on a topic.
func will(topic string, qos mqtt.QoS) func(*mqtt.Connect) {
	return func(c *mqtt.Connect) { c.Will = &mqtt.Will{Topic: []byte(topic), QoS: qos, Payload: []byte("gone")} }
}

// codes puts a set of codes in order.
func codes(set map[mqtt.ReasonCode]bool) []string {
	var list []string
	for _, c := range slices.Sorted(maps.Keys(set)) {
		list = append(list, fmt.Sprintf("0x%02X", byte(c)))
	}
	return list
}

var level9, long = "1/2/3/4/5/6/7/8/9", strings.Repeat("x", 257)

func bytesOf(n int) []byte { return bytes.Repeat([]byte("x"), n) }

// getsAll reads as many packets as there are texts, in any order; each text is part of one.
func (p *peer) getsAll(want ...string) {
	p.Helper()
	var got []string
	for range want {
		packet := p.next()
		text := words(packet)
		if m, ok := packet.(*mqtt.Publish); ok {
			text += " " + string(m.Payload) // whole
		}
		got = append(got, text)
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, func(g string) bool { return strings.Contains(g, w) }) {
			p.Errorf("%s got\n%s\nwant %s", p.id, strings.Join(got, "\n"), w)
		}
	}
}
