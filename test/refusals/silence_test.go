package refusals

import (
	"crypto/tls"
	"testing"

	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/rawmqtt"
)

// causesOfSilence are the rows that AWS answers by the same silence on MQTT
// 3.1.1, of the problem sheet's list as far as they are built: right after
// CONNECT, and once connected.
var causesOfSilence = map[string][]string{
	"after CONNECT": {
		"E-01", "E-02", "E-05", "E-11", "E-13", "E-16", "E-17", "E/client-id-assigned", "E-22", "E/will-denied", "E/will-retain", "E/will-topic",
		"E/deny", "E/case", "E/version", "E/condition", "E/rate", "D-22", "C/alpn-mqtt", "D-01/after-connect", "D/not-registered/after-connect", "C-07", "C/https-port",
	},
	"once connected": {
		"G-01", "G-01/qos0", "G-02", "G-04", "G-07/sys", "G-08", "G-11", "G-14", "G-16", "G/deny", "G/topic", "G/filter",
		"H-01", "H-02", "H-04", "H-05", "H-05/subscribe", "H/topic-length", "H/topic-levels", "H/pubrel", "H/malformed", "E/second-connect", "E/cut", "F-05",
	},
}

// TestSilenceTellsNothing shows that no cause of a silent close can be told from
// another by what is on the wire, record by record, while our own records differ.
func TestSilenceTellsNothing(t *testing.T) {
	for when, ids := range causesOfSilence {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(when+", "+tls.VersionName(version), func(t *testing.T) {
				codes := map[string]string{}
				first := ""
				for _, id := range ids {
					row := rowOf(t, id)
					d := row.prepare(t, variant{version, mqtt.V311, ""})
					var end rawmqtt.End
					if row.act == nil {
						end = d.connect(nil)
					} else {
						end = row.act(d)
					}
					got := onWire(end)
					if first == "" {
						first = got
					}
					if got != first {
						t.Errorf("%s (%s) looks like\n%s\nand %s like\n%s", row.id, row.code, got, ids[0], first)
					}
					lead := d.record(row.code).Report.Findings[0].Code
					if lead != row.code {
						t.Errorf("%s is explained by %s, want %s", row.id, lead, row.code)
					}
					codes[lead] = row.id
				}
				if len(codes) < len(ids)*2/3 {
					t.Errorf("%d causes have only %d codes: %v", len(ids), len(codes), codes)
				}
			})
		}
	}
}

// onWire is all that a device can see of an end: the records that the server
// sent after the device's last word, and what TCP did.
func onWire(end rawmqtt.End) string { return end.String() + " " + end.Wire }

func rowOf(t *testing.T, id string) *refusal {
	t.Helper()
	for i := range table {
		if table[i].id == id {
			return &table[i]
		}
	}
	t.Fatalf("no row %s", id)
	return nil
}
