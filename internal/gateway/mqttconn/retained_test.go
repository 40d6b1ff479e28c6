package mqttconn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
	"github.com/gatehouse-iot/gatehouse/internal/messagelog/logtest"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

func retain(topic, payload string, qos mqtt.QoS) *mqtt.Publish {
	p := publishOf(topic, payload, qos)
	p.Retain = true
	return p
}

// publishes returns the PUBLISH packets that arrived, acknowledged, as "topic payload qos retain", and
// the seconds of their expiry.
func (d *device) publishes() (list []string) {
	d.w.t.Helper()
	for p := d.next(); p != nil; p = d.next() {
		m, ok := p.(*mqtt.Publish)
		if !ok {
			continue
		}
		text := fmt.Sprintf("%s %s %d retain=%v", m.Topic, m.Payload, m.QoS, m.Retain)
		if m.Props.Has(mqtt.PropMessageExpiry) {
			text += fmt.Sprintf(" expiry=%d", m.Props.MessageExpiry)
		}
		for _, u := range m.Props.User {
			text += fmt.Sprintf(" %s=%s", u.Name, u.Value)
		}
		list = append(list, text)
		if m.QoS > 0 {
			d.send(&mqtt.Puback{PacketID: m.PacketID})
		}
	}
	return list
}

// TestRetained walks the rows of mqtt sheet 8.
func TestRetained(t *testing.T) {
	log := &logtest.Log{}
	inWorld(t, Config{Limits: OpenLimits, Broker: broker.New(broker.Config{Log: log})}, func(w *world) {
		live := w.dial(mqtt.V5).connect("live")
		live.send(&mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("state/+"), QoS: 1}}})
		asPublished := w.dial(mqtt.V5).connect("as-published")
		asPublished.send(&mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("state/+"), QoS: 0, RetainAsPublished: true}}})
		d := w.dial(mqtt.V5).connect("pump")
		first := retain("state/pump", "off", 1)
		d.send(first)
		last := retain("state/pump", "on", 1)
		last.Props.AddUser("by", "hand")
		last.Props.SetMessageExpiry(100)
		d.send(last)
		if a, ok := d.next().(*mqtt.Puback); !ok || a.Reason != mqtt.Success {
			t.Errorf("answer %+v", a)
		}
		if diff := cmp.Diff([]string{"state/pump off 1 retain=false", "state/pump on 1 retain=false expiry=100 by=hand"}, live.publishes()); diff != "" {
			t.Errorf("live copies (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"state/pump off 0 retain=true", "state/pump on 0 retain=true expiry=100 by=hand"}, asPublished.publishes()); diff != "" {
			t.Errorf("as published (-want +got):\n%s", diff)
		}

		time.Sleep(30 * time.Second)
		kept := "retain=true expiry=70 by=hand"
		for name, tt := range map[string]struct {
			version mqtt.Version
			filters []mqtt.Subscription
			again   bool
			want    []string
		}{
			"identical filter":          {mqtt.V5, []mqtt.Subscription{{Filter: []byte("state/pump"), QoS: 1}}, false, []string{"state/pump on 1 " + kept}},
			"lower QoS":                 {mqtt.V5, []mqtt.Subscription{{Filter: []byte("state/pump"), QoS: 0}}, false, []string{"state/pump on 0 " + kept}},
			"MQTT 3.1.1":                {mqtt.V311, []mqtt.Subscription{{Filter: []byte("state/pump"), QoS: 1}}, false, []string{"state/pump on 1 retain=true"}},
			"wildcards":                 {mqtt.V5, []mqtt.Subscription{{Filter: []byte("state/+")}, {Filter: []byte("#")}, {Filter: []byte("state/#")}}, false, nil},
			"shared":                    {mqtt.V5, []mqtt.Subscription{{Filter: []byte("$share/g/state/pump"), QoS: 1}}, false, nil},
			"never":                     {mqtt.V5, []mqtt.Subscription{{Filter: []byte("state/pump"), RetainHandling: 2}}, false, nil},
			"again":                     {mqtt.V5, []mqtt.Subscription{{Filter: []byte("state/pump")}}, true, []string{"state/pump on 0 " + kept, "state/pump on 0 " + kept}},
			"again, if new":             {mqtt.V5, []mqtt.Subscription{{Filter: []byte("state/pump"), RetainHandling: 1}}, true, []string{"state/pump on 0 " + kept}},
			"parent and other topic":    {mqtt.V5, []mqtt.Subscription{{Filter: []byte("state")}, {Filter: []byte("state/pump/")}}, false, nil},
			"No Local does not hold it": {mqtt.V5, []mqtt.Subscription{{Filter: []byte("state/pump"), NoLocal: true}}, false, []string{"state/pump on 0 " + kept}},
		} {
			s := w.dial(tt.version).connect(strings.ReplaceAll(name, " ", "-"))
			for range 1 + map[bool]int{true: 1}[tt.again] {
				s.send(&mqtt.Subscribe{PacketID: 2, Filters: tt.filters})
			}
			if diff := cmp.Diff(tt.want, s.publishes()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			s.send(&mqtt.Disconnect{})
		}

		d.send(retain("state/pump", "", 0))
		if diff := cmp.Diff([]string{"state/pump  0 retain=false"}, live.publishes()); diff != "" {
			t.Errorf("deletion, live (-want +got):\n%s", diff)
		}
		late := w.dial(mqtt.V5).connect("late")
		late.send(subscribeTo(1, "state/pump"))
		if got := late.publishes(); got != nil {
			t.Errorf("after the deletion: %q", got)
		}

		brief := retain("state/brief", "x", 0)
		brief.Props.SetMessageExpiry(5)
		d.send(brief)
		time.Sleep(6 * time.Second)
		if late.send(subscribeTo(1, "state/brief")); late.publishes() != nil {
			t.Error("an expired message was sent")
		}
		log.Refuse(messagelog.ErrBroken)
		d.send(retain("state/pump", "x", 1))
		for p := d.next(); p != nil; p = d.next() {
			if a, ok := p.(*mqtt.Puback); ok && a.PacketID == 7 && a.Reason != mqtt.Success && a.Reason != mqtt.UnspecifiedError {
				t.Errorf("answer of a broken log: %+v", a)
			}
		}
		if got := late.publishes(); got != nil {
			t.Errorf("delivered, and not kept: %q", got)
		}
	})
}

// TestRetainRates: what is above a rate is neither kept nor delivered. Source: mqtt sheet 8, 19.
func TestRetainRates(t *testing.T) {
	limits := AWSLimits
	limits.RetainAccount.Burst = 3
	for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
		log := &logtest.Log{}
		inWorld(t, Config{Limits: limits, Broker: broker.New(broker.Config{Log: log})}, func(w *world) {
			d := w.dial(v).connect("pump")
			d.send(retain("a", "1", 1), retain("a", "2", 1))
			if got, want := d.raw(), map[mqtt.Version]string{mqtt.V311: "40 02 00 07", mqtt.V5: "40 02 00 07 40 03 00 07 97"}[v]; got != want {
				t.Errorf("%s: answers %s, want %s", v, got, want)
			}
			if kept, _ := log.Retained("a"); string(kept.Payload) != "1" {
				t.Errorf("%s: kept %q", v, kept.Payload)
			}
			time.Sleep(time.Second)
			d.send(retain("a", "3", 0), retain("b", "1", 0), retain("c", "1", 0), retain("d", "1", 0), retain("e", "1", 0))
			if got, want := d.codes(), "warned limit.retain_rate.topic, warned limit.retain_rate.account, warned limit.retain_rate.account"; got != want {
				t.Errorf("%s: recorded %s, want %s", v, got, want)
			}
			d.send(&mqtt.Disconnect{})
		})
	}
}

// TestRetainedFull: replacing and deleting work in a full store. Source: mqtt sheet 5.1 #11, 8.
func TestRetainedFull(t *testing.T) {
	limits := OpenLimits
	limits.RetainedMessages = 1
	log := &logtest.Log{}
	inWorld(t, Config{Limits: limits, Broker: broker.New(broker.Config{Log: log})}, func(w *world) {
		d := w.dial(mqtt.V5).connect("pump")
		d.send(retain("a", "1", 1), retain("b", "1", 1), retain("a", "2", 1), retain("a", "", 1), retain("b", "2", 1))
		if got, want := d.raw(), "40 02 00 07 40 03 00 07 97 40 02 00 07 40 02 00 07 40 02 00 07"; got != want {
			t.Errorf("answers %s, want %s", got, want)
		}
		d.send(retain("c", "1", 0))
		if got, want := d.raw(), "E0 01 97"; got != want || !d.ended() {
			t.Errorf("at QoS 0: %s, want %s and the end", got, want)
		}
		if got, want := d.codes(), "failed limit.retained_messages, failed limit.retained_messages, THROTTLED"; got != want {
			t.Errorf("recorded %s, want %s", got, want)
		}
		d = w.dial(mqtt.V311).connect("valve")
		d.send(retain("c", "1", 1))
		if got := d.raw(); got != "" || !d.ended() {
			t.Errorf("MQTT 3.1.1: %q, want the end", got)
		}
	})
}

// TestWillRetain: the will is kept like any publish. Source: mqtt sheet 8.
func TestWillRetain(t *testing.T) {
	log := &logtest.Log{}
	inWorld(t, Config{Limits: OpenLimits, Broker: broker.New(broker.Config{Log: log})}, func(w *world) {
		w.dial(mqtt.V311).connect("pump", func(p *mqtt.Connect) {
			p.Will = &mqtt.Will{Topic: []byte("state/pump"), Payload: []byte("gone"), QoS: 1, Retain: true}
		}).hangUp()
		synctest.Wait()
		d := w.dial(mqtt.V311).connect("late").send(subscribeTo(1, "state/pump"))
		if diff := cmp.Diff([]string{"state/pump gone 1 retain=true"}, d.publishes()); diff != "" {
			t.Errorf("retained will (-want +got):\n%s", diff)
		}
	})
}

// TestRetainedDurable: the acknowledgement of a retained message means that it survives a crash, and
// a session gets the copy that it was sent again if it did not acknowledge it. Source: mqtt sheet 8.
func TestRetainedDurable(t *testing.T) {
	log := &logtest.Log{}
	inStoredWorld(t, log, func(w *world) {
		pump := w.dial(mqtt.V311).connect("pump")
		log.Hold()
		if pump.send(retain("state/pump", "on", 1)); pump.raw() != "" {
			t.Error("acknowledged before it was on disk")
		}
		log.Sync(nil)
		if got := pump.raw(); got != "40 02 00 07" {
			t.Errorf("after the sync: %q", got)
		}
		reader := w.dial(mqtt.V311)
		reader.connectWith("reader", stay)
		reader.send(subscribeTo(1, "state/pump"))
		if got := reader.messages(); len(got) != 1 {
			t.Errorf("on SUBSCRIBE: %q", got)
		}
		reader.hangUp() // without PUBACK
		reader = w.dial(mqtt.V311)
		reader.connectWith("reader", stay)
		if diff := cmp.Diff([]string{"state/pump on 1 retain=true"}, reader.publishes()); diff != "" {
			t.Errorf("after it came back (-want +got):\n%s", diff)
		}
	})
	log.Crash()
	inStoredWorld(t, log, func(w *world) {
		d := w.dial(mqtt.V5).connect("late").send(subscribeTo(1, "state/pump"))
		if diff := cmp.Diff([]string{"state/pump on 1 retain=true"}, d.publishes()); diff != "" {
			t.Errorf("after the crash (-want +got):\n%s", diff)
		}
	})
}

// TestRetainedAPI: what GetRetainedMessage and ListRetainedMessages answer, and their rates.
func TestRetainedAPI(t *testing.T) {
	log := &logtest.Log{}
	inWorld(t, Config{Limits: AWSLimits, Broker: broker.New(broker.Config{Log: log})}, func(w *world) {
		d := w.dial(mqtt.V5).connect("pump")
		p := retain("a/b", "on", 1)
		p.Props.SetContentType([]byte("text/plain"))
		p.Props.SetPayloadFormat(1)
		p.Props.AddUser("n", "1")
		p.Props.AddUser("n", "2")
		d.send(p, retain("a/c", "x", 0))
		got, err := w.server.RetainedMessage("a/b")
		want := RetainedMessage{Topic: "a/b", Payload: []byte("on"), QoS: 1, Modified: time.Now(), UserProperties: []mqtt.UserProperty{{Name: []byte("n"), Value: []byte("1")}, {Name: []byte("n"), Value: []byte("2")}}}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("RetainedMessage: %v (-want +got):\n%s", err, diff)
		}
		if _, err := w.server.RetainedMessage("none"); !errors.Is(err, ErrNoRetained) {
			t.Errorf("a topic without: %v", err)
		}
		for i := range 11 {
			list, err := w.server.RetainedMessages("a/b", 10)
			if i < 10 && (err != nil || len(list) != 1 || list[0].Topic != "a/c") {
				t.Errorf("list: %v, %v", list, err)
			} else if i == 10 && !errors.Is(err, ErrThrottled) {
				t.Errorf("above the rate: %v", err)
			}
		}
		d.send(&mqtt.Disconnect{})
	})
}

// TestSendDirect walks the row of mqtt sheet 18.
func TestSendDirect(t *testing.T) {
	inWorld(t, Config{Limits: OpenLimits}, func(w *world) {
		w.policy(allowAll, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iot:Receive","Resource":"arn:aws:iot:us-east-1:123456789012:topic/secret"}]}`)
		props := &mqtt.Properties{}
		props.AddUser("n", "1")
		message := DirectMessage{Topic: "cmd", Payload: []byte("go"), Properties: props}
		send := func(id string, m DirectMessage) error {
			ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
			defer cancel()
			return w.server.SendDirect(ctx, id, m)
		}
		if err := send("pump", message); !errors.Is(err, ErrNotConnected) {
			t.Errorf("nobody there: %v", err)
		}
		v5 := w.dial(mqtt.V5).connect("pump", func(p *mqtt.Connect) { p.Props.SetMaximumPacketSize(2000) })
		v3 := w.dial(mqtt.V311).connect("valve")
		for _, id := range []string{"pump", "valve"} {
			if err := send(id, message); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		}
		if diff := cmp.Diff([]string{"cmd go 0 retain=false n=1"}, v5.publishes()); diff != "" {
			t.Errorf("MQTT 5 (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"cmd go 0 retain=false"}, v3.publishes()); diff != "" {
			t.Errorf("MQTT 3.1.1 (-want +got):\n%s", diff)
		}
		confirmed := message
		confirmed.Confirm = true
		answer := make(chan error, 1)
		go func() { answer <- send("pump", confirmed) }()
		if diff := cmp.Diff([]string{"cmd go 1 retain=false n=1"}, v5.publishes()); diff != "" { // it acknowledges
			t.Errorf("confirmed (-want +got):\n%s", diff)
		}
		if err := <-answer; err != nil {
			t.Errorf("confirmed: %v", err)
		}
		began := time.Now()
		if err := send("valve", confirmed); !errors.Is(err, ErrNotAcknowledged) || time.Since(began) != 5*time.Second {
			t.Errorf("never acknowledged: %v after %v", err, time.Since(began))
		}
		for name, tt := range map[string]struct {
			change func(*DirectMessage)
			want   error // nil: an InvalidError
		}{
			"denied":   {func(m *DirectMessage) { m.Topic = "secret" }, ErrForbidden},
			"payload":  {func(m *DirectMessage) { m.Payload = make([]byte, maxPayload+1) }, ErrTooLarge},
			"packet":   {func(m *DirectMessage) { m.Payload = make([]byte, 2000) }, ErrTooLarge},
			"wildcard": {func(m *DirectMessage) { m.Topic = "a/+" }, nil},
			"reserved": {func(m *DirectMessage) { m.Topic = "$aws/rules/r" }, nil},
			"correlation": {func(m *DirectMessage) {
				m.Properties = &mqtt.Properties{}
				m.Properties.SetCorrelationData(make([]byte, 257))
			}, nil},
		} {
			m := message
			tt.change(&m)
			err := send("pump", m)
			if _, invalid := errors.AsType[*InvalidError](err); invalid != (tt.want == nil) || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", name, err, tt.want)
			}
		}
		go func() { answer <- send("valve", confirmed) }()
		synctest.Wait()
		v3.hangUp()
		if err := <-answer; !errors.Is(err, ErrNotAcknowledged) {
			t.Errorf("left meanwhile: %v", err)
		}
		v5.send(&mqtt.Disconnect{})
	})
}
