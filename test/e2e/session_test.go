package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"
	paho3 "github.com/eclipse/paho.mqtt.golang"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// TestMosquittoSessions: what is published while mosquitto_sub is away comes when it is back, in
// order, whatever happens to the server meanwhile.
func TestMosquittoSessions(t *testing.T) {
	gatehouseproc.Need(t, "mosquitto_sub")
	gatehouseproc.Need(t, "mosquitto_pub")
	for _, between := range []string{"nothing", "restart", "kill"} {
		t.Run(between, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			gw := gatehouseproc.StartIn(t, dir, "--limits", "open")
			out := gw.AddDevice(t, "s-out", "--topic", "e2e/*")
			versions := []string{"mqttv311", "mqttv5"}
			devices := map[string]gatehouseproc.Device{}
			subscriber := func(version string, more ...string) *exec.Cmd {
				args := []string{"-V", version, "-c", "-q", "1", "-t", "e2e/" + version, "-W", "20"}
				if version == "mqttv5" {
					args = append(args, "-x", "600")
				}
				return exec.Command("mosquitto_sub", mosquittoArgs(gw, devices[version], append(args, more...)...)...)
			}
			for _, version := range versions {
				devices[version] = gw.AddDevice(t, "s-"+version, "--topic", "e2e/*")
				if text, err := subscriber(version, "-E").CombinedOutput(); err != nil { // subscribes, and goes
					t.Fatalf("mosquitto_sub: %v\n%s", err, text)
				}
				for i := range 3 {
					args := mosquittoArgs(gw, out, "-V", version, "-t", "e2e/"+version, "-q", "1", "-m", strconv.Itoa(i))
					if text, err := exec.Command("mosquitto_pub", args...).CombinedOutput(); err != nil {
						t.Fatalf("mosquitto_pub: %v\n%s", err, text)
					}
				}
			}
			switch between {
			case "restart":
				gw.Stop()
				gw = gatehouseproc.StartIn(t, dir, "--limits", "open")
			case "kill":
				gw.Kill()
				gw = gatehouseproc.StartIn(t, dir, "--limits", "open")
			}
			for _, version := range versions {
				text, err := subscriber(version, "-C", "3", "-F", "%q %p").Output()
				if got, want := string(text), "1 0\n1 1\n1 2\n"; err != nil || got != want {
					t.Errorf("%s: %v, received %q, want %q", version, err, got, want)
				}
			}
		})
	}
}

// TestPahoSession311: session present, the queue, and a take-over that inherits the session.
func TestPahoSession311(t *testing.T) {
	gw := gatehouseproc.Start(t, "--limits", "open")
	in, out := gw.AddDevice(t, "ps-in", "--topic", "e2e/*"), gw.AddDevice(t, "ps-out", "--topic", "e2e/*")
	got, lost := make(chan string, 100), make(chan error, 1)
	connect := func(d gatehouseproc.Device, clean bool) (paho3.Client, bool) {
		t.Helper()
		c := paho3.NewClient(paho3.NewClientOptions().AddBroker(fmt.Sprintf("ssl://localhost:%d", gw.Ports.MQTT)).
			SetClientID(d.ThingName).SetTLSConfig(tlsConfig(t, d)).SetAutoReconnect(false).SetConnectTimeout(10 * time.Second).SetCleanSession(clean).
			SetDefaultPublishHandler(func(_ paho3.Client, m paho3.Message) { got <- string(m.Payload()) }).
			SetConnectionLostHandler(func(_ paho3.Client, err error) { lost <- err }))
		token := c.Connect().(*paho3.ConnectToken)
		if !token.WaitTimeout(10*time.Second) || token.Error() != nil {
			t.Fatalf("connect: %v", token.Error())
		}
		return c, token.SessionPresent()
	}
	publisher, _ := connect(out, true)
	defer publisher.Disconnect(100)
	publish := func(payload string) {
		t.Helper()
		if token := publisher.Publish("e2e/s", 1, false, payload); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
			t.Fatalf("publish: %v", token.Error())
		}
	}
	expect := func(want ...string) {
		t.Helper()
		for _, w := range want {
			if m := receive(t, got); m != w {
				t.Fatalf("received %q, want %q", m, w)
			}
		}
	}
	c, present := connect(in, false)
	if present {
		t.Error("a first connection finds a session")
	}
	if token := c.Subscribe("e2e/s", 1, nil); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatalf("subscribe: %v", token.Error())
	}
	publish("live")
	expect("live")
	c.Disconnect(100)
	var want []string
	for i := range 50 {
		want = append(want, strconv.Itoa(i))
		publish(want[i])
	}
	if _, present = connect(in, false); !present {
		t.Error("the session is gone")
	}
	expect(want...)
	c2, present := connect(in, false) // while it is connected
	defer c2.Disconnect(100)
	if !present {
		t.Error("the take-over did not inherit the session")
	}
	_ = receive(t, lost)
	publish("taken over")
	expect("taken over")
	c2.Disconnect(100)
	if c, present = connect(in, true); present {
		t.Error("a clean session finds a session")
	}
	c.Disconnect(100)
}

// TestPahoSession5: the granted expiry, and a queue that outlives a kill between PUBACK and delivery.
func TestPahoSession5(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	gw := gatehouseproc.StartIn(t, dir)
	d := gw.AddDevice(t, "ps5", "--topic", "e2e/*")
	out := gw.AddDevice(t, "ps5-out", "--topic", "e2e/*")
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	got := make(chan string, 100)
	connect := func(d gatehouseproc.Device, clean bool, expiry uint32) (*paho.Client, *paho.Connack) {
		t.Helper()
		c := paho.NewClient(paho.ClientConfig{Conn: dialPaho5(t, gw, tlsConfig(t, d)), OnPublishReceived: []func(paho.PublishReceived) (bool, error){
			func(p paho.PublishReceived) (bool, error) { got <- string(p.Packet.Payload); return true, nil },
		}})
		ack, err := c.Connect(ctx, &paho.Connect{ClientID: d.ThingName, KeepAlive: 60, CleanStart: clean, Properties: &paho.ConnectProperties{SessionExpiryInterval: &expiry}})
		if err != nil {
			t.Fatalf("connect: %v (%+v)", err, ack)
		}
		return c, ack
	}
	c, ack := connect(d, true, 7200)
	if ack.SessionPresent || ack.Properties.SessionExpiryInterval == nil || *ack.Properties.SessionExpiryInterval != 3600 {
		t.Errorf("CONNACK %+v, want an expiry of 3600, the most that the account allows", ack.Properties)
	}
	if _, err := c.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "e2e/5", QoS: 1}}}); err != nil {
		t.Fatal(err)
	}
	if err := c.Disconnect(&paho.Disconnect{}); err != nil {
		t.Fatal(err)
	}
	p, _ := connect(out, true, 0)
	var want []string
	for i := range 8 { // fewer than the 10 a second that AWS sends of a queue
		want = append(want, strconv.Itoa(i))
		if ack, err := p.Publish(ctx, &paho.Publish{Topic: "e2e/5", QoS: 1, Payload: []byte(want[i])}); err != nil || ack.ReasonCode != 0 {
			t.Fatalf("publish: %v, %+v", err, ack)
		}
	}
	gw.Kill()
	gw = gatehouseproc.StartIn(t, dir)
	if c, ack = connect(d, false, 600); !ack.SessionPresent {
		t.Error("the session did not survive the kill")
	}
	var all []string
	for range want {
		all = append(all, receive(t, got))
	}
	if !slices.Equal(all, want) {
		t.Errorf("received %s, want %s", strings.Join(all, " "), strings.Join(want, " "))
	}
	// paho.golang closes its socket with what its kernel could not send yet, the DISCONNECT behind many
	// PUBACKs: after an answer none of them is under way.
	if _, err := c.Publish(ctx, &paho.Publish{Topic: "e2e/nobody", QoS: 1, Payload: []byte("last")}); err != nil {
		t.Fatal(err)
	}
	zero := uint32(0)
	if err := c.Disconnect(&paho.Disconnect{Properties: &paho.DisconnectProperties{SessionExpiryInterval: &zero}}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // AWS allows a client ID one CONNECT a second
	if c, ack = connect(d, false, 600); ack.SessionPresent {
		t.Error("the session outlived a DISCONNECT with an expiry of 0")
	}
	_ = c.Disconnect(&paho.Disconnect{})
}
