package api

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/http"
	"reflect"
	"time"
)

// An EventStream is an output that goes on: it calls send with the name of an
// event of the model and a pointer to its structure, until it has no more or
// send fails. An *Error that it returns reaches the client as an exception of
// the stream.
type EventStream func(ctx context.Context, send func(event string, payload any) error) error

// eventTime is how long a client may take to accept one event.
const eventTime = 30 * time.Second

// eventWriter frames events. Source: logs sheet 4.2, StartLiveTail.
type eventWriter struct {
	w     http.ResponseWriter
	shape *Shape // its members are the events
}

// send writes one event; the initial response has no payload of its own.
func (es *eventWriter) send(event string, payload any) error {
	body := []byte("{}")
	if payload != nil {
		i := es.shape.bodyMember(event)
		if i < 0 {
			return fmt.Errorf("the model has no event %s", event)
		}
		body = appendStructure(nil, reflect.ValueOf(payload).Elem(), es.shape.Members[i].Shape, true)
	}
	return es.frame(body, ":message-type", "event", ":event-type", event, ":content-type", "application/json")
}

// fail ends the stream with an exception.
func (es *eventWriter) fail(e *Error) {
	body := append(appendQuoted([]byte(`{"message":`), e.Message), '}')
	_ = es.frame(body, ":message-type", "exception", ":exception-type", e.Code, ":content-type", "application/json") // the client may be gone
}

// frame writes one message with headers of pairs of name and value.
func (es *eventWriter) frame(payload []byte, pairs ...string) error {
	var headers []byte
	for i := 0; i < len(pairs); i += 2 {
		headers = append(headers, byte(len(pairs[i])))
		headers = append(headers, pairs[i]...)
		headers = append(headers, 7) // a string
		headers = binary.BigEndian.AppendUint16(headers, uint16(len(pairs[i+1])))
		headers = append(headers, pairs[i+1]...)
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(12+len(headers)+len(payload)+4))
	b = binary.BigEndian.AppendUint32(b, uint32(len(headers)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, headers...), payload...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	rc := http.NewResponseController(es.w)
	_ = rc.SetWriteDeadline(time.Now().Add(eventTime)) // a recorder in a test has none
	if _, err := es.w.Write(b); err != nil {
		return err
	}
	return rc.Flush()
}
