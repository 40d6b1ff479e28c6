package messagelog

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var cmpTimes = cmp.Options{cmpopts.EquateApproxTime(0), cmpopts.EquateEmpty()}

func TestMessageComesBackWhole(t *testing.T) {
	now := time.UnixMilli(time.Now().UnixMilli())
	for name, m := range map[string]Message{
		"small":    {Topic: "a/b", Payload: []byte("p"), Properties: []byte{1, 1}, QoS: 1, Retain: true, Published: now, Expires: now.Add(time.Hour)},
		"large":    {Topic: "a/b", Payload: bytes.Repeat([]byte("x"), 8<<10), QoS: 1, Published: now},
		"boundary": {Topic: "a", Payload: bytes.Repeat([]byte("x"), inlineBytes-1), QoS: 1},
		"beyond":   {Topic: "a", Payload: bytes.Repeat([]byte("x"), inlineBytes), QoS: 1},
		"empty":    {Topic: "a", QoS: 1},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk()
			l := d.open(t)
			q1, q2 := session(t, l, "c1"), session(t, l, "c2")
			seq, err := l.Append(&m, []Reference{{q1, 0}, {q2, MaxFlags}, {q2 + 100, 1}})
			if err != nil {
				t.Fatal(err)
			}
			for _, again := range []bool{false, true} {
				if again {
					mustClose(t, l)
					l = d.open(t)
				}
				for q, flags := range map[QueueID]byte{q1: 0, q2: MaxFlags} {
					got, err := l.Read(q, 0, 10, 1<<20)
					want := []Queued{{Seq: seq, Flags: flags, Message: m}}
					if diff := cmp.Diff(want, got, cmpTimes); diff != "" || err != nil {
						t.Errorf("reopened %t: Read(%d): %v (-want +got):\n%s", again, q, err, diff)
					}
					if got, want := l.Depth(q), (Depth{1, int64(m.size())}); got != want {
						t.Errorf("reopened %t: Depth(%d) = %v, want %v", again, q, got, want)
					}
				}
			}
			l.Remove(q1, seq)
			if u := l.Usage(); u.Messages != 1 || u.References != 1 {
				t.Errorf("one reference removed: %+v, want one message and one reference", u)
			}
			l.Remove(q2, seq, seq, seq+1)
			l.Remove(q2+7, seq)
			if u := l.Usage(); u.Messages != 0 || u.References != 0 || u.Bytes != 0 {
				t.Errorf("all references removed: %+v, want nothing", u)
			}
			mustClose(t, l)
			l = d.open(t)
			defer mustClose(t, l)
			if u := l.Usage(); u.Messages != 0 {
				t.Errorf("removed, reopened: %+v, want nothing", u)
			}
			if next := appendTo(t, l, &m, q1); next == 0 {
				t.Error("Append after all: no position")
			}
		})
	}
}

func TestAppendToNobody(t *testing.T) {
	l := newDisk().open(t)
	defer mustClose(t, l)
	if seq := appendTo(t, l, text("x"), 7); seq != 0 {
		t.Errorf("Append to a queue that does not exist = %d, want 0", seq)
	}
	q := session(t, l, "c")
	appendTo(t, l, text("x"), q, q)
	if got := l.Depth(q).Messages; got != 1 {
		t.Errorf("Append to the same queue twice: %d messages, want 1", got)
	}
}

func TestReadPages(t *testing.T) {
	l := newDisk().open(t)
	defer mustClose(t, l)
	q, other := session(t, l, "c"), session(t, l, "other")
	want := ""
	var seqs []Seq
	for i := range 1000 {
		if i%3 == 0 {
			appendTo(t, l, text("other"), other)
		}
		p := fmt.Sprint(i)
		seqs = append(seqs, appendTo(t, l, text(p), q))
		want += p + " "
	}
	for _, page := range []struct{ messages, bytes int }{{1, 1 << 20}, {7, 1 << 20}, {1000, 1}, {1000, 50}, {5000, 1 << 20}} {
		got := ""
		var after Seq
		for {
			ms, err := l.Read(q, after, page.messages, page.bytes)
			if err != nil {
				t.Fatal(err)
			}
			if len(ms) == 0 {
				break
			}
			size := 0
			for _, m := range ms {
				got += string(m.Payload) + " "
				after = m.Seq
				size += m.size()
			}
			if len(ms) > page.messages || len(ms) > 1 && size > page.bytes {
				t.Fatalf("%+v: a page of %d messages, %d bytes", page, len(ms), size)
			}
		}
		if got != want {
			t.Errorf("%+v: not all messages in order", page)
		}
	}
	l.Remove(q, seqs[1:999]...)
	if got := contents(t, l, q); got != "0 999" {
		t.Errorf("after removal of what is between: %q", got)
	}
}

func TestSessions(t *testing.T) {
	d := newDisk()
	l := d.open(t)
	now := time.Now()
	r := &SessionRecord{
		ClientID: "c1", Protocol: 5, Expiry: time.Hour, Created: now, Disconnected: now, Principal: "cert/1",
		Subscriptions: []Subscription{{Filter: "a/#", QoS: 1, NoLocal: true}, {Filter: "$share/g/b", RetainAsPublished: true}},
		Will:          &Will{Topic: "w", Payload: []byte("gone"), Properties: []byte{1, 1}, QoS: 1, Retain: true, Expiry: time.Minute, Delay: time.Second, Due: now},
		Number:        7,
	}
	if err := l.PutSession(r); err != nil {
		t.Fatal(err)
	}
	first := r.Queue
	appendTo(t, l, text("1"), first)
	if err := l.PutSession(r); err != nil || r.Queue != first {
		t.Errorf("PutSession again: queue %d, %v, want %d", r.Queue, err, first)
	}
	for i := range 600 {
		session(t, l, fmt.Sprintf("d%03d", i))
	}
	mustClose(t, l)
	l = d.open(t)
	defer func() { mustClose(t, l) }()
	n := 0
	for got, err := range l.Sessions() {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 {
			if diff := cmp.Diff(r, got, cmpTimes); diff != "" {
				t.Errorf("session (-want +got):\n%s", diff)
			}
		}
	}
	if n != 601 {
		t.Errorf("%d sessions, want 601", n)
	}
	if got := contents(t, l, first); got != "1" {
		t.Errorf("queue of a resumed session: %q, want 1", got)
	}
	r.Queue = 0
	if err := l.PutSession(r); err != nil || r.Queue <= first {
		t.Errorf("PutSession with a new queue: %d, %v, want one above %d", r.Queue, err, first)
	}
	if u := l.Usage(); u.Messages != 0 {
		t.Errorf("queue replaced: %d messages left", u.Messages)
	}
	if err := l.PutSession(&SessionRecord{ClientID: "c1", Queue: first}); err == nil {
		t.Error("PutSession with a queue that is not its own: no error")
	}
	appendTo(t, l, text("2"), r.Queue)
	for range 2 {
		if err := l.DeleteSession("c1"); err != nil {
			t.Fatal(err)
		}
	}
	if u := l.Usage(); u.Messages != 0 || u.Sessions != 600 {
		t.Errorf("session deleted: %+v, want no messages and 600 sessions", u)
	}
	last := r.Queue
	mustClose(t, l)
	l = d.open(t)
	if q := session(t, l, "new"); q <= last {
		t.Errorf("queue %d was given out again, after %d", q, last)
	}
}

func TestReservedNumbers(t *testing.T) {
	d := newDisk()
	l := d.open(t)
	if n := l.ReservedNumbers(); n != 0 {
		t.Errorf("a new log has reserved the numbers below %d", n)
	}
	for _, n := range []int64{100, 250} {
		if err := l.ReserveNumbers(n); err != nil {
			t.Fatal(err)
		}
		mustClose(t, l)
		l = d.open(t)
		if got := l.ReservedNumbers(); got != n {
			t.Errorf("reopened: the numbers below %d are reserved, want %d", got, n)
		}
	}
	mustClose(t, l)
	if err := l.ReserveNumbers(300); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v, want %v", err, ErrClosed)
	}
}

func TestGroups(t *testing.T) {
	d := newDisk()
	l := d.open(t)
	g1, g2 := Group{"s", "a/b"}, Group{"s", "a"}
	q1, err1 := l.PutGroup(g1)
	q2, err2 := l.PutGroup(g2)
	again, err3 := l.PutGroup(g1)
	if q1 == 0 || q2 == 0 || q1 == q2 || again != q1 || errors.Join(err1, err2, err3) != nil {
		t.Fatalf("PutGroup = %d, %d, again %d, %v", q1, q2, again, errors.Join(err1, err2, err3))
	}
	appendTo(t, l, text("1"), q1, q2)
	mustClose(t, l)
	l = d.open(t)
	defer mustClose(t, l)
	if err := l.DeleteGroup(g1); err != nil {
		t.Fatal(err)
	}
	got := maps.Collect(l.Groups())
	if diff := cmp.Diff(map[Group]QueueID{g2: q2}, got); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	if got := contents(t, l, q1) + "," + contents(t, l, q2); got != ",1" {
		t.Errorf("queues after one group went: %q", got)
	}
}

func TestRetained(t *testing.T) {
	d := newDisk()
	l := d.open(t)
	now := time.UnixMilli(time.Now().UnixMilli())
	put := func(topic, payload string, expires time.Time) {
		t.Helper()
		if err := l.PutRetained(&Message{Topic: topic, Payload: []byte(payload), QoS: 1, Retain: true, Expires: expires}, now); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10 {
		put(fmt.Sprintf("t%d", i), "old", time.Time{})
	}
	put("t3", "newer", time.Time{})
	put("t4", "over", now.Add(-time.Second))
	if err := l.DeleteRetained("t5"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r, err := l.Retained("t3")
		if err != nil || r == nil || string(r.Payload) != "newer" || !r.Retain || r.QoS != 1 || !r.Modified.Equal(now) {
			t.Errorf("Retained(t3) = %+v, %v", r, err)
		}
		for _, topic := range []string{"t4", "t5", "none"} {
			if r, err := l.Retained(topic); r != nil || err != nil {
				t.Errorf("Retained(%s) = %+v, %v, want none", topic, r, err)
			}
		}
		var got []string
		after := ""
		for {
			page, err := l.RetainedPage(after, 3)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range page {
				got = append(got, s.Topic)
				after = s.Topic
				if s.PayloadSize != 3 && s.Topic != "t3" || s.QoS != 1 || !s.Modified.Equal(now) {
					t.Errorf("summary %+v", s)
				}
			}
			if len(page) < 3 {
				break
			}
		}
		if diff := cmp.Diff([]string{"t0", "t1", "t2", "t3", "t6", "t7", "t8", "t9"}, got); diff != "" {
			t.Errorf("topics (-want +got):\n%s", diff)
		}
		if n := l.RetainedCount(); n != 9 {
			t.Errorf("RetainedCount = %d, want 9: the expired one is not swept yet", n)
		}
		mustClose(t, l)
		l = d.open(t)
	}
	mustClose(t, l)
}

func TestExpiredMessagesGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := d.open(t)
		q1, q2 := session(t, l, "c1"), session(t, l, "c2")
		soon := text("soon")
		soon.Expires = time.Now().Add(10 * time.Second)
		late := text("late")
		late.Expires = time.Now().Add(10 * time.Hour)
		appendTo(t, l, soon, q1, q2)
		appendTo(t, l, text("never"), q1)
		appendTo(t, l, late, q1, q2)
		if err := l.PutRetained(soon, time.Now()); err != nil {
			t.Fatal(err)
		}
		if got := contents(t, l, q1); got != "soon never late" {
			t.Errorf("before: %q", got)
		}
		time.Sleep(11 * time.Second)
		if got := contents(t, l, q1) + "," + contents(t, l, q2); got != "never late,late" {
			t.Errorf("expired, not swept: %q", got)
		}
		time.Sleep(50 * time.Second)
		if u := l.Usage(); u.Messages != 2 || u.References != 3 || u.Retained != 0 {
			t.Errorf("swept: %+v, want 2 messages, 3 references, nothing retained", u)
		}
		mustClose(t, l)
		l = d.open(t) // timers start from what is on disk
		time.Sleep(11 * time.Hour)
		if u := l.Usage(); u.Messages != 1 || u.References != 1 {
			t.Errorf("swept after a restart: %+v, want 1 message", u)
		}
		mustClose(t, l)
	})
}

func TestClosed(t *testing.T) {
	l := newDisk().open(t)
	q := session(t, l, "c")
	appendTo(t, l, text("x"), q)
	late := errors.New("not called")
	l.OnDurable(func(err error) { late = err })
	mustClose(t, l)
	if late != nil {
		t.Errorf("OnDurable before Close: %v, want nil by the end of Close", late)
	}
	mustClose(t, l)
	_, appendErr := l.Append(text("x"), []Reference{{Queue: q}})
	_, readErr := l.Read(q, 0, 1, 1)
	_, groupErr := l.PutGroup(Group{"s", "f"})
	_, retainedErr := l.RetainedPage("", 1)
	for name, err := range map[string]error{
		"Append": appendErr, "Read": readErr, "PutGroup": groupErr, "Retained": retainedErr,
		"PutSession": l.PutSession(&SessionRecord{ClientID: "c"}), "OnDurable": durable(l), "DeleteSession": l.DeleteSession("c"),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s of a closed log: %v, want ErrClosed", name, err)
		}
	}
	l.Remove(q, 1)
}
