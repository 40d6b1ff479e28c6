package mqttconn

import (
	"sync"

	"github.com/gatehouse-iot/gatehouse/internal/broker"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// work is what handling the packets of one read needs: decoded packets, the answers, and what goes
// to others. It comes from a pool; an idle connection has none.
type work struct {
	batch       *broker.Batch
	out         []byte // answers to the client
	props       []byte // properties to forward, encoded
	topic       []byte // the topic of a publish with a topic alias
	pings       int    // PINGREQs whose answer is still in out
	unacked     int    // QoS 1 publishes whose PUBACK is still in out or late
	late        lateAnswers
	stored      bool // the current packet brought about what must be on disk before it is answered
	publish     mqtt.Publish
	puback      mqtt.Puback
	subscribe   mqtt.Subscribe
	unsubscribe mqtt.Unsubscribe
	disconnect  mqtt.Disconnect
	message     broker.Message
	accepted    accepted // that nobody was told of yet
}

var works = sync.Pool{New: func() any { return new(work) }}

// begin takes the work that the packets of this read need. The clock is read once for all of them.
func (k *conn) begin() {
	now := k.server.cfg.Now()
	k.lastHeard.Store(now.UnixNano())
	k.began = k.in.total
	k.work = works.Get().(*work)
	k.work.batch = broker.NewBatch(now)
}

// flush sends what the packets so far brought about.
func (k *conn) flush() {
	w := k.work
	k.tellAccepted()
	late := k.deferAnswers()
	w.batch.Flush(k.client, w.out)
	w.out, w.unacked = w.out[:0], 0
	for ; w.pings > 0; w.pings-- {
		k.sawPing()
	}
	if late {
		k.client.AwaitRoom()
	}
}

// idle flushes and gives the work back.
func (k *conn) idle() {
	w := k.work
	if w == nil {
		return
	}
	k.flush()
	w.batch.Release()
	w.batch = nil
	w.publish = mqtt.Publish{Props: mqtt.Properties{User: w.publish.Props.User[:0]}} // borrows the read buffer
	w.message = broker.Message{}
	k.work = nil
	works.Put(w)
}
