package broker

import (
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
)

// heapInUse is what is in use after a collection, in bytes.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // what the first one finalized, and the pools' victims
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A million subscriptions come and go, of a kind each: nothing of them stays.
func TestSubscriptionsDoNotGrow(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("takes long")
	}
	b := New(Config{})
	c, _, _ := arrive(b, "c", SessionOptions{})
	other, _, _ := arrive(b, "other", SessionOptions{})
	cycle := func(from, to int) {
		for i := from; i < to; i++ {
			filter := fmt.Sprintf([]string{"a/%d/b", "a/+/%d", "a/%d/#", "$share/g/a/%d/+"}[i%4], i)
			c.Subscribe(filter, Options{QoS: 1})
			if i%16 == 0 { // some are of two, and leave one after the other
				other.Subscribe(filter, Options{})
				other.Unsubscribe(filter)
			}
			c.Unsubscribe(filter)
		}
	}
	cycle(0, 10_000)
	before := heapInUse()
	cycle(10_000, 1_010_000)
	if grown := heapInUse() - before; grown > 256<<10 {
		t.Errorf("a million subscriptions left %d bytes", grown)
	}
	if n := b.Subscriptions(); n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
	for _, c := range []*Client{c, other} {
		leave(b, c)
	}
	b.Close()
}

// A hundred thousand sessions come, are left with a message, and expire: memory and the log's files
// are given back. What is left is compared with what a tenth of them leave, both when the log is
// closed: until then it holds memory of writes and compactions, more or less of it.
func TestSessionsDoNotGrow(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("takes long")
	}
	few, many := sessionsLeave(t, 10_000), sessionsLeave(t, 100_000)
	t.Logf("heap after 10,000 sessions: %d bytes; after 100,000: %d", few, many)
	const bound = 4 << 20
	if many-few > bound {
		t.Errorf("90,000 more sessions left %d more bytes of heap, want at most %d", many-few, bound)
	}
}

// sessionsLeave is how many bytes of heap n sessions leave when they have expired.
func sessionsLeave(t *testing.T, n int) int64 {
	t.Helper()
	before := heapInUse()
	l, err := messagelog.Open(messagelog.Options{
		Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler), MinFree: 1, Durability: messagelog.Durability{Interval: 100 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b := New(Config{Log: l})
	defer b.Close()
	payload := make([]byte, 500)
	most := int64(0)
	for i := range n {
		id := fmt.Sprint("device-", i)
		c, _, r := arrive(b, id, SessionOptions{Expiry: 20 * time.Millisecond})
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		c.Subscribe("to/"+id, Options{QoS: 1})
		leave(b, c)
		publish(b, nil, "to/"+id, &Message{QoS: 1, Payload: payload})
		if i%1000 == 0 {
			most = max(most, l.Usage().DiskBytes)
		}
	}
	for end := time.Now().Add(time.Minute); l.Usage().Sessions > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d sessions did not expire", l.Usage().Sessions)
		}
	}
	u := l.Usage()
	if u.Messages+u.References > 0 || b.Subscriptions() > 0 {
		t.Errorf("left: %d messages, %d references, %d subscriptions", u.Messages, u.References, b.Subscriptions())
	}
	if most = max(most, u.DiskBytes); most > 200<<20 {
		t.Errorf("the log took up to %d bytes", most)
	}
	b.Close()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	left := heapInUse() - before
	runtime.KeepAlive(b)
	runtime.KeepAlive(l)
	return left
}
