package broker

import "time"

// A StoredSession is what is known of a session that outlives its connections.
type StoredSession struct {
	Expiry       time.Duration // how long it outlives its connection
	Disconnected time.Time     // zero while it has one
	Principal    string        // who used it last
}

// Stored tells about the session that is kept for a client ID.
func (b *Broker) Stored(id string) (s StoredSession, found bool) {
	sh := b.shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	kept := sh.sessions[id]
	if kept == nil {
		return StoredSession{}, false
	}
	kept.mu.Lock()
	defer kept.mu.Unlock()
	return StoredSession{Expiry: kept.expiry, Disconnected: kept.disconnected, Principal: kept.principal}, true
}

// Filters lists what a client ID is subscribed to, and at which QoS, also while only its session is
// there; found is false without either.
func (b *Broker) Filters(id string) (list map[string]byte, found bool) {
	sh := b.shard(id)
	sh.mu.Lock()
	var u *subscriber
	if c := sh.m[id]; c != nil {
		u = c.subscriber()
	} else if s := sh.sessions[id]; s != nil {
		u = &s.sub
	}
	sh.mu.Unlock()
	if u == nil {
		return nil, false
	}
	list = map[string]byte{}
	for filter, o := range u.list() {
		list[filter] = o.QoS
	}
	return list, true
}

// Subscriptions counts those of all clients and sessions.
func (b *Broker) Subscriptions() int { return int(b.index.subscriptions.Load()) }

// Groups counts the groups of shared subscriptions.
func (b *Broker) Groups() int { return int(b.index.groups.Load()) }

// Members counts the members of the group of a shared filter, $share/{name}/{filter}.
func (b *Broker) Members(shared string) (n int) {
	b.index.lookup(shared, func(g *group) { n = len(g.members) })
	return n
}
