//go:build linux

package faults

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
	"github.com/gatehouse-iot/gatehouse/test/thinmqtt"
)

// The server is killed twice. Whoever follows the presence events takes none of those that come then
// for older than those before: versionNumber grows for every client ID. Source: mqtt sheet 17.3.
func TestVersionNumbersOverKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	last := map[string]int64{}
	var d device
	for run := range 3 {
		gw := gatehouseproc.StartIn(t, dir)
		if run == 0 {
			d = addDevice(t, gw, "number")
		}
		watcher := connectTo(t, gw, d, thinmqtt.Options{ClientID: "watcher"})
		if err := watcher.Subscribe(1, nil, "$aws/events/presence/connected/+"); err != nil {
			t.Fatal(err)
		}
		watcher.SetReadDeadline(time.Now().Add(stalled))
		for id, keep := range map[string]bool{"session": true, "other": false} {
			c := connectTo(t, gw, d, thinmqtt.Options{ClientID: id, Version: mqtt.V5, Keep: keep})
			p, err := watcher.Next()
			m, ok := p.(*mqtt.Publish)
			if err != nil || !ok {
				t.Fatalf("run %d: the watcher got %+v, %v", run, p, err)
			}
			var e struct {
				ClientID      string `json:"clientId"`
				VersionNumber int64  `json:"versionNumber"`
			}
			if err := errors.Join(json.Unmarshal(m.Payload, &e), watcher.Ack(m.PacketID)); err != nil || e.ClientID != id {
				t.Fatalf("run %d: %s, %v, want an event of %s", run, m.Payload, err, id)
			}
			if before, known := last[id]; e.VersionNumber <= before && known || !known && e.VersionNumber != 0 {
				t.Errorf("run %d: %s has the number %d after %d", run, id, e.VersionNumber, before)
			}
			last[id] = e.VersionNumber
			if err := c.Leave(); err != nil {
				t.Fatal(err)
			}
		}
		gw.Kill()
	}
}
