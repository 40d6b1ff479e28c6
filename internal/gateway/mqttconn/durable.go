package mqttconn

import (
	"errors"
	"slices"
	"sync/atomic"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// Answers that mean "this survives a crash" leave when the disk has what they speak of. Meanwhile the
// connection reads on, and all that came in one read waits for the same sync.

// lateAnswers are the answers to the packets of one read that wait for the disk.
type lateAnswers struct {
	before  []byte // encoded answers to earlier packets, which do not overtake and are not overtaken
	pubacks []latePuback
	other   []byte // SUBACK and UNSUBACK, encoded
}

type latePuback struct {
	id   uint16
	code mqtt.ReasonCode
}

// waiting counts the PUBACKs of a connection that wait for the disk.
type waiting struct {
	n    atomic.Int32
	wake chan struct{} // gets a value when n falls
}

// late tells whether an answer has to wait: for the disk, or behind those that do.
func (k *conn) late() bool {
	w := k.work
	return w.stored || len(w.late.pubacks) > 0 || k.unsynced() > 0
}

// answersTo is where SUBACK and UNSUBACK go: a session that outlives the connection has them on disk first.
func (k *conn) answersTo() *[]byte {
	if k.client.Persistent() {
		return &k.work.late.other
	}
	return &k.work.out
}

func (k *conn) unsynced() int {
	if k.waiting == nil {
		return 0
	}
	return int(k.waiting.n.Load())
}

// deferAnswers lets the late answers of the work leave when the disk has what they speak of, and with
// them the answers before them. It tells whether there are any. It asks the log before anything waits
// for a socket: who asks much later could hear of the disk after a failure that it has forgotten.
func (k *conn) deferAnswers() bool {
	w := k.work
	l := &w.late
	if len(l.pubacks) == 0 && len(l.other) == 0 {
		return false
	}
	if k.waiting == nil {
		k.waiting = &waiting{wake: make(chan struct{}, 1)}
	}
	k.waiting.n.Add(int32(len(l.pubacks)))
	a := lateAnswers{slices.Clone(w.out), slices.Clone(l.pubacks), slices.Clone(l.other)}
	w.out, l.pubacks, l.other = w.out[:0], l.pubacks[:0], l.other[:0]
	k.server.cfg.Broker.OnDurable(func(err error) { k.sendLate(a, err) })
	return true
}

// sendLate sends what waited for the disk. If it is not there, MQTT 5 clients are told so, and
// MQTT 3.1.1 clients hear nothing: they send their messages again. It is called from the log.
func (k *conn) sendLate(a lateAnswers, err error) {
	b := a.before
	if err == nil {
		b = append(b, a.other...)
	} else {
		k.at.Warn(check.DeliveryNotStored, attempt.F("error", err.Error()))
	}
	for _, p := range a.pubacks {
		if err != nil && p.code == mqtt.Success {
			p.code = refusedCode(err)
		}
		if k.version == mqtt.V5 || p.code == mqtt.Success {
			b = mqtt.AppendAck(b, k.version, mqtt.TypePuback, p.id, p.code)
		}
	}
	k.waiting.n.Add(int32(-len(a.pubacks)))
	select {
	case k.waiting.wake <- struct{}{}:
	default:
	}
	k.client.Answer(b)
	if err != nil && len(a.other) > 0 { // a SUBSCRIBE without an answer would hang
		k.end(*k.failed("store a subscription", err))
	}
}

// refusedCode answers a message that could not be stored.
func refusedCode(err error) mqtt.ReasonCode {
	if errors.Is(err, messagelog.ErrFull) {
		return mqtt.QuotaExceeded
	}
	return mqtt.UnspecifiedError
}

// awaitDisk stops reading until fewer than maxInflight PUBACKs wait for the disk, or the connection ends.
func (k *conn) awaitDisk() {
	for k.unsynced() >= maxInflight {
		select {
		case <-k.waiting.wake:
		case <-k.stop:
			return
		}
	}
}
