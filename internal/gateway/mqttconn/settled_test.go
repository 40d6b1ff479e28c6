package mqttconn

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
	"github.com/gatehouse-iot/gatehouse/internal/messagelog/logtest"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// TestDisconnectWaitsForTheDisk: DeleteConnection says that a session is gone when a crash can't bring
// it back, also while it has a connection; without the disk it says so.
func TestDisconnectWaitsForTheDisk(t *testing.T) {
	for name, tt := range map[string]struct {
		connected bool
		disk      error
	}{"stored": {}, "connected": {connected: true}, "broken disk": {disk: messagelog.ErrBroken}} {
		t.Run(name, func(t *testing.T) {
			l := &logtest.Log{}
			inStoredWorld(t, l, func(w *world) {
				d := w.dial(mqtt.V5)
				d.connectWith("a", stay)
				if !tt.connected {
					d.send(&mqtt.Disconnect{})
				}
				l.Hold()
				done := make(chan error, 1)
				go func() { done <- w.server.Disconnect(w.t.Context(), "a", false, true) }()
				synctest.Wait()
				select {
				case err := <-done:
					t.Fatalf("answered before the disk: %v", err)
				default:
				}
				l.Sync(tt.disk)
				if err := <-done; !errors.Is(err, tt.disk) {
					t.Errorf("answered %v, want %v", err, tt.disk)
				}
			})
		})
	}
}
