package attempt

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// plain is sample of a connection that ended well.
func plain(i int) Record {
	rec := sample(i)
	rec.Outcome, rec.Code, rec.Count, rec.Dropped = Passed, "", 1, i%2
	rec.Steps = []Step{
		{Check: check.TCPAccepted, Outcome: Passed, Count: 1},
		{Check: check.TLSClientHello, Outcome: Passed, Evidence: Fields{{"versions", "1.3"}, {"ciphers", "a, b"}}, At: 123 * time.Microsecond, Last: 123 * time.Microsecond, Count: 1},
		{Check: check.SessionOpened, Outcome: Passed, Evidence: Fields{{"keep_alive", "60"}}, At: time.Millisecond, Last: time.Second, Count: 2},
	}
	return rec
}

func pack(records ...Record) []byte {
	var w segmentWriter
	w.reset()
	for i := range records {
		w.add(&records[i])
	}
	return w.body()
}

func TestSegmentRoundTrip(t *testing.T) {
	bare := Record{ID: "no UUID", Outcome: Passed, Count: 1, Began: time.UnixMilli(1), Last: time.UnixMilli(2), Steps: []Step{}}
	want := []Record{plain(1), bare, plain(2)}
	var got []Record
	if err := readSegment(pack(want...), func(rec Record) { got = append(got, rec) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, sameRecord); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestUnremarkable: only what ended well and never changes goes into segments.
func TestUnremarkable(t *testing.T) {
	for name, change := range map[string]func(*Record){
		"failed":  func(r *Record) { r.Outcome = Failed },
		"live":    func(r *Record) { r.Outcome = Live },
		"counted": func(r *Record) { r.Count = 2 },
		"warned":  func(r *Record) { r.Steps[1].Outcome = Warned },
	} {
		rec := plain(1)
		if !unremarkable(&rec) {
			t.Fatal("a connection that ended well is remarkable")
		}
		if change(&rec); unremarkable(&rec) {
			t.Errorf("%s is unremarkable", name)
		}
	}
}

// TestSegmentsAnswerLikeRows writes batches of all sizes and compares every
// question with the store in memory.
func TestSegmentsAnswerLikeRows(t *testing.T) {
	db, err := OpenStore(t.Context(), filepath.Join(t.TempDir(), "attempts.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	memory := NewMemoryStore(100_000)
	rnd := rand.New(rand.NewPCG(3, 4))
	n := 0
	for _, size := range []int{1, 31, 45, 200, 5, 64, 100, 50} {
		var batch []Record
		for range size {
			rec := plain(n)
			if rnd.IntN(5) == 0 {
				rec = sample(n)
			}
			rec.Last = rec.Last.Add(time.Duration(rnd.IntN(40)) * time.Second) // batches overlap
			batch = append(batch, rec)
			n++
		}
		for _, s := range []Store{db, memory} {
			if err := s.Write(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		}
	}
	var segments int
	if err := db.db.Read().QueryRow("SELECT COUNT(*) FROM segments").Scan(&segments); err != nil || segments < 4 {
		t.Fatalf("%d segments, %v: nothing is tested", segments, err)
	}
	compare := func(what string, f Filter, page int) {
		t.Helper()
		var after Cursor
		for seen := 0; ; {
			want, _ := memory.List(t.Context(), f, after, page)
			got, err := db.List(t.Context(), f, after, page)
			if err != nil {
				t.Fatal(what, err)
			}
			if diff := cmp.Diff(want, got, sameRecord, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%s after %d (-want +got):\n%s", what, seen, diff)
			}
			if len(want) < page {
				return
			}
			seen += len(want)
			after = cursorOf(want[len(want)-1])
		}
	}
	all := func(when string) {
		t.Helper()
		for what, f := range map[string]Filter{
			"all": {}, "client": {ClientID: "c1"}, "principal": {Principal: "cert1"}, "ARN": {Principal: sample(0).PrincipalARN},
			"source": {SourceIP: "192.0.2.3"}, "passed": {Outcome: Passed}, "failed": {Outcome: Failed}, "code": {Code: "cert.inactive"},
			"since": {Since: sample(100).Last}, "until": {Until: sample(100).Last}, "between": {Since: sample(50).Last, Until: sample(60).Last},
			"joined": {ClientID: "c1", Principal: "cert1", SourceIP: "192.0.2.3"}, "nobody": {ClientID: "nobody"},
		} {
			for _, page := range []int{33, 1000} {
				compare(when+", "+what, f, page)
			}
		}
	}
	all("written")
	compare("one by one", Filter{Since: sample(460).Last}, 1)
	for i := range n {
		want, inMemory, _ := memory.Get(t.Context(), sample(i).ID)
		got, found, err := db.Get(t.Context(), sample(i).ID)
		if err != nil || found != inMemory || cmp.Diff(want, got, sameRecord) != "" {
			t.Fatalf("get %d: %v, %v", i, found, err)
		}
	}
	if _, found, err := db.Get(t.Context(), "none"); found || err != nil {
		t.Errorf("a record that is not there: %v, %v", found, err)
	}
}

// TestPruneSegments: the bound holds, the oldest go first, and what stays is in one piece.
func TestPruneSegments(t *testing.T) {
	for most := range 12 {
		db, err := OpenStore(t.Context(), filepath.Join(t.TempDir(), fmt.Sprint(most, ".db")))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, size := range []int{10, 64, 3, 40, 40, 7, 33} {
			var batch []Record
			for range size {
				rec := plain(n)
				if size < segmentLeast {
					rec = sample(n)
				}
				batch = append(batch, rec)
				n++
			}
			if err := db.Write(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		}
		bound := most * 19
		if err := db.Prune(t.Context(), time.Time{}, bound); err != nil {
			t.Fatal(err)
		}
		left, err := db.List(t.Context(), Filter{}, Cursor{}, 1000)
		if err != nil || len(left) > bound || len(left) < bound-64 && len(left) < n-64 {
			t.Errorf("%d left of %d, %v; want at most %d", len(left), n, err, bound)
		}
		for i, rec := range left {
			if want := sample(n - 1 - i).ID; rec.ID != want {
				t.Fatalf("bound %d: place %d is %s, want %s", bound, i, rec.ID, want)
			}
		}
		if err := db.Prune(t.Context(), sample(n).Last, bound); err != nil {
			t.Fatal(err)
		}
		if left, err := db.List(t.Context(), Filter{}, Cursor{}, 1); err != nil || len(left) != 0 {
			t.Errorf("%d are older than allowed, %v", len(left), err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// FuzzSegment: whatever is on disk is read or refused, and what is read can be
// written and read again.
func FuzzSegment(f *testing.F) {
	f.Add(pack(plain(1), plain(2)))
	f.Add(pack())
	f.Add([]byte{segmentVersion, 1, 200})
	f.Fuzz(func(t *testing.T, body []byte) {
		var records []Record
		if err := readSegment(body, func(rec Record) { records = append(records, rec) }); err != nil {
			return
		}
		var again []Record
		if err := readSegment(pack(records...), func(rec Record) { again = append(again, rec) }); err != nil || len(again) != len(records) {
			t.Fatalf("%d records became %d: %v", len(records), len(again), err)
		}
	})
}

func BenchmarkSQLWritePlain(b *testing.B) {
	db, err := OpenStore(b.Context(), filepath.Join(b.TempDir(), "attempts.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	batch := make([]Record, 256)
	n := 0
	for i := range batch {
		batch[i] = plain(i)
		batch[i].Steps = append(batch[i].Steps, batch[i].Steps...)
		batch[i].Steps = append(batch[i].Steps, batch[i].Steps...)
	}
	for b.Loop() {
		if err := db.Write(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		n += len(batch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/record")
}
