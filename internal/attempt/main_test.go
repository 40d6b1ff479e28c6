package attempt

import (
	"flag"
	"net"
	"testing"

	"go.uber.org/goleak"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func addr(s string) net.Addr {
	a, err := net.ResolveTCPAddr("tcp", s)
	if err != nil {
		panic(err)
	}
	return a
}

// recorder is one with everything in memory, closed at the end of the test.
func recorder(t *testing.T, cfg Config) *Recorder {
	t.Helper()
	r := NewRecorder(cfg)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// refuse is a whole attempt that is refused by c.
func refuse(r *Recorder, from, clientID string, c *check.Check, ev ...Field) *Attempt {
	a := r.Begin(DoorMQTT, addr(from), addr("192.0.2.1:8883"))
	a.Pass(check.TCPAccepted)
	a.SetClientID(clientID)
	a.Fail(c, ev...)
	a.End()
	return a
}
