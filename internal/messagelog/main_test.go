package messagelog

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A disk holds one log, which the tests of the interface open, close and let crash. Another form of
// the log needs no more than another disk to run them.
type disk struct {
	fs *vfs.MemFS
	o  Options
}

func newDisk() *disk { return &disk{fs: vfs.NewCrashableMem()} }

// open opens the log on d.
func (d *disk) open(t rapid.TB) Log {
	t.Helper()
	o := d.o
	o.Dir = "/log"
	o.Log = slog.New(slog.DiscardHandler)
	if o.fs == nil {
		o.fs = d.fs
	}
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// durable waits until all that l was given is on disk.
func durable(l Log) error {
	done := make(chan error, 1)
	l.OnDurable(func(err error) { done <- err })
	return <-done
}

func mustDurable(t testing.TB, l Log) {
	t.Helper()
	if err := durable(l); err != nil {
		t.Fatalf("not durable: %v", err)
	}
}

func mustClose(t testing.TB, l Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// session stores a session and returns its queue.
func session(t testing.TB, l Log, clientID string) QueueID {
	t.Helper()
	r := &SessionRecord{ClientID: clientID, Protocol: 4, Expiry: time.Hour}
	if err := l.PutSession(r); err != nil {
		t.Fatalf("PutSession(%s): %v", clientID, err)
	}
	return r.Queue
}

func appendTo(t testing.TB, l Log, m *Message, queues ...QueueID) Seq {
	t.Helper()
	to := make([]Reference, len(queues))
	for i, q := range queues {
		to[i].Queue = q
	}
	seq, err := l.Append(m, to)
	if err != nil {
		t.Fatalf("Append: %v", err)
	}
	return seq
}

func text(payload string) *Message {
	return &Message{Topic: "t", Payload: []byte(payload), QoS: 1}
}

// contents are the payloads of a queue, with spaces between.
func contents(t testing.TB, l Log, q QueueID) string {
	t.Helper()
	ms, err := l.Read(q, 0, 1<<20, 1<<30)
	if err != nil {
		t.Fatalf("Read(%d): %v", q, err)
	}
	var all []string
	for _, m := range ms {
		all = append(all, string(m.Payload))
	}
	return strings.Join(all, " ")
}
