package probe

import (
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/faultserver"
)

// doubtful are faults that a device lives with: the probe warns.
var doubtful = map[string]bool{"slow": true, "cert-cross-signed": true, "tls13-only": true, "publish-late": true}

// TestFaults runs the probe against every fault: the first failed check, or the
// warning, is the one that the fault stands for.
func TestFaults(t *testing.T) {
	s := faults(t)
	for _, fault := range faultserver.Faults() {
		for _, tls12 := range []string{"", "-tls12"} {
			if tls12 != "" && (fault.Check != check.CertRefused && fault.Check != check.ConnectClosed) {
				continue
			}
			t.Run(fault.Name+tls12, func(t *testing.T) {
				t.Parallel()
				d := newDevice(t)
				d.at(t, s, fault.Name+tls12)
				d.opts.ClientID, d.opts.Subscribe, d.opts.Publish = "sensor-1", "sensors/#", "sensors/sensor-1"
				switch fault.Name {
				case "tls13-only":
					d.opts.Version = 0
				case "slow":
					d.opts.Timeout = 2 * time.Second
				case "publish-late":
					d.opts.Timeout = 4 * time.Second
				}
				r := probe(t, d.opts)
				first := r.First()
				switch {
				case doubtful[fault.Name]:
					if first != nil || find(r, Warn, fault.Check) == nil {
						t.Errorf("want the warning %v and no failure; failed: %v", fault.Check, first)
					}
				case fault.Check == nil:
					if first != nil || find(r, Warn, nil) != nil {
						t.Errorf("want neither failure nor warning")
					}
				case first == nil || first.Check != fault.Check:
					t.Errorf("want %v to fail first, got %+v", fault.Check, first)
				}
				checkConnections(t, r)
			})
		}
	}
}

// checkConnections holds the run to what it announced.
func checkConnections(t *testing.T, r Report) {
	t.Helper()
	seen := map[string]bool{}
	for _, c := range r.Facts.Connections {
		if seen[c.Purpose] {
			t.Errorf("announced twice: %s", c.Purpose)
		}
		seen[c.Purpose] = true
	}
	if r.Took > 30*time.Second {
		t.Errorf("took %v", r.Took)
	}
}
