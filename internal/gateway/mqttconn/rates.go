package mqttconn

import (
	"sync"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/broker/gcra"
)

// keyedRates meters events by a key, such as CONNECTs by client ID. It holds the keys of the last
// moments only, and at most maxTracked of them: beyond that the rate of the account is what protects
// the server.
type keyedRates struct {
	mu     sync.Mutex
	meters map[string]*gcra.Meter // guarded by mu
	swept  time.Time              // guarded by mu
}

// allow takes one event of key at now.
func (c *keyedRates) allow(r gcra.Rate, key string, now time.Time) bool {
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
		for key, m := range c.meters {
			if m.Rested(now) {
				delete(c.meters, key)
			}
		}
	}
	m := c.meters[key]
	if m == nil {
		if len(c.meters) >= maxTracked {
			return true
		}
		m = new(gcra.Meter)
		c.meters[key] = m
	}
	return m.Allow(r, now, 1)
}
