package mqttconn

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/messagelog/logtest"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// delayed makes a CONNECT leave a will on "gone", with a delay in seconds and an expiry of 100.
func delayed(seconds uint32) func(*mqtt.Connect) {
	return func(p *mqtt.Connect) {
		p.Will = &mqtt.Will{Topic: []byte("gone"), Payload: p.ClientID, QoS: 1}
		p.Will.Props.SetWillDelay(seconds)
		p.Will.Props.SetMessageExpiry(100)
	}
}

// TestWillDelay: the delay ends with the session, and a session that is resumed in time cancels the
// will. Source: mqtt sheet 9; MQTT 5 3.1.3.2.2.
func TestWillDelay(t *testing.T) {
	const published = "gone pump 1 retain=false expiry=100" // the expiry counts from here
	for name, tt := range map[string]struct {
		connect []func(*mqtt.Connect)
		end     func(w *world, d *device)
		after   time.Duration // when it is published; -1: never
	}{
		"no session":         {[]func(*mqtt.Connect){delayed(60)}, func(_ *world, d *device) { d.hangUp() }, 0},
		"delay":              {[]func(*mqtt.Connect){expiry(600), delayed(60)}, func(_ *world, d *device) { d.hangUp() }, 60 * time.Second},
		"session is shorter": {[]func(*mqtt.Connect){expiry(30), delayed(60)}, func(_ *world, d *device) { d.hangUp() }, 30 * time.Second},
		"no delay":           {[]func(*mqtt.Connect){expiry(600), delayed(0)}, func(_ *world, d *device) { d.hangUp() }, 0},
		"DISCONNECT":         {[]func(*mqtt.Connect){expiry(600), delayed(60)}, func(_ *world, d *device) { d.send(&mqtt.Disconnect{}) }, -1},
		"DISCONNECT with will": {[]func(*mqtt.Connect){expiry(600), delayed(60)}, func(_ *world, d *device) {
			d.send(&mqtt.Disconnect{Reason: mqtt.DisconnectWithWill})
		}, 60 * time.Second},
		"resumed": {[]func(*mqtt.Connect){expiry(600), delayed(60)}, func(w *world, d *device) {
			d.hangUp()
			w.dial(mqtt.V5).connectWith("pump", expiry(600))
		}, -1},
		"taken over": {[]func(*mqtt.Connect){expiry(600), delayed(60)}, func(w *world, _ *device) { w.dial(mqtt.V5).connectWith("pump", expiry(600)) }, -1},
		"taken over, clean": {[]func(*mqtt.Connect){expiry(600), delayed(60)}, func(w *world, _ *device) {
			w.dial(mqtt.V5).connectWith("pump", clean)
		}, 0},
		"begun anew": {[]func(*mqtt.Connect){expiry(600), delayed(60)}, func(w *world, d *device) {
			d.hangUp()
			w.dial(mqtt.V5).connectWith("pump", clean)
		}, 0},
		"session deleted": {[]func(*mqtt.Connect){expiry(600), delayed(60)}, func(w *world, d *device) {
			d.hangUp()
			if err := w.server.Disconnect(w.t.Context(), "pump", false, true); err != nil {
				t.Error(err)
			}
		}, 0},
		"session deleted without will": {[]func(*mqtt.Connect){expiry(600), delayed(60)}, func(w *world, d *device) {
			d.hangUp()
			if err := w.server.Disconnect(w.t.Context(), "pump", true, true); err != nil {
				t.Error(err)
			}
		}, -1},
		"policy changed meanwhile": {[]func(*mqtt.Connect){expiry(600), delayed(60)}, func(w *world, d *device) {
			d.hangUp()
			w.policy(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Receive","Resource":"*"}]}`)
		}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			inStoredWorld(t, &logtest.Log{}, func(w *world) {
				watcher := w.dial(mqtt.V5).connect("watcher", func(p *mqtt.Connect) { p.KeepAlive = 1200 }).send(subscribeTo(1, "gone"))
				d := w.dial(mqtt.V5)
				d.connectWith("pump", tt.connect...)
				tt.end(w, d)
				synctest.Wait()
				if tt.after > 0 {
					time.Sleep(tt.after - time.Millisecond)
				}
				early := watcher.publishes()
				if tt.after == 0 {
					if diff := cmp.Diff([]string{published}, early); diff != "" {
						t.Errorf("at once (-want +got):\n%s", diff)
					}
					return
				} else if early != nil {
					t.Errorf("too early: %q", early)
				}
				time.Sleep(time.Millisecond)
				var want []string
				if tt.after > 0 {
					want = []string{published}
				} else {
					time.Sleep(10 * time.Minute)
				}
				if diff := cmp.Diff(want, watcher.publishes()); diff != "" {
					t.Errorf("in time (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestWillSurvives: a will that waits, and that of a connection that the server lost in a crash, are
// published by the next run. Source: mqtt sheet 9.
func TestWillSurvives(t *testing.T) {
	for name, hangUp := range map[string]bool{"waiting": true, "connected": false} {
		t.Run(name, func(t *testing.T) {
			log := &logtest.Log{}
			inStoredWorld(t, log, func(w *world) {
				d := w.dial(mqtt.V5)
				d.connectWith("pump", expiry(600), delayed(60))
				if hangUp {
					d.hangUp()
					time.Sleep(20 * time.Second)
				}
				log.Hold() // what follows did not happen
			})
			log.Crash()
			inStoredWorld(t, log, func(w *world) {
				watcher := w.dial(mqtt.V5).connect("watcher", func(p *mqtt.Connect) { p.KeepAlive = 1200 }).send(subscribeTo(1, "gone"))
				if err := w.server.cfg.Broker.Restore(); err != nil {
					t.Fatal(err)
				}
				w.server.PublishLostWills()
				// The clock of a new bubble begins at the same time as that of the last one.
				time.Sleep(time.Minute - time.Millisecond)
				if got := watcher.publishes(); got != nil {
					t.Errorf("too early: %q", got)
				}
				time.Sleep(21 * time.Second)
				if diff := cmp.Diff([]string{"gone pump 1 retain=false expiry=100"}, watcher.publishes()); diff != "" {
					t.Errorf("in time (-want +got):\n%s", diff)
				}
			})
		})
	}
}
