package mqttconn

import (
	"sync"
	"time"
)

const (
	// rememberNumber is how long after its last connection a client ID's numbers count on. Source: mqtt sheet 17.3.
	rememberNumber = time.Hour
	// rememberEnding is how long GetConnection tells how a connection ended. Source: mqtt sheet 18.
	rememberEnding = 30 * time.Minute
	// maxDeparted bounds the client IDs that are remembered; the longest gone is forgotten first.
	maxDeparted = 100_000
)

// departed remembers the clients that were here lately: how their last connection ended, and its number.
type departed struct {
	mu      sync.Mutex
	clients map[string]Connection // guarded by mu
	order   []departure           // guarded by mu: the longest gone first; an entry may be out of date
}

type departure struct {
	clientID string
	at       time.Time
}

// add remembers how a connection ended, unless a later one of the same client ID did already. Where it
// has to forget others for it before their time, it returns a number that is above theirs; else 0.
func (d *departed) add(c Connection) (above int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.clients == nil {
		d.clients = map[string]Connection{}
	}
	if known, ok := d.clients[c.ClientID]; ok && known.number > c.number {
		return 0
	}
	d.clients[c.ClientID] = c
	d.order = append(d.order, departure{c.ClientID, c.DisconnectedSince})
	n := 0
	for n < len(d.order) {
		old := d.order[n]
		over := c.DisconnectedSince.Sub(old.at) > rememberNumber
		if !over && len(d.clients) <= maxDeparted && len(d.order)-n <= 2*maxDeparted {
			break
		}
		if known := d.clients[old.clientID]; known.DisconnectedSince.Equal(old.at) {
			if delete(d.clients, old.clientID); !over {
				above = max(above, known.number+1)
			}
		}
		n++
	}
	if clear(d.order[:n]); n > 0 {
		d.order = d.order[n:]
	}
	return above
}

// take forgets a client that is back, and returns the number of its last connection; -1 without one.
func (d *departed) take(clientID string, now time.Time) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.clients[clientID]
	if !ok {
		return -1
	}
	delete(d.clients, clientID)
	if now.Sub(c.DisconnectedSince) > rememberNumber {
		return -1
	}
	return c.number
}

// find tells how the last connection of a client ended, if that is not too long ago.
func (d *departed) find(clientID string, now time.Time) (Connection, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.clients[clientID]
	if !ok || now.Sub(c.DisconnectedSince) > rememberEnding {
		return Connection{}, false
	}
	return c, true
}
