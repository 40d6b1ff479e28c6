package broker

import "time"

// A Directed is what became of a message to one client.
type Directed int

// What can become of it.
const (
	DirectSent     Directed = iota
	DirectDenied            // iot:Receive is not allowed
	DirectTooLarge          // above the Maximum Packet Size that the client announced
	DirectBusy              // the client takes no more at the moment
)

// SendDirect sends m on topic to c alone, whether it subscribed or not, and does not wait. At QoS 1
// acked is closed when the client acknowledges; its session does not keep the message. Source: mqtt sheet 18.
func (c *Client) SendDirect(topic string, m *Message, now time.Time, acked chan struct{}) Directed {
	if !c.peer.MayReceive(topic) {
		return DirectDenied
	}
	var f frame
	f.encode(m, topic, c.v5, false, m.QoS, now)
	if len(f.data) > c.maxPacket {
		return DirectTooLarge
	}
	o := &c.out
	o.mu.Lock()
	switch {
	case o.closed:
		o.mu.Unlock()
		return DirectBusy
	case f.id == 0:
		if !o.hasRoomLocked(len(f.data)) || !c.peer.MaySend(now) {
			o.mu.Unlock()
			return DirectBusy
		}
		o.appendLocked(f.data)
		c.peer.Sent(topic, f.trace, now, 1)
	default:
		if !c.passLocked(&f, now, 0) {
			o.mu.Unlock()
			return DirectBusy
		}
		c.window.tell(c.window.next, acked)
	}
	o.mu.Unlock()
	o.flush(byItself)
	return DirectSent
}

// tell makes the window close acked when id is acknowledged.
func (w *window) tell(id uint16, acked chan struct{}) {
	if w.confirm == nil {
		w.confirm = map[uint16]chan struct{}{}
	}
	w.confirm[id] = acked
}

// confirmed closes what [window.tell] was given for id.
func (w *window) confirmed(id uint16) {
	if acked := w.confirm[id]; acked != nil {
		close(acked)
		delete(w.confirm, id)
	}
}
