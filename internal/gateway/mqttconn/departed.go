package mqttconn

import (
	"encoding/binary"
	"net/netip"
	"slices"
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
// A client has one record, packed, so that a hundred thousand of them are about 15 MB.
type departed struct {
	mu      sync.Mutex
	index   map[string]int32 // guarded by mu: of each client's record, by its ID
	records []departure      // guarded by mu: a ring in order of time; the first one is its root
	free    int32            // guarded by mu: the first of the records that are out of use; 0: none
	reasons []string         // guarded by mu: the reasons that were met, which are constants
}

// A departure is a Connection that ended.
type departure struct {
	text      string // client ID, and what packText puts behind it
	at        int64  // Unix time in nanoseconds
	number    int64
	newer     int32 // of those out of use: the next one
	older     int32
	idLen     uint16
	keepAlive uint16 // seconds
	reason    byte   // index in departed.reasons
}

func (r *departure) clientID() string { return r.text[:r.idLen] }

// add remembers how a connection ended, unless a later one of the same client ID did already. Where it
// has to forget others for it before their time, it returns a number that is above theirs; else 0.
func (d *departed) add(c Connection) (above int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i, ok := d.index[c.ClientID]; ok {
		if d.records[i].number > c.number {
			return 0
		}
		d.removeLocked(i)
	}
	at := c.DisconnectedSince.UnixNano()
	for len(d.index) > 0 {
		oldest := d.records[0].newer
		r := &d.records[oldest]
		over := at-r.at > int64(rememberNumber)
		if !over && len(d.index) < maxDeparted {
			break
		}
		if !over {
			above = max(above, r.number+1)
		}
		d.removeLocked(oldest)
	}
	d.insertLocked(departure{
		text: packText(&c), at: at, number: c.number,
		idLen: uint16(len(c.ClientID)), keepAlive: uint16(c.KeepAlive / time.Second), reason: d.reasonLocked(c.DisconnectReason),
	})
	return above
}

// insertLocked puts a record behind the newest one.
func (d *departed) insertLocked(r departure) {
	if d.index == nil {
		d.index, d.records = map[string]int32{}, make([]departure, 1)
	}
	i := d.free
	if i == 0 {
		i = int32(len(d.records))
		d.records = append(d.records, departure{})
	} else {
		d.free = d.records[i].newer
	}
	root := &d.records[0]
	r.older, r.newer = root.older, 0
	d.records[r.older].newer, root.older = i, i
	d.records[i] = r
	d.index[r.clientID()] = i
}

func (d *departed) removeLocked(i int32) {
	r := d.records[i]
	delete(d.index, r.clientID())
	if len(d.index) == 0 { // gives back what many of them took
		d.index, d.records, d.free = nil, nil, 0
		return
	}
	d.records[r.older].newer, d.records[r.newer].older = r.newer, r.older
	d.records[i] = departure{newer: d.free}
	d.free = i
}

func (d *departed) reasonLocked(reason string) byte {
	i := slices.Index(d.reasons, reason)
	if i < 0 {
		i = len(d.reasons)
		d.reasons = append(d.reasons, reason)
	}
	return byte(i)
}

// take forgets a client that is back, and returns the number of its last connection; -1 without one.
func (d *departed) take(clientID string, now time.Time) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, ok := d.index[clientID]
	if !ok {
		return -1
	}
	r := d.records[i]
	d.removeLocked(i)
	if now.UnixNano()-r.at > int64(rememberNumber) {
		return -1
	}
	return r.number
}

// find tells how the last connection of a client ended, if that is not too long ago.
func (d *departed) find(clientID string, now time.Time) (Connection, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i, ok := d.index[clientID]
	if !ok {
		return Connection{}, false
	}
	r := &d.records[i]
	if now.UnixNano()-r.at > int64(rememberEnding) {
		return Connection{}, false
	}
	c := Connection{
		ClientID: r.clientID(), KeepAlive: time.Duration(r.keepAlive) * time.Second,
		DisconnectedSince: time.Unix(0, r.at), DisconnectReason: d.reasons[r.reason], number: r.number,
	}
	unpackText(r.text[r.idLen:], &c)
	return c, true
}

// packText returns the client ID; the thing name behind 1 + its length, which is 0 of a thing that is
// named like the client; the source behind its length; and the target.
func packText(c *Connection) string {
	b := make([]byte, 0, 256)
	b = append(b, c.ClientID...)
	if c.ThingName == c.ClientID {
		b = binary.AppendUvarint(b, 0)
	} else {
		b = binary.AppendUvarint(b, 1+uint64(len(c.ThingName)))
		b = append(b, c.ThingName...)
	}
	source, _ := c.Source.MarshalBinary() // never fails
	b = binary.AppendUvarint(b, uint64(len(source)))
	b = append(b, source...)
	target, _ := c.Target.MarshalBinary()
	return string(append(b, target...))
}

// unpackText reads what packText put behind the client ID.
func unpackText(text string, c *Connection) {
	b := []byte(text)
	take := func(n uint64) (part []byte) {
		part, b = b[:n], b[n:]
		return part
	}
	length := func() uint64 {
		n, size := binary.Uvarint(b)
		b = b[size:]
		return n
	}
	c.ThingName = c.ClientID
	if n := length(); n > 0 {
		c.ThingName = string(take(n - 1))
	}
	c.Source = unpackAddress(take(length()))
	c.Target = unpackAddress(b)
}

func unpackAddress(b []byte) (a netip.AddrPort) {
	_ = a.UnmarshalBinary(b) // MarshalBinary wrote it
	return a
}
