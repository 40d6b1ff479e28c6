package mqttconn

import (
	"strings"
	"testing"

	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/internal/messagelog/logtest"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// TestVersionNumberOverRestart: after a restart the events of a client ID do not look older than
// those before it. Source: mqtt sheet 17.3.
func TestVersionNumberOverRestart(t *testing.T) {
	l := &logtest.Log{}
	for _, want := range []struct{ session, other string }{{`"versionNumber":0}`, `"versionNumber":0}`}, {`"versionNumber":2}`, `"versionNumber":100}`}} {
		b := broker.New(broker.Config{Log: l})
		inWorld(t, Config{Limits: OpenLimits, Broker: b}, func(w *world) {
			if err := b.Restore(); err != nil {
				t.Fatal(err)
			}
			watcher := w.watch()
			for id, number := range map[string]string{"session": want.session, "other": want.other} {
				d := w.dial(mqtt.V311)
				if id == "session" {
					d.connect(id, stay)
				} else {
					d.connect(id)
				}
				d.send(&mqtt.Disconnect{})
				got := watcher.events(nil)
				if len(got) != 2 || !strings.HasSuffix(got[0], number+" 1") || !strings.HasSuffix(got[1], number+" 1") {
					t.Errorf("%s: %q, want %s in both", id, got, number)
				}
			}
			watcher.send(&mqtt.Disconnect{})
			b.Close()
		})
	}
}
