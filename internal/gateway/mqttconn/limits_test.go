package mqttconn

import (
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/broker/gcra"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// TestLimitConnections: a client that is connected already may take over. Source: mqtt sheet 19.
func TestLimitConnections(t *testing.T) {
	limits := OpenLimits
	limits.Connections = 2
	inWorld(t, Config{Limits: limits}, func(w *world) {
		a := w.dial(mqtt.V5).connect("a")
		w.dial(mqtt.V311).connect("b")
		c := w.dial(mqtt.V5)
		c.send(&mqtt.Connect{Version: mqtt.V5, CleanStart: true, ClientID: []byte("c"), KeepAlive: 60})
		if answer, ok := c.next().(*mqtt.Connack); !ok || answer.Reason != mqtt.QuotaExceeded || c.codes() != "failed limit.connections.account, THROTTLED" {
			t.Errorf("third connection: %+v, recorded %s", answer, c.codes())
		}
		c3 := w.dial(mqtt.V311)
		c3.send(&mqtt.Connect{Version: mqtt.V311, CleanStart: true, ClientID: []byte("c"), KeepAlive: 60})
		if got := c3.raw(); got != "" || !c3.ended() {
			t.Errorf("MQTT 3.1.1: %s, want nothing and the end", got)
		}
		w.dial(mqtt.V5).connect("a") // takes over
		if !a.ended() {
			t.Error("the first connection lives on")
		}
		w.dial(mqtt.V5).connect("b").send(&mqtt.Disconnect{})
		w.dial(mqtt.V5).connect("c") // there is room again
	})
}

// TestLimitConnectSizes: properties of CONNECT. Source: mqtt sheet 11.1, 19.
func TestLimitConnectSizes(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*mqtt.Properties)
		code   mqtt.ReasonCode
		codes  string
	}{
		"packet too small":    {func(p *mqtt.Properties) { p.SetMaximumPacketSize(1023) }, mqtt.QuotaExceeded, "failed limit.packet_minimum, CLIENT_ERROR"},
		"packet just right":   {func(p *mqtt.Properties) { p.SetMaximumPacketSize(1024) }, mqtt.Success, ""},
		"user properties":     {func(p *mqtt.Properties) { p.AddUser("n", strings.Repeat("x", maxUserProperties)) }, mqtt.QuotaExceeded, "failed limit.user_properties, CLIENT_ERROR"},
		"user properties fit": {func(p *mqtt.Properties) { p.AddUser("n", strings.Repeat("x", maxUserProperties-1)) }, mqtt.Success, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, Config{Limits: OpenLimits}, func(w *world) {
				d := w.dial(mqtt.V5)
				p := &mqtt.Connect{Version: mqtt.V5, CleanStart: true, ClientID: []byte("pump"), KeepAlive: 60}
				tt.change(&p.Props)
				d.send(p)
				if a, ok := d.next().(*mqtt.Connack); !ok || a.Reason != tt.code || d.codes() != tt.codes {
					t.Errorf("answer %+v, recorded %q, want %q", a, d.codes(), tt.codes)
				}
			})
		})
	}
}

// TestLimitPublishOut: what is above the account's rate is dropped at QoS 0 and waits at QoS 1. Source: mqtt sheet 19, 20.
func TestLimitPublishOut(t *testing.T) {
	limits := OpenLimits
	limits.PublishOutAccount = gcra.Rate{Every: time.Second, Burst: 1}
	inWorld(t, Config{Limits: limits}, func(w *world) {
		zero := w.dial(mqtt.V311).connect("zero").send(subscribeTo(0, "a"))
		pump := w.dial(mqtt.V311).connect("pump")
		pump.send(publishOf("a", "1", 0), publishOf("a", "2", 0))
		if got := zero.messages(); len(got) != 1 || zero.codes() != "warned limit.publish_out_rate.account" {
			t.Errorf("QoS 0: %q, recorded %s", got, zero.codes())
		}
		zero.send(&mqtt.Disconnect{})
		time.Sleep(time.Second)
		one := w.dial(mqtt.V311).connect("one").send(subscribeTo(1, "a"))
		one.messages()
		pump.send(publishOf("a", "3", 1), publishOf("a", "4", 1))
		if got := one.messages(); len(got) != 1 {
			t.Errorf("QoS 1 at once: %q", got)
		}
		time.Sleep(2 * time.Second)
		if got := one.messages(); len(got) != 1 {
			t.Errorf("QoS 1 later: %q", got)
		}
	})
}

// TestLimitSubscriptionsAccount and of the groups of shared subscriptions. Source: mqtt sheet 10, 19.
func TestLimitSubscriptionsAccount(t *testing.T) {
	limits := OpenLimits
	limits.SubscriptionsAccount = 4
	limits.SharedMembers = 1
	limits.SharedGroups = 2
	limits.SharedRate = gcra.PerSecond(2)
	inWorld(t, Config{Limits: limits}, func(w *world) {
		suback := func(d *device, filter string) string {
			d.next()
			d.send(subscribeTo(0, filter))
			return d.raw()
		}
		a, b := w.dial(mqtt.V5).connect("a"), w.dial(mqtt.V5).connect("b")
		const granted, refused = "90 04 00 09 00 00", "90 04 00 09 00 97"
		for _, step := range []struct {
			d      *device
			filter string
			want   string
		}{
			{a, "$share/g/x", granted},
			{a, "$share/g/x", granted}, // it is the same subscription
			{b, "$share/g/x", refused}, // a second member
			{b, "$share/g/y", granted},
			{b, "$share/g/z", refused}, // a third group
			{b, "1", granted},
			{b, "2", granted},
			{b, "3", refused}, // a fifth subscription
			{b, "2", granted},
		} {
			if got := suback(step.d, step.filter); got != step.want {
				t.Errorf("%s: %s, want %s", step.filter, got, step.want)
			}
		}
		if got, want := b.codes(), "failed limit.shared_group.members, failed limit.shared_groups.account, failed limit.subscriptions.account"; got != want {
			t.Errorf("recorded %s, want %s", got, want)
		}
		for range 3 { // come and go
			a.send(&mqtt.Unsubscribe{PacketID: 3, Filters: [][]byte{[]byte("$share/g/x")}})
		}
		a.raw()
		a.send(subscribeTo(0, "$share/g/x"))
		if got := a.raw(); got != refused || a.codes() != "failed limit.shared_group.rate" {
			t.Errorf("too often: %s, recorded %s", got, a.codes())
		}
		time.Sleep(time.Second)
		a.send(subscribeTo(0, "$share/g/x"))
		if got := a.raw(); got != granted {
			t.Errorf("a second later: %s", got)
		}
		if got, err := w.server.Subscriptions("b"); err != nil || len(got) != 3 || got[0].Filter != "$share/g/y" {
			t.Errorf("Subscriptions: %v, %v", got, err)
		}
		if _, err := w.server.Subscriptions("nobody"); err == nil {
			t.Error("Subscriptions of nobody")
		}
		c := w.dial(mqtt.V311).connect("c").send(subscribeTo(0, "4"))
		if got := c.raw(); got != "90 03 00 09 80" || !c.ended() {
			t.Errorf("MQTT 3.1.1: %s, want SUBACK 0x80 and the end", got)
		}
	})
}
