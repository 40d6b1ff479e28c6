package mqttconn

import (
	"sync"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/broker/gcra"
)

// connectRates meters CONNECTs by client ID. It holds the IDs of the last moments only, and at most
// maxTrackedClientIDs of them: beyond that the rate of the account is what protects the server.
type connectRates struct {
	mu     sync.Mutex
	meters map[string]*gcra.Meter // guarded by mu
	swept  time.Time              // guarded by mu
}

// allow takes one CONNECT of the client ID at now.
func (c *connectRates) allow(r gcra.Rate, id string, now time.Time) bool {
	if r.Every == 0 {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.meters == nil {
		c.meters = make(map[string]*gcra.Meter)
	}
	if now.Sub(c.swept) > 10*time.Second {
		c.swept = now
		for id, m := range c.meters {
			if m.Rested(now) {
				delete(c.meters, id)
			}
		}
	}
	m := c.meters[id]
	if m == nil {
		if len(c.meters) >= maxTrackedClientIDs {
			return true
		}
		m = new(gcra.Meter)
		c.meters[id] = m
	}
	return m.Allow(r, now, 1)
}
