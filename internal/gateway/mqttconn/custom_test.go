package mqttconn

import (
	"net"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// TestRenewed: a failed refresh ends the connection with AUTH_ERROR, a good one
// leaves it alone. Source: custom-auth sheet 8.
func TestRenewed(t *testing.T) {
	for name, tt := range map[string]struct {
		outcome attempt.Outcome
		ends    bool
		records []string
	}{
		"confirmed": {attempt.Passed, false, []string{"authorizer.refreshed"}},
		"rejected":  {attempt.Failed, true, []string{"authorizer.rejected"}},
	} {
		t.Run(name, func(t *testing.T) {
			device, nc := net.Pipe()
			defer device.Close()
			defer nc.Close()
			attempts := attempt.NewRecorder(attempt.Config{})
			defer attempts.Close()
			at := attempts.Begin(attempt.DoorALPN, nc.RemoteAddr(), nc.LocalAddr())
			k := &conn{
				server: &Server{cfg: Config{Now: time.Now, Goodbye: time.Second}}, nc: nc, at: at, stop: make(chan struct{}),
				login: &identity.Login{Authorizer: registry.Authorizer{Name: "a"}},
			}
			k.renewed(identity.Renewal{After: 5 * time.Minute, Login: &identity.Login{
				Ladder: []identity.Rung{{Check: check.AuthorizerRejected, Outcome: tt.outcome}},
			}})
			e := k.over.Load()
			if (e != nil) != tt.ends {
				t.Fatalf("the connection ends: %v, want %v", e, tt.ends)
			}
			if tt.ends && (e.check != check.AuthorizerRefreshFailed || e.reason != authError || e.code != mqtt.NotAuthorized || e.noWill) {
				t.Errorf("it ends by %v, %s, %#x", e.check, e.reason, e.code)
			}
			rec, ok, err := attempts.Get(t.Context(), at.ID())
			if !ok || err != nil {
				t.Fatal("no record", err)
			}
			var codes []string
			for _, s := range rec.Steps {
				codes = append(codes, s.Check.Code)
			}
			if len(codes) != 1 || codes[0] != tt.records[0] {
				t.Errorf("recorded %v, want %v", codes, tt.records)
			}
		})
	}
}
