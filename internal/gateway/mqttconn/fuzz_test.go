package mqttconn

import (
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// FuzzServe sends any bytes after a CONNECT, and as a first packet. Whatever comes, the server
// neither panics nor leaks, and whoever was cut off left a record of why.
func FuzzServe(f *testing.F) {
	for _, p := range []mqtt.Packet{
		publishOf("t", "x", 1), publishOf("$aws/rules/r/x", "", 0), subscribeTo(1, "t", "$share/g/+", "#"), &mqtt.Pingreq{},
		&mqtt.Unsubscribe{PacketID: 1, Filters: [][]byte{[]byte("t")}}, &mqtt.Disconnect{}, &mqtt.Puback{PacketID: 1}, &mqtt.Connect{ClientID: []byte("b"), CleanStart: true},
	} {
		for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
			b, err := p.Append(nil, v)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b, v == mqtt.V5, true)
			f.Add(b, v == mqtt.V5, false)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, v5, connected bool) {
		inWorld(t, Config{}, func(w *world) {
			d := w.dial(map[bool]mqtt.Version{false: mqtt.V311, true: mqtt.V5}[v5])
			if connected {
				d.connect("a", willOf("will"))
			}
			d.send(b)
			time.Sleep(time.Minute) // slowed down, or timed out
			if d.ended() && d.codes() == "" {
				t.Error("ended without a reason")
			}
		})
	})
}
