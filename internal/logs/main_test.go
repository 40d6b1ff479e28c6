package logs

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		ingestForever(dir)
	}
	goleak.VerifyTestMain(m)
}

// open opens a store that is closed with the test.
func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// fleet makes the entries of a fleet of devices as AWS writes them: connects,
// publishes with what each causes, failures here and there.
type fleet struct {
	r       *rand.Rand
	now     int64
	devices []device
	out     [][]byte
}

type device struct {
	client, principal, ip string
	port                  int
}

func newFleet(seed uint64, devices int, now int64) *fleet {
	f := &fleet{r: rand.New(rand.NewPCG(seed, 1)), now: now}
	for i := range devices {
		f.devices = append(f.devices, device{
			client: fmt.Sprintf("boiler-%05d", i), principal: f.hex(64),
			ip: fmt.Sprintf("10.%d.%d.%d", f.r.IntN(4), f.r.IntN(256), f.r.IntN(256)), port: 32768 + f.r.IntN(28000),
		})
	}
	return f
}

func (f *fleet) hex(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdef"[f.r.IntN(16)]
	}
	return string(b)
}

func (f *fleet) uuid() string {
	return f.hex(8) + "-" + f.hex(4) + "-" + f.hex(4) + "-" + f.hex(4) + "-" + f.hex(12)
}

// next returns the time and text of the next entry.
func (f *fleet) next() (int64, []byte) {
	if len(f.out) == 0 {
		f.now += int64(f.r.IntN(3))
		d := &f.devices[f.r.IntN(len(f.devices))]
		trace := f.uuid()
		topic := "site/" + strconv.Itoa(len(d.client)%7) + "/" + d.client + "/" + []string{"state", "telemetry", "alarm"}[min(2, f.r.IntN(12)/5)]
		switch k := f.r.IntN(100); {
		case k < 3:
			d.port = 32768 + f.r.IntN(28000)
			f.entry("INFO", trace, "Success", "Connect", d, "", "")
			f.entry("INFO", trace, "Success", "Subscribe", d, "site/+/"+d.client+"/cmd", "")
		case k < 5:
			f.entry("INFO", trace, "Success", "Disconnect", d, "", `,"disconnectReason":"CLIENT_INITIATED_DISCONNECT"`)
		case k < 7:
			f.entry("ERROR", trace, "Failure", "Publish-In", d, "secret/"+d.client, `,"reason":"AUTHORIZATION_FAILURE","details":"Authorization Failure"`)
		default:
			f.entry("INFO", trace, "Success", "Publish-In", d, topic, "")
			f.entry("INFO", trace, "Success", "RuleMatch", d, topic, `,"ruleName":"Archive"`)
			f.entry("INFO", trace, "Success", "Publish-Out", &f.devices[f.r.IntN(min(20, len(f.devices)))], topic, "")
		}
	}
	e := f.out[0]
	f.out = f.out[1:]
	return f.now, e
}

func (f *fleet) entry(level, trace, status, event string, d *device, topic, more string) {
	b := append([]byte(`{"timestamp":`), appendTimeToken(nil, f.now)...)
	b = fmt.Appendf(b, `,"logLevel":%q,"traceId":%q,"accountId":"123456789012","status":%q,"eventType":%q,"protocol":"MQTT"`, level, trace, status, event)
	if topic != "" {
		b = fmt.Appendf(b, `,"topicName":%q`, topic)
	}
	b = fmt.Appendf(b, `,"clientId":%q,"principalId":%q,"sourceIp":%q,"sourcePort":%d%s}`, d.client, d.principal, d.ip, d.port, more)
	f.out = append(f.out, b)
}

// events returns the next n entries.
func (f *fleet) events(n int) []Event {
	out := make([]Event, n)
	for i := range out {
		ms, text := f.next()
		out[i] = Event{ms, string(text)}
	}
	return out
}
