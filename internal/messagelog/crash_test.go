package messagelog

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A world is all that a log holds, as the model of it: one that is obviously right.
type world struct {
	Queues   map[QueueID][]item
	Sessions map[string]QueueID
	Groups   map[Group]QueueID
	Retained map[string]string
}

type item struct {
	Seq     Seq
	Flags   byte
	Payload string
}

func newWorld() world {
	return world{map[QueueID][]item{}, map[string]QueueID{}, map[Group]QueueID{}, map[string]string{}}
}

func (w world) clone() world {
	c := world{maps.Clone(w.Queues), maps.Clone(w.Sessions), maps.Clone(w.Groups), maps.Clone(w.Retained)}
	for q, items := range c.Queues {
		c.Queues[q] = slices.Clone(items)
	}
	return c
}

// look reads a whole log.
func look(t *rapid.T, l Log) world {
	w := newWorld()
	for s, err := range l.Sessions() {
		if err != nil {
			t.Fatalf("Sessions: %v", err)
		}
		w.Sessions[s.ClientID] = s.Queue
	}
	w.Groups = maps.Collect(l.Groups())
	summaries, err := l.RetainedPage("", 1000)
	if err != nil {
		t.Fatalf("RetainedPage: %v", err)
	}
	for _, s := range summaries {
		r, err := l.Retained(s.Topic)
		if err != nil || r == nil {
			t.Fatalf("Retained(%s) = %v, %v, but it is listed", s.Topic, r, err)
		}
		w.Retained[s.Topic] = string(r.Payload)
	}
	if n := l.RetainedCount(); n != len(w.Retained) {
		t.Fatalf("RetainedCount = %d, %d are listed", n, len(w.Retained))
	}
	bodies, references := map[Seq]int{}, 0
	var bytes int64
	for _, q := range append(slices.Collect(maps.Values(w.Sessions)), slices.Collect(maps.Values(w.Groups))...) {
		ms, err := l.Read(q, 0, 1<<20, 1<<30)
		if err != nil {
			t.Fatalf("Read(%d): %v", q, err)
		}
		d := Depth{Messages: len(ms)}
		w.Queues[q] = nil
		for _, m := range ms {
			w.Queues[q] = append(w.Queues[q], item{m.Seq, m.Flags, string(m.Payload)})
			d.Bytes += int64(m.size())
			bodies[m.Seq] = m.size()
		}
		references += len(ms)
		if got := l.Depth(q); got != d { // also: no reference without a body
			t.Fatalf("Depth(%d) = %+v, but it holds %+v", q, got, d)
		}
	}
	for _, n := range bodies {
		bytes += int64(n)
	}
	u := l.Usage()
	if u.Messages != len(bodies) || u.References != references || u.Bytes != bytes { // no body without a reference
		t.Fatalf("Usage = %+v, want %d messages, %d references, %d bytes", u, len(bodies), references, bytes)
	}
	return w
}

// TestCrash lets a log do anything, and crash at any point: what comes back is what was there after
// some call, none before the last one that was known to be on disk. So nothing acknowledged is lost,
// no order is broken, and nothing is there that never was.
func TestCrash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDisk()
		if rapid.Bool().Draw(t, "interval") {
			d.o.Durability.Interval = minInterval
		}
		l := d.open(t)
		past := []world{newWorld()} // after each call
		synced := new(atomic.Int64) // index into past: this or a later one must come back
		now := newWorld()
		seen := Seq(0)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		queues := func() []QueueID { return slices.Sorted(maps.Keys(now.Queues)) }
		pick := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "pick") }
		steps := map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				var to []Reference
				for _, q := range queues() {
					if rapid.Bool().Draw(t, "wants") {
						to = append(to, Reference{q, byte(pick(MaxFlags + 1))})
					}
				}
				p := fmt.Sprint("m", len(past))
				if pick(4) == 0 {
					p += string(make([]byte, 3*inlineBytes))
				}
				seq, err := l.Append(text(p), to)
				if err != nil || (seq == 0) != (len(to) == 0) || seq != 0 && seq <= seen {
					t.Fatalf("Append = %d, %v, after %d, to %d queues", seq, err, seen, len(to))
				}
				seen = max(seen, seq)
				for _, r := range to {
					now.Queues[r.Queue] = append(now.Queues[r.Queue], item{seq, r.Flags, p})
				}
			},
			"remove": func(t *rapid.T) {
				for _, q := range queues() {
					if n := len(now.Queues[q]); n > 0 && rapid.Bool().Draw(t, "from") {
						i := 0
						if rapid.Bool().Draw(t, "not the first") {
							i = pick(n)
						}
						l.Remove(q, now.Queues[q][i].Seq)
						now.Queues[q] = slices.Delete(now.Queues[q], i, i+1)
						past = append(past, now.clone())
					}
				}
			},
			"session": func(t *rapid.T) {
				id := fmt.Sprint("c", pick(4))
				r := &SessionRecord{ClientID: id, Queue: now.Sessions[id]}
				if pick(3) == 0 {
					r.Queue = 0
				}
				had := r.Queue
				if err := l.PutSession(r); err != nil {
					t.Fatal(err)
				}
				if had == 0 {
					delete(now.Queues, now.Sessions[id])
					now.Queues[r.Queue] = nil
				}
				now.Sessions[id] = r.Queue
			},
			"end session": func(t *rapid.T) {
				id := fmt.Sprint("c", pick(4))
				if err := l.DeleteSession(id); err != nil {
					t.Fatal(err)
				}
				delete(now.Queues, now.Sessions[id])
				delete(now.Sessions, id)
			},
			"group": func(t *rapid.T) {
				g := Group{"s", fmt.Sprint("f", pick(2))}
				q, err := l.PutGroup(g)
				if err != nil {
					t.Fatal(err)
				}
				now.Groups[g] = q
				now.Queues[q] = slices.Clip(now.Queues[q])
			},
			"end group": func(t *rapid.T) {
				g := Group{"s", fmt.Sprint("f", pick(2))}
				if err := l.DeleteGroup(g); err != nil {
					t.Fatal(err)
				}
				delete(now.Queues, now.Groups[g])
				delete(now.Groups, g)
			},
			"retain": func(t *rapid.T) {
				m := text(fmt.Sprint("r", len(past)))
				m.Topic = fmt.Sprint("t", pick(3))
				if err := l.PutRetained(m, m.Published); err != nil {
					t.Fatal(err)
				}
				now.Retained[m.Topic] = string(m.Payload)
			},
			"end retained": func(t *rapid.T) {
				topic := fmt.Sprint("t", pick(3))
				if err := l.DeleteRetained(topic); err != nil {
					t.Fatal(err)
				}
				delete(now.Retained, topic)
			},
			"durable": func(t *rapid.T) {
				n := int64(len(past) - 1)
				wait := rapid.Bool().Draw(t, "wait")
				done := make(chan error, 1)
				l.OnDurable(func(err error) {
					if err == nil && d.o.Durability.Interval == 0 {
						synced.Store(n)
					}
					done <- err
				})
				if wait {
					if err := <-done; err != nil {
						t.Fatal(err)
					}
				}
			},
			"restart": func(t *rapid.T) {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				l, seen = d.open(t), 0
				synced.Store(int64(len(past) - 1))
				if diff := cmp.Diff(now, look(t, l), cmpTimes); diff != "" {
					t.Fatalf("restart (-want +got):\n%s", diff)
				}
			},
			"crash": func(t *rapid.T) {
				from := synced.Load()
				fs := d.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: pick(101), RNG: rng})
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				d.fs, seen = fs, 0 // positions that were lost are given again
				l = d.open(t)
				got := look(t, l)
				for i := len(past) - 1; i >= int(from); i-- {
					if cmp.Equal(past[i], got, cmpTimes) {
						now = past[i].clone()
						past = []world{now.clone()}
						synced.Store(0)
						return
					}
				}
				t.Fatalf("crash: what came back was never there since the last sync (-then +got):\n%s", cmp.Diff(past[from], got, cmpTimes))
			},
			"look": func(t *rapid.T) {
				if diff := cmp.Diff(now, look(t, l), cmpTimes); diff != "" {
					t.Fatalf("look (-want +got):\n%s", diff)
				}
			},
		}
		for name, step := range steps {
			if name != "crash" && name != "restart" && name != "durable" && name != "look" {
				steps[name] = func(t *rapid.T) { step(t); past = append(past, now.clone()) }
			}
		}
		t.Repeat(steps)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
