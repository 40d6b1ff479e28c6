package rawmqtt

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
)

// maxKept bounds what is kept of a peer's bytes.
const maxKept = 64 << 10

// recordAlert is the TLS content type of alerts that are not hidden by TLS 1.3.
const recordAlert = 21

// tap is the TCP connection under TLS. It notes how TCP ended and reads the
// record headers that go by, because crypto/tls tells neither a FIN from a
// close_notify nor a plaintext alert from an encrypted one.
type tap struct {
	net.Conn
	eof   bool // FIN was read
	reset bool // RST was read

	head    []byte // the first bytes of the connection, up to maxHead
	record  []byte // header of the record under way, then up to two bytes of its body
	body    int    // bytes of its body still to come
	records []record
	count   int // of all records, also those that are no longer kept
}

// record is one TLS record that was read.
type record struct {
	kind   byte
	length int
	start  [2]byte
}

const maxHead = 512

// Read notes how reading ended.
func (t *tap) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	if room := maxHead - len(t.head); room > 0 {
		t.head = append(t.head, b[:min(n, room)]...)
	}
	t.follow(b[:n])
	switch {
	case errors.Is(err, io.EOF):
		t.eof = true
	case errors.Is(err, syscall.ECONNRESET):
		t.reset = true
	}
	return n, err
}

// follow splits what was read into records.
func (t *tap) follow(b []byte) {
	for len(b) > 0 {
		if len(t.record) < 5 {
			n := min(5-len(t.record), len(b))
			t.record, b = append(t.record, b[:n]...), b[n:]
			if len(t.record) == 5 {
				t.body = int(t.record[3])<<8 | int(t.record[4])
				t.add()
			}
			continue
		}
		n := min(t.body, len(b))
		for i := 0; i < n && len(t.record) < 7; i++ {
			t.record = append(t.record, b[i])
			t.records[len(t.records)-1].start[len(t.record)-6] = b[i]
		}
		t.body, b = t.body-n, b[n:]
		if t.body == 0 {
			t.record = t.record[:0]
		}
	}
}

func (t *tap) add() {
	t.count++
	if len(t.records) == 64 { // the last ones matter
		t.records = append(t.records[:0], t.records[1:]...)
	}
	t.records = append(t.records, record{kind: t.record[0], length: t.body})
	if t.body == 0 {
		t.record = t.record[:0]
	}
}

// since writes the records that came after the first n, as far as they are kept.
func (t *tap) since(n int) string {
	var list []string
	for _, r := range t.records[max(0, len(t.records)-(t.count-n)):] {
		list = append(list, fmt.Sprintf("%d:%d", r.kind, r.length))
	}
	return strings.Join(list, ", ")
}

// lastAlert tells whether the last record was an alert in plain text, and its
// level if it was.
func (t *tap) lastAlert() (level uint8, encrypted bool) {
	if n := len(t.records); n > 0 {
		if r := t.records[n-1]; r.kind == recordAlert && r.length == 2 {
			return r.start[0], false
		}
	}
	return 0, true
}

// plainAlert sets end to the TLS alert that a peer sent to a client which does
// not speak TLS.
func (t *tap) plainAlert(end *End) bool {
	for _, r := range t.records {
		if r.kind == recordAlert && r.length == 2 && len(t.head) > 1 && t.head[0] == recordAlert && t.head[1] == 3 {
			end.Kind, end.Alert, end.Level = Alert, r.start[1], r.start[0]
			return true
		}
	}
	return false
}

// first returns the first bytes that the peer sent.
func (t *tap) first() []byte { return append([]byte{}, t.head...) }
