package mqttconn

import (
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

// inStoredWorld is inWorld on a message log in memory, without rates.
func inStoredWorld(t *testing.T, l *logtest.Log, test func(w *world)) {
	t.Helper()
	limits := OpenLimits
	limits.SessionExpiry = time.Hour
	b := broker.New(broker.Config{Log: l, SessionExpiry: limits.SessionExpiry})
	inWorld(t, Config{Limits: limits, Broker: b}, func(w *world) {
		test(w)
		w.server.cfg.Broker.Close()
	})
}

// stay makes a CONNECT ask for a session that outlives the connection, and resume a stored one.
func stay(p *mqtt.Connect) {
	p.CleanStart = false
	if p.Version == mqtt.V5 {
		p.Props.SetSessionExpiry(1800)
	}
}

// expiry makes a CONNECT of MQTT 5 resume a session, with so many seconds of expiry.
func expiry(seconds uint32) func(*mqtt.Connect) {
	return func(p *mqtt.Connect) {
		p.CleanStart = false
		p.Props.SetSessionExpiry(seconds)
	}
}

func clean(p *mqtt.Connect) { p.CleanStart = true }

// connectWith sends a CONNECT and returns its CONNACK.
func (d *device) connectWith(id string, change ...func(*mqtt.Connect)) *mqtt.Connack {
	d.w.t.Helper()
	p := &mqtt.Connect{Version: d.version, CleanStart: true, KeepAlive: 1200, ClientID: []byte(id)}
	for _, f := range change {
		f(p)
	}
	d.send(p)
	a, ok := d.next().(*mqtt.Connack)
	if !ok || a.Reason != mqtt.Success {
		d.w.t.Fatalf("CONNECT as %q: %+v; %s", id, a, d.codes())
	}
	return a
}

func disconnectWith(seconds uint32) *mqtt.Disconnect {
	p := &mqtt.Disconnect{}
	p.Props.SetSessionExpiry(seconds)
	return p
}

// TestSessionResumed is the table of mqtt sheet 4.1: a device connects as first, subscribes, goes
// away as gone, a message comes, and it connects again as then.
func TestSessionResumed(t *testing.T) {
	type connects = func(*mqtt.Connect)
	v3, v5 := mqtt.V311, mqtt.V5
	for name, tt := range map[string]struct {
		version mqtt.Version
		first   connects
		granted int // Session Expiry Interval of CONNACK; -1: none
		gone    func(d *device)
		away    time.Duration
		as      mqtt.Version // 0: the same
		then    connects
		present bool
	}{
		"v3 clean session":                   {version: v3, first: clean, granted: -1, then: stay},
		"v3 session":                         {version: v3, first: stay, granted: -1, then: stay, present: true},
		"v3 session, connection lost":        {version: v3, first: stay, granted: -1, gone: (*device).hangUp, then: stay, present: true},
		"v3 session, then clean":             {version: v3, first: stay, granted: -1, then: clean},
		"v3 session, an hour later":          {version: v3, first: stay, granted: -1, away: time.Hour + time.Minute, then: stay},
		"v3 session, almost an hour later":   {version: v3, first: stay, granted: -1, away: time.Hour - time.Second, then: stay, present: true},
		"v3 session, then v5":                {version: v3, first: stay, granted: -1, as: v5, then: stay},
		"v5 without expiry":                  {version: v5, first: func(p *mqtt.Connect) { p.CleanStart = false }, granted: -1, then: stay},
		"v5 expiry 0":                        {version: v5, first: expiry(0), granted: -1, then: stay},
		"v5 session":                         {version: v5, first: expiry(60), granted: -1, then: stay, present: true},
		"v5 session, clean start at first":   {version: v5, first: func(p *mqtt.Connect) { p.Props.SetSessionExpiry(60) }, granted: -1, then: stay, present: true},
		"v5 session over":                    {version: v5, first: expiry(60), granted: -1, away: 61 * time.Second, then: stay},
		"v5 longer than the account allows":  {version: v5, first: expiry(7200), granted: 3600, away: 3599 * time.Second, then: stay, present: true},
		"v5 for ever":                        {version: v5, first: expiry(0xFFFFFFFF), granted: 3600, away: 3601 * time.Second, then: stay},
		"v5 session, then clean start":       {version: v5, first: stay, granted: -1, then: clean},
		"v5 session, resumed to end":         {version: v5, first: stay, granted: -1, then: func(p *mqtt.Connect) { p.CleanStart = false }, present: true},
		"v5 session, then v3":                {version: v5, first: stay, granted: -1, as: v3, then: stay},
		"v5 DISCONNECT with expiry 0":        {version: v5, first: stay, granted: -1, gone: func(d *device) { d.send(disconnectWith(0)) }, then: stay},
		"v5 DISCONNECT with a longer one":    {version: v5, first: expiry(60), granted: -1, gone: func(d *device) { d.send(disconnectWith(600)) }, away: 599 * time.Second, then: stay, present: true},
		"v5 DISCONNECT, capped":              {version: v5, first: expiry(60), granted: -1, gone: func(d *device) { d.send(disconnectWith(7200)) }, away: 3601 * time.Second, then: stay},
		"v5 DISCONNECT with a forbidden one": {version: v5, first: clean, granted: -1, gone: func(d *device) { d.send(disconnectWith(60)) }, then: stay},
		"DeleteConnection with the session":  {version: v5, first: stay, granted: -1, gone: func(d *device) { _ = d.w.server.Disconnect(d.w.t.Context(), "a", false, true) }, then: stay},
		"DeleteConnection without":           {version: v5, first: stay, granted: -1, gone: func(d *device) { _ = d.w.server.Disconnect(d.w.t.Context(), "a", false, false) }, then: stay, present: true},
		"DeleteConnection while away": {version: v3, first: stay, granted: -1, gone: func(d *device) {
			d.hangUp()
			if err := d.w.server.Disconnect(d.w.t.Context(), "a", false, true); err != nil {
				d.w.t.Error(err)
			}
		}, then: stay},
	} {
		t.Run(name, func(t *testing.T) {
			inStoredWorld(t, &logtest.Log{}, func(w *world) {
				d := w.dial(tt.version)
				a := d.connectWith("a", tt.first)
				granted := -1
				if a.Props.Has(mqtt.PropSessionExpiry) {
					granted = int(a.Props.SessionExpiry)
				}
				if a.SessionPresent || granted != tt.granted {
					t.Errorf("first CONNACK: present %v, expiry %d, want %d", a.SessionPresent, granted, tt.granted)
				}
				d.send(subscribeTo(1, "t"))
				if tt.gone != nil {
					tt.gone(d)
				} else {
					d.send(&mqtt.Disconnect{})
				}
				d.nc.Close()
				synctest.Wait()
				w.dial(mqtt.V311).connect("p").send(publishOf("t", "while away", 1))
				time.Sleep(tt.away)
				as := tt.as
				if as == 0 {
					as = tt.version
				}
				d = w.dial(as)
				if a := d.connectWith("a", tt.then); a.SessionPresent != tt.present {
					t.Errorf("second CONNACK: present %v, want %v; %s", a.SessionPresent, tt.present, d.codes())
				}
				var want []string
				if tt.present {
					want = []string{"t while away 1"}
				}
				if diff := cmp.Diff(want, d.messages()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				w.dial(mqtt.V311).connect("q").send(publishOf("t", "later", 0)) // the subscription is in force
				if got := d.messages(); (len(got) == 1) != tt.present {
					t.Errorf("then came %q, session present %v", got, tt.present)
				}
			})
		})
	}
}

// TestUnacknowledgedComeAgain: with fresh identifiers and without DUP, before what was queued.
func TestUnacknowledgedComeAgain(t *testing.T) {
	inStoredWorld(t, &logtest.Log{}, func(w *world) {
		d := w.dial(mqtt.V5).connect("a", stay).send(subscribeTo(1, "t"))
		p := w.dial(mqtt.V311).connect("p")
		p.send(publishOf("t", "1", 1), publishOf("t", "2", 1), publishOf("t", "3", 1))
		if diff := cmp.Diff([]string{"t 1 1", "t 2 1", "t 3 1"}, d.messages()); diff != "" {
			t.Fatal(diff)
		}
		d.send(&mqtt.Puback{PacketID: 2})
		d.hangUp()
		p.send(publishOf("t", "4", 1))
		d = w.dial(mqtt.V5).connect("a", stay, func(p *mqtt.Connect) { p.Props.SetReceiveMaximum(2) })
		m := d.next().(*mqtt.Publish)
		if string(m.Payload) != "1" || m.Dup {
			t.Errorf("first came %q, DUP %v", m.Payload, m.Dup)
		}
		if diff := cmp.Diff([]string{"t 3 1"}, d.messages()); diff != "" {
			t.Errorf("Receive Maximum 2 (-want +got):\n%s", diff)
		}
		d.send(&mqtt.Puback{PacketID: m.PacketID, Reason: mqtt.UnspecifiedError}) // acknowledges too (mqtt sheet 7)
		if diff := cmp.Diff([]string{"t 4 1"}, d.messages()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestPubackWaitsForDisk: it means that the message survives a crash. Source: DESIGN, decision 7.
func TestPubackWaitsForDisk(t *testing.T) {
	for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
		l := &logtest.Log{}
		inStoredWorld(t, l, func(w *world) {
			d := w.dial(v).connect("a", stay).send(subscribeTo(1, "t"))
			d.next()
			p := w.dial(v).connect("p")
			l.Hold()
			p.send(publishOf("t", "1", 1), publishOf("other", "2", 1))
			if got := p.next(); got != nil {
				t.Errorf("%s: %T before the disk had the message", v, got)
			}
			if diff := cmp.Diff([]string{"t 1 1"}, d.messages()); diff != "" {
				t.Error("a receiver does not wait for the disk:", diff)
			}
			l.Sync(nil)
			for range 2 {
				if a, ok := p.next().(*mqtt.Puback); !ok || a.Reason != mqtt.Success {
					t.Errorf("%s: %+v after the disk had the message", v, a)
				}
			}
			p.send(publishOf("t", "3", 1))
			l.Sync(messagelog.ErrBroken)
			switch a := p.next().(type) {
			case nil:
				if v == mqtt.V5 {
					t.Error("no answer to MQTT 5")
				}
			case *mqtt.Puback:
				if v == mqtt.V311 || a.Reason != mqtt.UnspecifiedError {
					t.Errorf("%s: %+v for a message that is not on disk", v, a)
				}
			}
			if got := p.codes(); got != "warned delivery.not_stored" {
				t.Errorf("recorded %q", got)
			}
		})
	}
}

// TestLogRefuses: what a publisher sees of a full disk, and that it recovers.
func TestLogRefuses(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want mqtt.ReasonCode
	}{{messagelog.ErrFull, mqtt.QuotaExceeded}, {messagelog.ErrBroken, mqtt.UnspecifiedError}} {
		l := &logtest.Log{}
		inStoredWorld(t, l, func(w *world) {
			d := w.dial(mqtt.V5).connect("a", stay).send(subscribeTo(1, "t"))
			d.next()
			p3, p5 := w.dial(mqtt.V311).connect("p3"), w.dial(mqtt.V5).connect("p5")
			l.Refuse(tt.err)
			p3.send(publishOf("t", "1", 1))
			p5.send(publishOf("t", "2", 1))
			if got := p3.next(); got != nil {
				t.Errorf("%T to MQTT 3.1.1", got)
			}
			if a, ok := p5.next().(*mqtt.Puback); !ok || a.Reason != tt.want {
				t.Errorf("%+v to MQTT 5, want %x", a, tt.want)
			}
			e := w.dial(mqtt.V5)
			if a := e.connectWith("e", stay); a.Props.SessionExpiry != 0 || !a.Props.Has(mqtt.PropSessionExpiry) {
				t.Errorf("a session that can't be stored is granted %+v", a.Props.SessionExpiry)
			}
			if got := e.codes() + ", " + p3.codes(); got != "warned session.not_stored, warned delivery.not_stored" {
				t.Errorf("recorded %q", got)
			}
			d.send(subscribeTo(1, "u"))
			if got := d.evidence("session.not_stored", "filter"); got != "u" {
				t.Errorf("a subscription that is not on disk is recorded with %q", got)
			}
			d.next()
			l.Refuse(nil)
			p3.send(publishOf("t", "3", 1))
			p5.send(publishOf("t", "4", 1))
			if diff := cmp.Diff([]string{"t 3 1", "t 4 1"}, d.messages()); diff != "" {
				t.Error(diff)
			}
			if p3.next() == nil || p5.next().(*mqtt.Puback).Reason != mqtt.Success {
				t.Error("no PUBACK after the log came back")
			}
		})
	}
}

// TestUnacknowledgedInbound: 100 publishes may wait for the disk. MQTT 3.1.1 is read no further,
// MQTT 5 should know better. Source: mqtt sheet 5.1, 20.
func TestUnacknowledgedInbound(t *testing.T) {
	for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
		l := &logtest.Log{}
		inStoredWorld(t, l, func(w *world) {
			w.dial(v).connect("a", stay).send(subscribeTo(1, "t"))
			p := w.dial(v).connect("p")
			l.Hold()
			send := func(from, to int) {
				var raw []byte
				for i := from; i < to; i++ {
					m := publishOf("t", fmt.Sprint(i), 1)
					m.PacketID = uint16(i + 1)
					raw, _ = m.Append(raw, v)
				}
				go p.nc.Write(raw)
				synctest.Wait()
			}
			send(0, 60)
			send(60, 100)
			if l.Appends != 100 || p.ended() {
				t.Fatalf("%d of 100 stored; %s", l.Appends, p.codes())
			}
			send(100, 130)
			if v == mqtt.V5 {
				if got := p.codes(); !strings.Contains(got, "failed limit.inflight") {
					t.Errorf("recorded %q", got)
				}
				l.Sync(nil)
				return
			}
			if l.Appends != 100 {
				t.Errorf("%d stored while 100 wait", l.Appends)
			}
			for range 4 {
				l.Sync(nil)
				synctest.Wait()
			}
			n := 0
			for p.next() != nil {
				n++
			}
			if n != 130 {
				t.Errorf("%d acknowledgements, want 130", n)
			}
		})
	}
}

// TestOtherPrincipal: sessions are not bound to a certificate, and the record says so.
func TestOtherPrincipal(t *testing.T) {
	inStoredWorld(t, &logtest.Log{}, func(w *world) {
		w.dial(mqtt.V311).connect("a", stay).hangUp()
		d := w.dial(mqtt.V311, dialOptions{ip: "203.0.113.21", principal: strings.Repeat("cd", 32)}).connect("a", stay)
		if got := d.codes(); got != "warned session.other_principal" {
			t.Errorf("recorded %q", got)
		}
		if got := d.evidence("session.other_principal", "other_principal"); got != strings.Repeat("ab", 32) {
			t.Errorf("used before by %q", got)
		}
	})
}

// TestMissedMessages: the record of a resumed session says what it did not get.
func TestMissedMessages(t *testing.T) {
	limits := OpenLimits
	limits.QueuedAccount = AWSLimits.QueuedAccount
	b := broker.New(broker.Config{Log: &logtest.Log{}, QueueRate: limits.QueuedAccount, QueueMessages: 505})
	inWorld(t, Config{Limits: limits, Broker: b}, func(w *world) {
		w.dial(mqtt.V311).connect("a", stay).send(subscribeTo(1, "t")).hangUp()
		p := w.dial(mqtt.V311).connect("p")
		burst := func(n int) {
			for range n {
				p.send(publishOf("t", "x", 1))
			}
		}
		burst(502)
		time.Sleep(2 * time.Second)
		burst(6)
		d := w.dial(mqtt.V311).connect("a", stay)
		if got := d.codes(); got != "warned delivery.offline_queue_full, warned limit.queued_rate.account" {
			t.Errorf("recorded %q", got)
		}
		if full, rate := d.evidence("delivery.offline_queue_full", "dropped"), d.evidence("limit.queued_rate.account", "dropped"); full != "1" || rate != "2" {
			t.Errorf("dropped %s for the queue and %s for the rate, want 1 and 2", full, rate)
		}
		b.Close()
	})
}

// TestWillSeesSession: a will is stored for a session like any message, also for the one it comes from.
func TestWillSeesSession(t *testing.T) {
	inStoredWorld(t, &logtest.Log{}, func(w *world) {
		d := w.dial(mqtt.V311).connect("a", stay, func(p *mqtt.Connect) {
			p.Will = &mqtt.Will{Topic: []byte("gone"), Payload: []byte("bye"), QoS: 1}
		})
		d.send(subscribeTo(1, "gone")).hangUp()
		if diff := cmp.Diff([]string{"gone bye 1"}, w.dial(mqtt.V311).connect("a", stay).messages()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestReceiveDecidedAtDelivery: the policy of the resuming connection counts. Source: mqtt sheet 4.2.
func TestReceiveDecidedAtDelivery(t *testing.T) {
	inStoredWorld(t, &logtest.Log{}, func(w *world) {
		w.dial(mqtt.V311).connect("a", stay).send(subscribeTo(1, "t", "u")).hangUp()
		w.dial(mqtt.V311).connect("p").send(publishOf("t", "1", 1), publishOf("u", "2", 1))
		w.policy(strings.Replace(allowAll, `]}`, `,{"Effect":"Deny","Action":"iot:Receive","Resource":"arn:aws:iot:us-east-1:123456789012:topic/t"}]}`, 1))
		d := w.dial(mqtt.V311).connect("a", stay)
		if diff := cmp.Diff([]string{"u 2 1"}, d.messages()); diff != "" {
			t.Error(diff)
		}
		if got := d.codes(); got != "warned authz.receive" {
			t.Errorf("recorded %q", got)
		}
	})
}

// TestSharedQueueFull: the first member that is back learns that messages were dropped.
func TestSharedQueueFull(t *testing.T) {
	b := broker.New(broker.Config{Log: &logtest.Log{}, QueueMessages: 3})
	inWorld(t, Config{Limits: OpenLimits, Broker: b}, func(w *world) {
		w.dial(mqtt.V311).connect("a", stay).send(subscribeTo(1, "$share/g/t")).hangUp()
		p := w.dial(mqtt.V311).connect("p")
		for i := range 5 {
			p.send(publishOf("t", fmt.Sprint(i), 1))
		}
		d := w.dial(mqtt.V311).connect("a", stay)
		if diff := cmp.Diff([]string{"t 0 1", "t 1 1", "t 2 1"}, d.messages()); diff != "" {
			t.Error(diff)
		}
		if got := d.codes(); got != "warned delivery.shared_queue_full" {
			t.Errorf("recorded %q", got)
		}
		if got := d.evidence("session.resumed", "queued"); got != "0" {
			t.Errorf("session.resumed says %q messages, the queue is that of the group", got)
		}
		b.Close()
	})
}
