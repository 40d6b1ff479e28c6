package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	paho3 "github.com/eclipse/paho.mqtt.golang"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// lines collects what a program prints.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *lines) count() int { return strings.Count(l.text(), "\n") }

// arrived is a message as a client of Go has it.
type arrived struct {
	payload  string
	retained bool
	response string // response topic
	data     string // correlation data
}

// A goClient is one connection of a library for Go.
type goClient interface {
	// connect answers whether the session was there. A url is one of MQTT over WebSocket.
	connect(url string, keep bool, willTopic string) bool
	subscribe(filter string)
	publish(topic string, m arrived)
	disconnect()
}

// goFeatures does everything with one of the libraries for Go.
func goFeatures(newClient func(*testing.T, *gatehouseproc.Process, gatehouseproc.Device, chan<- arrived) goClient) func(*testing.T, *gatehouseproc.Process, gatehouseproc.Device) string {
	return func(t *testing.T, gw *gatehouseproc.Process, d gatehouseproc.Device) (works string) {
		topic := func(name string) string { return d.ThingName + "/" + name }
		device := func(id string) (goClient, chan arrived) {
			other := d
			other.ThingName = d.ThingName + "-" + id
			got := make(chan arrived, 100)
			return newClient(t, gw, other, got), got
		}
		b, gotB := device("b")
		b.connect("", false, "")

		a, _ := device("a")
		if a.connect("", true, "") {
			t.Error("a first connection finds a session")
		}
		a.subscribe(topic("session"))
		a.disconnect()
		for i := range 3 {
			b.publish(topic("session"), arrived{payload: strconv.Itoa(i)})
		}
		a, gotA := device("a")
		present := a.connect("", true, "")
		if queue := receive(t, gotA).payload + receive(t, gotA).payload + receive(t, gotA).payload; present && queue == "012" {
			works += "session\n"
		}

		a.subscribe("$share/g/" + topic("shared"))
		b.subscribe("$share/g/" + topic("shared"))
		for i := range 30 {
			b.publish(topic("shared"), arrived{payload: strconv.Itoa(i)})
		}
		seen := map[string]int{}
		for range 30 {
			select {
			case m := <-gotA:
				seen["a"]++
				seen["m"+m.payload]++
			case m := <-gotB:
				seen["b"]++
				seen["m"+m.payload]++
			case <-time.After(20 * time.Second):
				t.Fatalf("of 30 messages came %d and %d", seen["a"], seen["b"])
			}
		}
		if seen["a"] > 0 && seen["b"] > 0 && len(seen) == 32 {
			works += "shared\n"
		}

		b.publish(topic("retained"), arrived{payload: "kept", retained: true})
		a.subscribe(topic("retained"))
		if receive(t, gotA) == (arrived{payload: "kept", retained: true}) {
			works += "retained\n"
		}

		b.subscribe(topic("will"))
		c, _ := device("c")
		c.connect("", false, topic("will"))
		again, _ := device("c") // takes the client ID over: the first one is cut off
		again.connect("", false, "")
		if receive(t, gotB).payload == "gone" {
			works += "will\n"
		}

		if _, five := a.(*paho5); five {
			b.subscribe(topic("request"))
			a.subscribe(topic("response"))
			a.publish(topic("request"), arrived{payload: "how much", response: topic("response"), data: "42"})
			request := receive(t, gotB)
			b.publish(request.response, arrived{payload: "a lot", data: request.data})
			if receive(t, gotA) == (arrived{payload: "a lot", data: "42"}) {
				works += "request\n"
			}
		}

		w, gotW := device("w")
		w.connect(gw.MustPresignWebSocket(t, gw.Credentials()), false, "")
		w.subscribe(topic("w"))
		w.publish(topic("w"), arrived{payload: "over frames"})
		if receive(t, gotW).payload == "over frames" {
			works += "websocket\n"
		}
		return works
	}
}

type pahoClient struct {
	t   *testing.T
	gw  *gatehouseproc.Process
	d   gatehouseproc.Device
	got chan<- arrived
}

func (p pahoClient) must(what string, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// paho311 is paho.mqtt.golang.
type paho311 struct {
	pahoClient
	c paho3.Client
}

func newPaho3(t *testing.T, gw *gatehouseproc.Process, d gatehouseproc.Device, got chan<- arrived) goClient {
	return &paho311{pahoClient: pahoClient{t, gw, d, got}}
}

func (p *paho311) done(what string, token paho3.Token) {
	p.t.Helper()
	if !token.WaitTimeout(20 * time.Second) {
		p.t.Fatalf("%s: no answer in 20 s", what)
	}
	p.must(what, token.Error())
}

func (p *paho311) connect(url string, keep bool, willTopic string) bool {
	config := tlsConfig(p.t, p.d)
	if url == "" {
		url = fmt.Sprintf("ssl://localhost:%d", p.gw.Ports.MQTT)
	} else {
		config.Certificates = nil
	}
	o := paho3.NewClientOptions().AddBroker(url).SetClientID(p.d.ThingName).SetTLSConfig(config).SetAutoReconnect(false).SetConnectTimeout(20 * time.Second).
		SetCleanSession(!keep).SetDefaultPublishHandler(func(_ paho3.Client, m paho3.Message) {
		p.got <- arrived{payload: string(m.Payload()), retained: m.Retained()}
	})
	if willTopic != "" {
		o.SetWill(willTopic, "gone", 1, false)
	}
	p.c = paho3.NewClient(o)
	p.t.Cleanup(func() { p.c.Disconnect(0) })
	token := p.c.Connect().(*paho3.ConnectToken)
	p.done("connect", token)
	return token.SessionPresent()
}

func (p *paho311) subscribe(filter string) { p.done("subscribe", p.c.Subscribe(filter, 1, nil)) }
func (p *paho311) publish(topic string, m arrived) {
	p.done("publish", p.c.Publish(topic, 1, m.retained, m.payload))
}
func (p *paho311) disconnect() { p.c.Disconnect(100) }

// paho5 is paho.golang.
type paho5 struct {
	pahoClient
	c *paho.Client
}

func newPaho5(t *testing.T, gw *gatehouseproc.Process, d gatehouseproc.Device, got chan<- arrived) goClient {
	return &paho5{pahoClient: pahoClient{t, gw, d, got}}
}

func (p *paho5) connect(url string, keep bool, willTopic string) bool {
	nc := packets.NewThreadSafeConn(p.dial(url)) // as dialPaho5
	p.c = paho.NewClient(paho.ClientConfig{Conn: nc, OnPublishReceived: []func(paho.PublishReceived) (bool, error){
		func(r paho.PublishReceived) (bool, error) {
			m := arrived{payload: string(r.Packet.Payload), retained: r.Packet.Retain}
			if r.Packet.Properties != nil {
				m.response, m.data = r.Packet.Properties.ResponseTopic, string(r.Packet.Properties.CorrelationData)
			}
			p.got <- m
			return true, nil
		},
	}})
	connect := &paho.Connect{ClientID: p.d.ThingName, KeepAlive: 60, CleanStart: !keep, Properties: &paho.ConnectProperties{}}
	if expiry := uint32(600); keep {
		connect.Properties.SessionExpiryInterval = &expiry
	}
	if willTopic != "" {
		connect.WillMessage = &paho.WillMessage{Topic: willTopic, Payload: []byte("gone"), QoS: 1}
	}
	ack, err := p.c.Connect(p.t.Context(), connect)
	p.must("connect", err)
	p.t.Cleanup(func() { nc.Close() })
	return ack.SessionPresent
}

func (p *paho5) dial(url string) net.Conn {
	config := tlsConfig(p.t, p.d)
	if url == "" {
		nc, err := tls.Dial("tcp", net.JoinHostPort("localhost", strconv.Itoa(p.gw.Ports.MQTT)), config)
		p.must("dial", err)
		return nc
	}
	config.Certificates = nil
	transport := &http.Transport{TLSClientConfig: config}
	ws, _, err := websocket.Dial(p.t.Context(), url, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}, Subprotocols: []string{"mqtt"}})
	p.must("dial", err)
	return websocket.NetConn(context.Background(), ws, websocket.MessageBinary)
}

func (p *paho5) subscribe(filter string) {
	_, err := p.c.Subscribe(p.t.Context(), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: filter, QoS: 1}}})
	p.must("subscribe", err)
}

func (p *paho5) publish(topic string, m arrived) {
	packet := &paho.Publish{Topic: topic, QoS: 1, Retain: m.retained, Payload: []byte(m.payload)}
	if m.response+m.data != "" {
		packet.Properties = &paho.PublishProperties{ResponseTopic: m.response, CorrelationData: []byte(m.data)}
	}
	_, err := p.c.Publish(p.t.Context(), packet)
	p.must("publish", err)
}

func (p *paho5) disconnect() { p.must("disconnect", p.c.Disconnect(&paho.Disconnect{})) }
