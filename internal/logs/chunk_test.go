package logs

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// condenseNow packs what the active tails hold, however little and new it is.
func condenseNow(s *Store) {
	for _, g := range s.all() {
		g.rest()
		s.sealMu.Lock()
		g.condense(s.encoder, 0)
		s.sealMu.Unlock()
	}
}

// TestChunksChangeNothing is the law of chunks: an event has its text, stream and ID before it is in
// one, in one, after a restart and in a block.
func TestChunksChangeNothing(t *testing.T) {
	dirs, checks := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		checks++
		dir := filepath.Join(dirs, strconv.Itoa(checks))
		reopen := func() *Store {
			s, err := Open(Config{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := reopen()
		defer func() { _ = s.Close() }()
		g, first, err := s.ensure("g", "a", 0)
		if err != nil {
			t.Fatal(err)
		}
		read := func() (out []Record) {
			v, err := s.View("g")
			if err != nil {
				t.Fatal(err)
			}
			page, err := v.Read(t.Context(), Read{From: NoStart, To: NoEnd, Limit: 10_000})
			if err != nil {
				t.Fatal(err)
			}
			for i := range page.Records {
				r := &page.Records[i]
				if found, ok, err := v.Find(r.ID); err != nil || !ok || found != *r {
					t.Fatalf("by its ID %v is found %v %+v, %v; want %+v", r.ID, ok, found, err, r)
				}
				r.Ingested = 0
			}
			return page.Records
		}
		shared := []*Members{NewMembers(`"level":"INFO"`), NewMembers(`"clientId":"a"`), NewMembers(`"clientId":"b","port":7`), NewMembers(`"no": 1`)}
		var bodies []*Body
		var want []Record // without their IDs
		now := int64(1000)
		some := func(t *rapid.T) (entries []Entry) {
			for range rapid.IntRange(1, 5).Draw(t, "entries") {
				now++
				e := Entry{Time: now}
				if len(bodies) > 0 && rapid.Bool().Draw(t, "shared body") {
					e.Body = rapid.SampledFrom(bodies).Draw(t, "body")
				} else {
					var members [MaxParts]*Members
					for k := range rapid.IntRange(1, 3).Draw(t, "parts") {
						members[k] = rapid.SampledFrom(shared).Draw(t, "members")
					}
					if rapid.Bool().Draw(t, "own members") {
						members[5] = NewMembers(fmt.Sprintf(`"own":%d`, now))
					}
					e.Body = NewBody(members)
					bodies = append(bodies, e.Body)
				}
				entries = append(entries, e)
			}
			return entries
		}
		actions := map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				stream := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "stream")
				var events []Event
				for _, m := range rapid.SliceOfN(rapid.SampledFrom([]string{"", "text", `{"clientId":"a"}`, `{"clientId":"b","n":17}`, `{"n":{"m":1}}`}), 1, 5).Draw(t, "messages") {
					now++
					events = append(events, Event{now, m})
					want = append(want, Record{Message: m, Stream: stream})
				}
				if err := s.Put("g", stream, events); err != nil {
					t.Fatal(err)
				}
			},
			"entries": func(t *rapid.T) {
				entries := some(t)
				if err := s.writeEntries(g, first, entries); err != nil {
					t.Fatal(err)
				}
				for i := range entries {
					want = append(want, Record{Message: entries[i].String(), Stream: "a"})
				}
			},
			"entries that the disk does not take": func(t *rapid.T) {
				if g.active == nil || g.active.file == nil {
					return
				}
				readOnly, err := os.Open(g.active.path)
				if err != nil {
					t.Fatal(err)
				}
				defer readOnly.Close()
				swap := func(f *os.File) (was *os.File) {
					g.mu.Lock()
					defer g.mu.Unlock()
					was, g.active.file = g.active.file, f
					return was
				}
				journal := swap(readOnly)
				if err := s.writeEntries(g, first, some(t)); err == nil {
					t.Fatal("written to what can only be read")
				}
				swap(journal)
			},
			"condense": func(*rapid.T) { condenseNow(s) },
			"pack": func(t *rapid.T) {
				if err := s.Pack(); err != nil {
					t.Fatal(err)
				}
			},
			"reopen": func(t *rapid.T) {
				before := read()
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = reopen()
				g = s.group("g")
				first = g.byName["a"]
				if diff := cmp.Diff(before, read()); diff != "" {
					t.Fatalf("after a restart (-want +got):\n%s", diff)
				}
			},
			"condense and pack": func(t *rapid.T) {
				before := read()
				condenseNow(s)
				if diff := cmp.Diff(before, read()); diff != "" {
					t.Fatalf("in chunks (-want +got):\n%s", diff)
				}
				if err := s.Pack(); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(before, read()); diff != "" {
					t.Fatalf("in a block (-want +got):\n%s", diff)
				}
			},
		}
		names := slices.Sorted(maps.Keys(actions))
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 1, 15).Draw(t, "actions") { // each syncs: they are few
			actions[name](t)
			got := read()
			for i := range got {
				got[i].ID = ID{}
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("after %s (-want +got):\n%s", name, diff)
			}
		}
	})
}

// Entries whose members are in chunks already, beside messages, come back from the journal, and from
// one block together.
func TestChunksOfEntriesThatShare(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	who, topic := NewMembers(`"clientId":"boiler-12"`), NewMembers(`"topicName":"a"`)
	both := NewBody([MaxParts]*Members{who, topic})
	line := func(stream string, time int64, message string) string {
		return fmt.Sprint(stream, " ", time, " ", message)
	}
	now := int64(1000)
	var want []string
	write := func() {
		t.Helper()
		g, st, err := s.ensure("g", "a", 0)
		if err != nil {
			t.Fatal(err)
		}
		now += 10
		own := NewBody([MaxParts]*Members{who, nil, NewMembers(fmt.Sprintf(`"own":%d`, now))})
		entries := []Entry{{now, both}, {now + 1, own}, {now + 2, both}}
		if err := s.writeEntries(g, st, entries); err != nil {
			t.Fatal(err)
		}
		for i := range entries {
			want = append(want, line("a", entries[i].Time, entries[i].String()))
		}
		for i, stream := range []string{"b", "a"} {
			e := Event{now + 3 + int64(i), fmt.Sprint("message ", now, i)}
			if err := s.Put("g", stream, []Event{e}); err != nil {
				t.Fatal(err)
			}
			want = append(want, line(stream, e.Time, e.Message))
		}
	}
	check := func(when string) {
		t.Helper()
		var got []string
		for _, r := range all(t, s, "g") {
			got = append(got, line(r.Stream, r.Time, r.Message))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", when, diff)
		}
	}
	for range 3 {
		write()
		condenseNow(s)
		write()
	}
	check("from chunks")
	if n := len(s.group("g").active.chunks); n != 3 {
		t.Errorf("%d chunks, want 3", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	check("from the journal")
	condenseNow(s)
	write()
	check("from the journal's chunk and the tail")
	sealAll(t, s)
	check("from a block")
}

// Events that come slowly, each with text of its own, take little memory long before their block is
// full, and as little disk as others when it is.
func TestTailsArePackedInMemory(t *testing.T) {
	s := open(t, t.TempDir())
	g, st, err := s.ensure("g", "a", 0)
	if err != nil {
		t.Fatal(err)
	}
	heap := func() int {
		s.encoder.rest()
		s.encoder.rest()
		for range 2 { // pools keep what they hold over one collection
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	f := newFleet(1, 2000, 1_800_000_000_000)
	write := func(n int) {
		t.Helper()
		for range n {
			ms, text := f.next()
			_, members, _ := strings.Cut(string(text[1:len(text)-1]), ",")
			if err := s.writeEntries(g, st, []Entry{{ms, NewBody([MaxParts]*Members{NewMembers(members)})}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	const step = 300 // in the time between two looks
	write(step)
	sealAll(t, s) // the encoder and the decoder are there
	all(t, s, "g")
	write(step)
	before := heap()
	const n = maxRows/step - 1
	for range n {
		s.condense()
		write(step)
		if held := g.active.held(); held > chunkBytes+2*step*(400+148) {
			t.Fatalf("%d events take %d bytes loose", g.active.count(), held)
		}
	}
	text, took := g.active.bytes, heap()-before
	t.Logf("%d events with %d bytes of text take %d bytes in %d chunks", g.active.count(), text, took, len(g.active.chunks))
	if took > 2<<20 {
		t.Errorf("%d events of %d bytes of text take %d bytes of memory, want at most 2 MiB", g.active.count(), text, took)
	}
	sealAll(t, s)
	d, _ := s.Group("g")
	each := float64(d.StoredBytes) / ((n + 2) * step)
	t.Logf("%.1f bytes of disk an event", each)
	if each > 45 {
		t.Errorf("an event takes %.1f bytes of disk, want at most 45", each)
	}
	if took := heap() - before; took > 1<<20 {
		t.Errorf("in a block they take %d bytes of memory", took)
	}
}

// A quiet group packs less; many groups share what may be loose.
func TestLooseShares(t *testing.T) {
	for groups, want := range map[int]int{0: chunkBytes, 1: chunkBytes, 64: 128 << 10, 1000: quietChunkBytes} {
		if got := chunkAt(groups); got != want {
			t.Errorf("%d groups: %d, want %d", groups, got, want)
		}
	}
	s := open(t, t.TempDir())
	put := func(size int) *tail {
		t.Helper()
		if err := s.Put("g", "a", []Event{{1, strings.Repeat("x", size)}}); err != nil {
			t.Fatal(err)
		}
		return s.group("g").active
	}
	tail := put(quietChunkBytes)
	s.condense() // the first look
	put(1)
	if s.condense(); len(tail.chunks) != 0 {
		t.Error("what is little was packed while more comes")
	}
	if s.condense(); len(tail.chunks) != 1 || tail.chunks[0].block.count != 2 {
		t.Errorf("what is quiet was not packed: %d chunks", len(tail.chunks))
	}
	if s.condense(); len(tail.chunks) != 1 || len(all(t, s, "g")) != 2 {
		t.Errorf("%d chunks, %d events", len(tail.chunks), len(all(t, s, "g")))
	}
}
