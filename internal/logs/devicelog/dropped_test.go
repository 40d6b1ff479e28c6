package devicelog

import (
	"testing"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
)

// TestDropped: the entry of a message that was dropped says what it would say if its members were not
// shared, whatever was dropped before it, and for whomever.
func TestDropped(t *testing.T) {
	other := who
	other.ClientID, other.TraceID = "boiler-13", "0b8f5c1e"
	sources := []*observe.Request{{Is: who}, {Is: other}}
	out := &sink{}
	l := always(out)
	outcomes := map[*check.Check]observe.Outcome{
		check.AuthzReceive: observe.AuthError, check.LimitPublishRate: observe.Throttle, check.LimitPublishOutRateAccount: observe.Throttle,
		check.DeliveryQueueFull: observe.ClientError, check.DeliveryPacketTooLarge: observe.ClientError, check.DeliveryNotAcked: observe.ClientError,
		check.DeliverySharedQueueFull: observe.Throttle,
	}
	for range 2 {
		for c, outcome := range outcomes {
			for _, topic := range []string{"", "a", "a", "b"} {
				for _, by := range sources {
					out.lines = nil
					l.Log(by, &observe.Event{Kind: observe.PublishOut, Outcome: outcome, Check: c, Topic: topic, Time: at})
					l.Passed(by, observe.Passage{Kind: observe.PublishOut, Outcome: outcome, Check: c, Topic: topic, Time: at})
					if len(out.lines) != 2 || out.lines[0] != out.lines[1] {
						t.Errorf("%s, topic %q: got, want %q", c, topic, out.lines)
					}
				}
			}
		}
	}
}

// TestDroppedNoAllocs: what a receiver that does not read is not sent costs no memory.
func TestDroppedNoAllocs(t *testing.T) {
	l := always(discard{})
	by := &observe.Request{Is: who}
	if n := testing.AllocsPerRun(100, func() {
		l.Passed(by, observe.Passage{Kind: observe.PublishOut, Outcome: observe.ClientError, Check: check.DeliveryQueueFull, Topic: "a", Time: at})
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
