package attempt

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

const (
	loopLeast       = 3           // repetitions that make a loop
	takeoverWindow  = time.Minute // take-overs of one client ID within it belong together
	takeoverClients = 4096        // client IDs that are watched
)

// takeovers watches client IDs that change hands. PROBLEMS group F: two devices
// with one client ID throw each other out for ever, and neither is told.
type takeovers struct {
	mu      *sync.Mutex
	clients lru[string, *takeover]
}

type takeover struct {
	first, last time.Time
	count       int
	elsewhere   bool // at least one came from another address or principal
}

func newTakeovers() takeovers {
	return takeovers{mu: new(sync.Mutex), clients: newLRU[string, *takeover](takeoverClients)}
}

// note counts one take-over; rec is the connection that lost, ev says who won.
// It returns a check once they are a loop.
func (t takeovers) note(rec Record, ev []Field) (*check.Check, []Field) {
	now := rec.Last
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.clients.get(rec.ClientID)
	if !ok || now.Sub(c.last) > takeoverWindow {
		c = &takeover{first: now}
		t.clients.put(rec.ClientID, c)
	}
	c.last = now
	c.count++
	other := Fields(ev)
	if ip := other.Get("other_source_ip"); ip != "" && ip != rec.Source.Addr().String() {
		c.elsewhere = true
	}
	if p := other.Get("other_principal"); p != "" && p != rec.Principal {
		c.elsewhere = true
	}
	if c.count < loopLeast {
		return nil, nil
	}
	loop := check.SessionTakeoverSelf
	if c.elsewhere {
		loop = check.SessionTakeoverLoop
	}
	return loop, append([]Field{F("count", strconv.Itoa(c.count)), F("period", period(now.Sub(c.first)))}, ev...)
}

// loopOf says whether the identical refusals of a record are a device that
// repeats itself, and with what evidence. PROBLEMS G-01, G-02, H-04.
func loopOf(rec Record, failed *Step) (*check.Check, []Field) {
	if rec.Count < loopLeast || failed == nil {
		return nil, nil
	}
	ev := []Field{F("count", strconv.Itoa(rec.Count)), F("period", period(rec.Last.Sub(rec.Began)))}
	code := failed.Check.Code
	switch {
	case failed.Check == check.LimitPayload || failed.Check == check.LimitPacket:
		return check.LimitPayloadLoop, ev
	case !rec.Has(check.SessionOpened):
		return check.LoopConnectRefused, ev
	case failed.Evidence.Get("filter") != "" || strings.HasPrefix(code, "authz.subscribe"):
		return check.LoopSubscribeDenied, ev
	case failed.Evidence.Get("topic") != "" || strings.HasPrefix(code, "authz.publish"):
		return check.LoopPublishDenied, ev
	}
	return nil, nil
}

// period prints a duration as people say it: "4.2s", "1m20s".
func period(d time.Duration) string {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
