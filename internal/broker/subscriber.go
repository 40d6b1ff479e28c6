package broker

import "sync"

// A subscriber holds subscriptions: a [Client] whose session ends with its connection, or a
// [Session] that outlives its connections.
type subscriber struct {
	broker  *Broker
	serial  uint64
	client  *Client  // nil if it is a session
	session *Session // nil if it is a client

	mu   sync.Mutex
	subs map[string]*subscription // guarded by mu; nil until the first one
	gone bool                     // guarded by mu: no subscription may be added any more
}

func (u *subscriber) subscribe(filter string, o Options) (added, changed bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.gone {
		return false, false
	}
	if s := u.subs[filter]; s != nil {
		if s.options == o {
			return false, false
		}
		u.broker.index.change(s, o)
		return false, true
	}
	if u.subs == nil {
		u.subs = make(map[string]*subscription, 1)
	}
	u.subs[filter] = u.broker.index.add(u, filter, o)
	return true, true
}

func (u *subscriber) unsubscribe(filter string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := u.subs[filter]
	if s == nil {
		return false
	}
	delete(u.subs, filter)
	u.broker.index.remove(s)
	return true
}

func (u *subscriber) unsubscribeAll() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.gone = true
	for _, s := range u.subs {
		u.broker.index.remove(s)
	}
	u.subs = nil
}

func (u *subscriber) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.subs)
}

func (u *subscriber) has(filter string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.subs[filter] != nil
}

// list returns a copy of the subscriptions.
func (u *subscriber) list() map[string]Options {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := make(map[string]Options, len(u.subs))
	for filter, s := range u.subs {
		all[filter] = s.options
	}
	return all
}
