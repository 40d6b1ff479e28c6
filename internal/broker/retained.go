package broker

import (
	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
)

// Retain makes m the retained message of topic; one without payload deletes what is there. It does
// not wait for the disk: see [Batch.Stored]. Without a log nothing is kept. An error is that of the
// [messagelog.Log]; the message is not kept then. Source: mqtt sheet 8.
func (b *Broker) Retain(bt *Batch, topic string, m *Message) error {
	if b.cfg.Log == nil {
		return nil
	}
	var err error
	if len(m.Payload) == 0 {
		err = b.cfg.Log.DeleteRetained(topic)
	} else {
		err = b.cfg.Log.PutRetained(&messagelog.Message{
			Topic: topic, Payload: m.Payload, Properties: m.Properties, QoS: m.QoS, Retain: true, Published: bt.Now, Expires: m.Expires,
		}, bt.Now)
	}
	if err == nil {
		bt.stored = true
	}
	return err
}

// Retained returns the retained message of a topic; nil without one.
func (b *Broker) Retained(topic string) (*messagelog.Retained, error) {
	if b.cfg.Log == nil {
		return nil, nil
	}
	return b.cfg.Log.Retained(topic)
}

// RetainedPage lists at most most retained messages with topics behind after, in their order.
func (b *Broker) RetainedPage(after string, most int) ([]messagelog.RetainedSummary, error) {
	if b.cfg.Log == nil {
		return nil, nil
	}
	return b.cfg.Log.RetainedPage(after, most)
}

// RetainedCount counts the retained messages.
func (b *Broker) RetainedCount() int {
	if b.cfg.Log == nil {
		return 0
	}
	return b.cfg.Log.RetainedCount()
}

// SendRetained sends the retained message of a topic, if there is one, to a client that has just
// subscribed to it with the given QoS. An error is that of the [messagelog.Log].
func (b *Broker) SendRetained(bt *Batch, c *Client, topic string, qos byte) error {
	kept, err := b.Retained(topic)
	if kept == nil || err != nil {
		return err
	}
	m := Message{Payload: kept.Payload, QoS: kept.QoS, Retain: true, Properties: kept.Properties, Expires: kept.Expires}
	if !m.Expires.IsZero() && !bt.Now.Before(m.Expires) {
		return nil
	}
	bt.reset()
	rc := &receiver{client: c, session: c.session, options: Options{QoS: qos, RetainAsPublished: true}}
	if !rc.online() || !rc.mayReceive(topic) {
		return nil
	}
	if rc.session != nil && m.QoS > 0 && qos > 0 {
		return b.storeRound(bt, []*receiver{rc}, topic, &m, int64(len(topic)+len(m.Payload)+len(m.Properties)))
	}
	bt.deliver(rc, topic, &m)
	return nil
}
