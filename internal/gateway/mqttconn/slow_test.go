package mqttconn

import (
	"net"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// TestByteASecond: a packet that never becomes whole keeps no connection alive. The device is cut one
// and a half keep-alives after its last whole packet, inside of the PUBLISH. Source: mqtt sheet 14.
func TestByteASecond(t *testing.T) {
	for name, version := range map[string]mqtt.Version{"MQTT 3.1.1": mqtt.V311, "MQTT 5": mqtt.V5} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, Config{}, func(w *world) {
				d := w.dial(version).connect("drip", func(p *mqtt.Connect) { p.KeepAlive = 60 })
				time.Sleep(20 * time.Second)
				d.send([]byte{0xC0, 0}) // PINGREQ, the last whole packet
				began := time.Now()
				packet, err := publishOf("a/b", string(make([]byte, 1000)), 1).Append(nil, version)
				if err != nil {
					t.Fatal(err)
				}
				for _, b := range packet {
					if d.send([]byte{b}); d.ended() {
						break
					}
					time.Sleep(time.Second)
				}
				if took := time.Since(began); took < 90*time.Second || took > 95*time.Second {
					t.Errorf("cut after %v, want 90 s", took)
				}
				if got := d.codes(); got != "failed session.keepalive_expired, MQTT_KEEP_ALIVE_TIMEOUT" {
					t.Errorf("recorded %s", got)
				}
				if got := d.evidence("session.keepalive_expired", "last_packet"); got[:8] != "PINGREQ," {
					t.Errorf("the last packet is %q, want PINGREQ", got)
				}
			})
		})
	}
}

// answering is a connection whose reads answer before they read on, as a WebSocket does to a Ping, and
// TLS to a new key.
type answering struct{ net.Conn }

func (a answering) Read(p []byte) (int, error) {
	if _, err := a.Write([]byte{0x8A, 0}); err != nil {
		return 0, err
	}
	return a.Conn.Read(p)
}

// TestFirstPacketWithoutReading: a device that reads none of the answers does not keep its connection
// longer for it than the time for the CONNECT.
func TestFirstPacketWithoutReading(t *testing.T) {
	inWorld(t, Config{}, func(w *world) {
		began := time.Now()
		d := w.dial(mqtt.V311, dialOptions{ip: "203.0.113.20", principal: principal, noReading: true, wrap: func(nc net.Conn) net.Conn { return answering{nc} }})
		<-d.done
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("kept for %v", took)
		}
		if got := d.codes(); got != "failed connect.timeout, CLIENT_ERROR" {
			t.Errorf("recorded %s", got)
		}
	})
}
