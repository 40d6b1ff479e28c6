package mqttconn

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/observe"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// TestPings: a ping that is answered is told as a success, one whose answer finds the connection
// closed as a failure. Source: logs sheet 3.2, 3.3; metrics sheet 1.1.
func TestPings(t *testing.T) {
	log := &eventLog{kind: observe.Ping}
	hub := observe.New(log)
	inWorld(t, Config{Limits: OpenLimits, Observe: hub}, func(w *world) {
		d := w.dial(mqtt.V311)
		d.connect("c")
		d.send(&mqtt.Pingreq{})
		synctest.Wait()
		resume := d.stall()
		d.send(&mqtt.Pingreq{}) // the device reads already
		synctest.Wait()
		d.send(&mqtt.Pingreq{})
		d.hangUp()
		resume()
	})
	want := []string{"c   <nil>  trace=true", "c   <nil>  trace=true", "c   session.connection_lost CONNECTION_ALREADY_CLOSED trace=true"}
	if diff := cmp.Diff(want, log.entries); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for outcome, want := range map[observe.Outcome]uint64{observe.Success: 2, observe.ClientError: 1} {
		if n := hub.Count(observe.MQTT, observe.Ping, outcome); n != want {
			t.Errorf("outcome %d: %d pings, want %d", outcome, n, want)
		}
	}
	if n := hub.Tallies().Pings.Within[0]; n != 2 {
		t.Errorf("%d pings took no time, want 2", n)
	}
}
