package mqttconn

import (
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/gateway/websocket"
)

// A Rest is what is left to do for a connection after [Server.Serve] returned; nil is nothing, the
// connection has ended. Call it in a goroutine that has done nothing else, and what it returns again.
//
// A goroutine keeps the stack that it once needed: 8 KiB for a CONNECT or a message, where waiting for
// the next one needs half of it.
type Rest func() Rest

// restAfter is how long a client is silent before its connection rests.
const restAfter = 5 * time.Second

// Rests is how often connections have come to rest since the start: each of them gave back memory.
func (s *Server) Rests() uint64 { return s.rests.Load() }

// carry carries an open session until the connection ends or rests.
func (k *conn) carry() Rest {
	if e := k.run(); e != nil {
		k.leave(*e)
		return nil
	}
	k.server.rests.Add(1)
	k.in.rest()
	k.nc.SetReadDeadline(time.Time{})
	if k.over.Load() != nil {
		k.nc.SetReadDeadline(time.Unix(1, 0)) // end was faster
	}
	return k.rest
}

// rest waits until the client sends something, or the connection is to end. It calls no more than it
// must, for the sake of the stack.
func (k *conn) rest() Rest {
	k.resting.Store(true)
	_ = k.socket.WaitRead() // reading will fail in the same way
	k.resting.Store(false)
	return k.wake()
}

// wake goes on after a rest.
func (k *conn) wake() Rest {
	k.server.deadlines.advance(k, k.server.cfg.Now().Add(restAfter))
	return k.carry()
}

// mayRest tells whether the connection can be interrupted while it reads. A WebSocket can't: a deadline
// inside of a control frame breaks it.
func (k *conn) mayRest() bool {
	_, framed := k.nc.(*websocket.Conn)
	return k.socket != nil && !framed
}

// sendToRest wakes the goroutine of a client that has been silent for a while, so that a fresh one goes
// on. It returns when to look at the connection again, which is next at the latest.
func (k *conn) sendToRest(now, next time.Time) time.Time {
	if !k.mayRest() || k.resting.Load() {
		return next
	}
	at := time.Unix(0, k.lastHeard.Load()).Add(restAfter)
	if !at.After(now) {
		k.nc.SetReadDeadline(time.Unix(1, 0)) // the only one of an open session that is not its end
		at = now.Add(restAfter)
	}
	if at.Before(next) {
		return at
	}
	return next
}
