package logs

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// all reads everything that is in a group, in the order of time.
func all(t testing.TB, s *Store, group string) []Record {
	t.Helper()
	v, err := s.View(group)
	if err != nil {
		t.Fatal(err)
	}
	var out []Record
	q := Read{From: NoStart, To: NoEnd, Limit: 5000}
	for {
		page, err := v.Read(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, page.Records...)
		if !page.More {
			return out
		}
		q.After = &page.Next
	}
}

func messages(records []Record) []string {
	out := make([]string, len(records))
	for i, r := range records {
		out[i] = r.Message
	}
	return out
}

func sealAll(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Pack(); err != nil {
		t.Fatal(err)
	}
}

// TestEverythingComesBack writes more than two blocks of entries, and oddities
// among them, and reads them from the tail, from blocks and after a restart.
func TestEverythingComesBack(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	now := time.Now().UnixMilli()
	f := newFleet(1, 300, now-time.Hour.Milliseconds())
	var want []string
	put := func(events ...Event) {
		t.Helper()
		if err := s.Put("AWSIotLogsV2", "a", events); err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			want = append(want, e.Message)
		}
	}
	odd := []string{
		"", "plain", "{}", `{"a":1}`, `{"a":1, "b":2}`, `{"a":{"b":[1,2]}}`, `{"a":"\u00e9\n"}`, `{"a":1,"a":2}`, `{"a b":1}`, `{"@t":1}`, `{"a":null}`, `{"a":tru}`,
		`{"timestamp":"2026-01-01 00:00:00.000"}`, `{"a":"` + strings.Repeat("x", 70000) + `"}`, `[1]`, `{"a":01}`, `{"a":-0.5e7}`, "\xff", `{"a":"` + "\xff" + `"}`,
	}
	for i := 0; i < 2*maxRows+1000; i += 500 {
		put(f.events(500)...)
		put(Event{f.now, odd[i/500%len(odd)]})
	}
	check := func(when string) {
		t.Helper()
		records := all(t, s, "AWSIotLogsV2")
		if diff := cmp.Diff(want, messages(records)); diff != "" {
			t.Fatalf("%s (-want +got):\n%.2000s", when, diff)
		}
		ids := map[string]bool{}
		for _, r := range records {
			if r.Stream != "a" {
				t.Fatalf("%s: stream %q", when, r.Stream)
			}
			ids[r.ID.String()] = true
			if id, ok := ParseID(r.ID.String()); !ok || id != r.ID {
				t.Fatalf("ID %v reads back as %v", r.ID, id)
			}
		}
		if len(ids) != len(records) {
			t.Errorf("%s: %d IDs of %d events", when, len(ids), len(records))
		}
	}
	check("from the tail")
	before := all(t, s, "AWSIotLogsV2")
	sealAll(t, s)
	check("from blocks")
	if diff := cmp.Diff(before, all(t, s, "AWSIotLogsV2")); diff != "" {
		t.Errorf("sealing changed events (-want +got):\n%.1000s", diff)
	}
	put(f.events(10)...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	check("after a restart")
	streams, err := s.Streams("AWSIotLogsV2")
	if err != nil || len(streams) != 1 || streams[0].Events != int64(len(want)) {
		t.Errorf("streams: %+v, %v; want one of %d events", streams, err, len(want))
	}
}

// TestBlocksKeepAnything is the law of blocks: what was encoded comes back,
// whatever it is.
func TestBlocksKeepAnything(t *testing.T) {
	e, err := newEncoder()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	value := rapid.OneOf(rapid.Just(`"x"`), rapid.StringMatching(`"[a-f0-9]{20}"`), rapid.StringMatching(`"[a-z\\n]{0,4}"`), rapid.StringMatching(`-?[0-9]{1,19}`),
		rapid.Just(`"0f4d5c0d-93be-2f18-7d60-1e9b44a0c3f2"`), rapid.Just(`{"a":[1,{"b":null}]}`), rapid.Just("true"), rapid.Just("null"), rapid.Just(`""`))
	message := rapid.OneOf(rapid.String(), rapid.Custom(func(t *rapid.T) string {
		var parts []string
		for _, k := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"clientId", "b", "c", "timestamp"}), 1, 4, rapid.ID[string]).Draw(t, "keys") {
			parts = append(parts, `"`+k+`":`+value.Draw(t, "value"))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}))
	members := rapid.Custom(func(t *rapid.T) string {
		return `"` + rapid.SampledFrom([]string{"clientId", "b", "c", "d", "e"}).Draw(t, "key") + `":` + value.Draw(t, "value")
	})
	rapid.Check(t, func(t *rapid.T) {
		var l loose
		n := rapid.IntRange(1, 300).Draw(t, "events")
		texts := rapid.SliceOfN(members, 1, 20).Draw(t, "members")
		for _, text := range texts {
			l.members = append(l.members, NewMembers(text))
		}
		entries := rapid.IntRange(0, 4).Draw(t, "entries") // of four
		for i := range n {
			l.add(rapid.Uint32Range(1, 3).Draw(t, "stream"), rapid.Int64Range(0, 1e13).Draw(t, "ingested"), Event{rapid.Int64Range(-1e12, 1e13).Draw(t, "time"), message.Draw(t, "message")})
			if i%4 < entries { // they share members
				key := func(p uint32) string { key, _, _ := strings.Cut(texts[p-1], ":"); return key }
				var body parts
				copy(body[:], rapid.SliceOfNDistinct(rapid.Uint32Range(1, uint32(len(texts))), 1, MaxParts, key).Draw(t, "parts"))
				l.rows[i].text = entryText | uint32(len(l.bodies))
				l.bodies = append(l.bodies, body)
			}
		}
		raw, _, _ := e.encode(7, &l, 0)
		path := filepath.Join(dir, "0000000000000007.seg")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		seg, err := openSegment(path)
		if err != nil || seg == nil || len(seg.blocks) != 1 {
			t.Fatalf("segment %v: %v", seg, err)
		}
		v := &View{streams: map[uint32]string{1: "1", 2: "2", 3: "3"}}
		blk := seg.blocks[0]
		p := &Part{view: v, Events: blk.count, seq: 7, block: blk}
		tail := newTailPart(v, 7, 0, l, 0)
		b, err := p.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		tb, _ := tail.Open()
		index := make([]int, n)
		for i := range index {
			index[i] = i
		}
		got, err := b.records(index)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := tb.records(index)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		for _, name := range []string{"clientId", "b", "c.a.0", "c.a.1.b", "timestamp", "no"} {
			some := rapid.SliceOfDistinct(rapid.Int32Range(0, int32(n-1)), rapid.ID[int32]).Draw(t, "rows of "+name)
			slices.Sort(some)
			wc, _ := tb.Column(name, some)
			gc, err := b.Column(name, some)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range some {
				w, g := wc.at(i), gc.at(i)
				if w != g {
					t.Fatalf("field %s of %s: %q from the tail, %q from the block", name, l.text(int(i)), w, g)
				}
				if w == "" {
					continue
				}
				wh, _ := tb.Having(name, w, slices.Clone(some))
				gh, err := b.Having(name, w, slices.Clone(some))
				if err != nil || !slices.Contains(wh, i) || !slices.Equal(wh, gh) {
					t.Fatalf("events whose %s is %q: %v from the tail, %v from the block, %v", name, w, wh, gh, err)
				}
				if may, err := p.MayHold(name, w); err != nil || !may || !p.MayHave(name) {
					t.Fatalf("the block denies holding %s = %q of %s: %v", name, w, l.text(int(i)), err)
				}
			}
		}
	})
}

// TestEntries: entries come back from the buffer, the journal and a block as the
// text that they stand for, also where their members make no compact object.
func TestEntries(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	w, err := s.NewWriter("g", "a", 0)
	if err != nil {
		t.Fatal(err)
	}
	shared := []*Members{NewMembers(`"clientId":"boiler-12","sourcePort":52044`), NewMembers(`"clientId":"boiler-13"`), NewMembers(`"status":"Failure"`), NewMembers(`"a": 1`), NewMembers("")}
	now := time.Now().UnixMilli()
	var want []string
	for i := range 200 {
		var members [MaxParts]*Members
		for k := range 1 + i%3 {
			members[k] = shared[(i*7+k*(1+i%4))%len(shared)]
		}
		members[4] = NewMembers(fmt.Sprintf(`"n":%d`, i))
		e := Entry{now + int64(i), NewBody(members)}
		if !w.Append(7, e, 1) {
			t.Fatal("dropped")
		}
		want = append(want, e.String())
		if i == 0 && e.String() != `{"timestamp":"`+string(AppendTime(nil, now))+`","clientId":"boiler-12","sourcePort":52044,"n":0}` {
			t.Error(e.String())
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		if diff := cmp.Diff(want, messages(all(t, s, "g"))); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", when, diff)
		}
	}
	check("from the tail")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	check("from the journal")
	if err := s.Put("g", "b", []Event{{now + 1000, "plain"}}); err != nil {
		t.Fatal(err)
	}
	want = append(want, "plain")
	check("beside a plain event")
	sealAll(t, s)
	check("from a block")
}

// TestWildKeys: a block has a bounded number of columns and shapes, whatever is put.
func TestWildKeys(t *testing.T) {
	s := open(t, t.TempDir())
	var events []Event
	for i := range 3000 {
		events = append(events, Event{int64(i), fmt.Sprintf(`{"k%d":%d,"same":1}`, i, i)})
	}
	if err := s.Put("g", "a", events); err != nil {
		t.Fatal(err)
	}
	sealAll(t, s)
	v, err := s.View("g")
	if err != nil {
		t.Fatal(err)
	}
	blk := v.parts[0].block
	if len(blk.columns) > maxColumns+8 || len(blk.shapes) > maxShapes {
		t.Errorf("%d columns, %d shapes", len(blk.columns), len(blk.shapes))
	}
	for i, r := range all(t, s, "g") {
		if r.Message != events[i].Message {
			t.Fatalf("event %d is %s", i, r.Message)
		}
	}
}

// TestIDText: an ID is its three numbers, also before 1970.
func TestIDText(t *testing.T) {
	for _, id := range []ID{{0, 0, 0}, {1778487242117, 12, 16383}, {-1, 1, 1}, {-62135596800000, 9, 0}} {
		text := id.String()
		if want := fmt.Sprintf("%020d%020d%016d", id.Time, id.Seq, id.Row); text != want {
			t.Errorf("%+v is %s, want %s", id, text, want)
		}
		if back, ok := ParseID(text); !ok || back != id {
			t.Errorf("%s is read as %+v, want %+v", text, back, id)
		}
	}
}

func (c *Column) at(i int32) string {
	if c.Codes[i] == 0 {
		return ""
	}
	return c.Values[c.Codes[i]-1]
}

// TestTornTail cuts the files of a store at every byte of their ends: what was
// complete is there, what was torn is not, and the store goes on.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	f := newFleet(2, 5, time.Now().UnixMilli())
	events := f.events(60)
	for i := 0; i < 60; i += 20 {
		if err := s.Put("g", "a", events[i:i+20]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, e := range events {
		want = append(want, e.Message)
	}
	journals, _ := filepath.Glob(filepath.Join(dir, "*", "*.wal"))
	if len(journals) != 1 {
		t.Fatalf("journals %v", journals)
	}
	whole, err := os.ReadFile(journals[0])
	if err != nil {
		t.Fatal(err)
	}
	half := newTail(1, "", nil)
	half.replay(whole[:len(whole)/2])
	for size := int(half.written); size <= len(whole); size += 3 + size%7 {
		n := 20
		left := newTail(1, "", nil)
		if left.replay(whole[:size]); len(left.rows) > 0 {
			n = len(left.rows)
		}
		if err := os.WriteFile(journals[0], whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, dir)
		if got := messages(all(t, s, "g")); !slices.Equal(got, want[:n]) {
			t.Fatalf("cut at %d of %d: %d events, want %d", size, len(whole), len(got), n)
		}
		if err := s.Put("g", "a", events[:1]); err != nil {
			t.Fatal(err)
		}
		if got := len(all(t, s, "g")); got != n+1 {
			t.Fatalf("cut at %d: %d events after one more, want %d", size, got, n+1)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTornBlock cuts a segment in its last block, whose journal is still there.
func TestTornBlock(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	f := newFleet(3, 5, time.Now().UnixMilli())
	events := f.events(200)
	for _, half := range [][]Event{events[:100], events[100:]} {
		if err := s.Put("g", "a", half); err != nil {
			t.Fatal(err)
		}
		if half[0] == events[100] {
			break
		}
		sealAll(t, s)
	}
	journals, _ := filepath.Glob(filepath.Join(dir, "*", "*.wal"))
	journal, err := os.ReadFile(journals[0])
	if err != nil {
		t.Fatal(err)
	}
	segments, _ := filepath.Glob(filepath.Join(dir, "*", "*.seg"))
	info, _ := os.Stat(segments[0])
	first := info.Size()
	sealAll(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	for size := int(first); size <= len(whole); size += 5 + size%97 {
		if err := os.WriteFile(segments[0], whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(journals[0], journal, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, dir)
		if got := len(all(t, s, "g")); got != 200 {
			t.Fatalf("cut at %d of %d: %d events, want 200", size, len(whole), got)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGroupsAndStreams(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	is := func(got, want error) {
		t.Helper()
		if !errors.Is(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	ok(s.CreateGroup("/aws/lambda/f"))
	is(s.CreateGroup("/aws/lambda/f"), ErrGroupExists)
	is(s.CreateGroup("a b"), ErrName)
	is(s.CreateStream("none", "s"), ErrNoGroup)
	is(s.CreateStream("/aws/lambda/f", "a:b"), ErrName)
	ok(s.CreateStream("/aws/lambda/f", "s"))
	is(s.CreateStream("/aws/lambda/f", "s"), ErrStreamExists)
	is(s.PutExisting("/aws/lambda/f", "t", []Event{{1, "x"}}), ErrNoStream)
	is(s.PutExisting("none", "t", []Event{{1, "x"}}), ErrNoGroup)
	now := time.Now().UnixMilli()
	ok(s.Put("/aws/lambda/f", "s", []Event{{now, "x"}}))
	ok(s.Put("/aws/lambda/f", "t", []Event{{now, "y"}, {now - 3*dayMillis, "old"}}))
	if got := messages(all(t, s, "/aws/lambda/f")); !slices.Equal(got, []string{"old", "x", "y"}) {
		t.Errorf("events %q", got)
	}
	ok(s.SetRetention("/aws/lambda/f", 1))
	if got := messages(all(t, s, "/aws/lambda/f")); !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("events within the retention %q", got)
	}
	ok(s.DeleteStream("/aws/lambda/f", "s"))
	is(s.DeleteStream("/aws/lambda/f", "s"), ErrNoStream)
	ok(s.CreateStream("/aws/lambda/f", "s"))
	ok(s.Close())
	s = open(t, dir)
	if got := messages(all(t, s, "/aws/lambda/f")); !slices.Equal(got, []string{"y"}) {
		t.Errorf("events after the deletion of a stream %q", got)
	}
	if g, _ := s.Group("/aws/lambda/f"); g.RetentionDays != 1 {
		t.Errorf("retention %d after a restart, want 1", g.RetentionDays)
	}
	ok(s.DeleteGroup("/aws/lambda/f"))
	is(s.DeleteGroup("/aws/lambda/f"), ErrNoGroup)
	ok(s.Close())
	s = open(t, dir)
	if got := s.Groups(); len(got) != 0 {
		t.Errorf("groups %v", got)
	}
	is(s.Close(), nil)
	is(s.Put("g", "s", []Event{{1, "x"}}), ErrClosed)
}

// TestBound: the oldest segments go when the disk is full, and readers that
// began before do not fail.
func TestBound(t *testing.T) {
	s, err := Open(Config{Dir: t.TempDir(), MaxBytes: 1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := newFleet(4, 50, time.Now().UnixMilli())
	if err := s.Put("g", "a", f.events(2000)); err != nil {
		t.Fatal(err)
	}
	sealAll(t, s)
	v, err := s.View("g")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.bound(); err != nil {
		t.Fatal(err)
	}
	if got := len(all(t, s, "g")); got != 0 {
		t.Errorf("%d events are left", got)
	}
	if page, err := v.Read(t.Context(), Read{From: NoStart, To: NoEnd, Limit: 10}); err != nil || len(page.Records) != 0 {
		t.Errorf("a view of dropped events: %d records, %v", len(page.Records), err)
	}
}

func TestWriterAndWatch(t *testing.T) {
	s := open(t, t.TempDir())
	w, err := s.NewWriter("AWSIotLogsV2", "node_1", 30)
	if err != nil {
		t.Fatal(err)
	}
	watch := s.Watch("AWSIotLogsV2")
	defer watch.Stop()
	now := time.Now().UnixMilli()
	entry := func(text string) Entry { return Entry{now, NewBody([MaxParts]*Members{NewMembers(text)})} }
	var want []string
	for i := range 500 { // each is there as often as was said, and before the next
		e := entry(fmt.Sprintf(`"n":%d`, i))
		if !w.Append(7, e, 1+i%3) {
			t.Fatal("dropped")
		}
		for range 1 + i%3 {
			want = append(want, e.String())
		}
	}
	if w.Append(7, entry(strings.Repeat("x", MaxMessage)), 1) || w.Append(7, Entry{}, 2) || w.Append(7, entry(`"n":1`), shardEntries+1) || w.Dropped() != 3+shardEntries+1 {
		t.Errorf("%d dropped of what is too large, nothing, or too many", w.Dropped())
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w.Append(7, entry(`"n":1`), 1) {
		t.Error("took an event after its end")
	}
	if diff := cmp.Diff(want, messages(all(t, s, "AWSIotLogsV2"))); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if seen, dropped := watch.Take(); len(seen) != len(want) || dropped != 0 || seen[len(seen)-1].Message != `{"timestamp":"`+string(AppendTime(nil, now))+`","n":499}` {
		t.Errorf("watched %d events, %d dropped", len(seen), dropped)
	}
	if g, _ := s.Group("AWSIotLogsV2"); g.RetentionDays != 30 {
		t.Errorf("retention %d, want 30", g.RetentionDays)
	}
}

func TestReadPages(t *testing.T) {
	s := open(t, t.TempDir())
	base := time.Now().UnixMilli()
	var events []Event
	for i := range 300 {
		events = append(events, Event{base + int64(i*7919%300), fmt.Sprint("m", i*7919%300)})
	}
	for i := 0; i < 300; i += 50 { // blocks whose times overlap
		if err := s.Put("g", fmt.Sprint("s", i/50%2), events[i:i+50]); err != nil {
			t.Fatal(err)
		}
		if i%100 == 50 && i < 200 {
			sealAll(t, s)
		}
	}
	v, err := s.View("g")
	if err != nil {
		t.Fatal(err)
	}
	for _, backward := range []bool{false, true} {
		var got []string
		q := Read{From: base + 10, To: base + 199, Limit: 7, Backward: backward, Streams: func(n string) bool { return n == "s0" }, Match: func(m string) bool { return !strings.HasSuffix(m, "3") }}
		for {
			page, err := v.Read(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, messages(page.Records)...)
			if !page.More {
				break
			}
			q.After = &page.Next
		}
		var want []Event
		for i, e := range events {
			if i/50%2 == 0 && e.Time >= base+10 && e.Time <= base+199 && !strings.HasSuffix(e.Message, "3") {
				want = append(want, e)
			}
		}
		slices.SortFunc(want, func(a, b Event) int { return cmpTimes(a.Time, b.Time) })
		if backward {
			slices.Reverse(want)
		}
		var texts []string
		for _, e := range want {
			texts = append(texts, e.Message)
		}
		if diff := cmp.Diff(texts, got); diff != "" {
			t.Errorf("backward %v (-want +got):\n%s", backward, diff)
		}
	}
}
