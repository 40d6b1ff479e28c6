package mqttconn

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/internal/messagelog/logtest"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// TestDepartedBound: the longest gone is forgotten first, and how high its number was is told.
func TestDepartedBound(t *testing.T) {
	var d departed
	now := time.Now()
	gone := func(i int, number int64, after time.Duration) int64 {
		return d.add(Connection{ClientID: strconv.Itoa(i), number: number, DisconnectedSince: now.Add(after)})
	}
	for i := range maxDeparted {
		if above := gone(i, 5, time.Duration(i)); above != 0 {
			t.Fatalf("client %d: numbers below %d are forgotten", i, above)
		}
	}
	if above := gone(maxDeparted, 0, time.Minute); above != 6 {
		t.Errorf("one too many: numbers below %d are forgotten, want 6", above)
	}
	if n := d.take("0", now.Add(time.Minute)); n != -1 {
		t.Errorf("the longest gone has the number %d", n)
	}
	if n := d.take("1", now.Add(time.Minute)); n != 5 {
		t.Errorf("the next one has the number %d, want 5", n)
	}
	if above := gone(maxDeparted+1, 0, 2*time.Hour); above != 0 {
		t.Errorf("after two hours: numbers below %d are forgotten", above)
	}
	if len(d.index) != 1 {
		t.Errorf("%d clients are remembered after two hours, want 1", len(d.index))
	}
}

// TestVersionNumberOverRestart: after a restart the events of a client ID do not look older than
// those before it. Source: mqtt sheet 17.3.
func TestVersionNumberOverRestart(t *testing.T) {
	l := &logtest.Log{}
	for _, number := range []string{`"versionNumber":0}`, `"versionNumber":100}`} {
		b := broker.New(broker.Config{Log: l})
		inWorld(t, Config{Limits: OpenLimits, Broker: b}, func(w *world) {
			if err := b.Restore(); err != nil {
				t.Fatal(err)
			}
			watcher := w.watch()
			for _, id := range []string{"session", "other"} {
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
