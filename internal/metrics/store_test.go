package metrics

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/gatehouse-iot/gatehouse/internal/function"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
	"github.com/gatehouse-iot/gatehouse/internal/packed"
)

var update = flag.Bool("update", false, "write the golden files anew")

func openStore(t *testing.T, cfg Config) *Store {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeStore(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A reading is a point that cmp can compare.
type reading struct {
	Minute           int // since a start
	Count, Sum       float64
	Min, Max, Median float64
}

func readAll(s *Store, id ID, from time.Time, for_, period time.Duration) map[string][]reading {
	out := map[string][]reading{}
	for unit, list := range s.Read(id, "", from, from.Add(for_), period) {
		for _, p := range list {
			median, _ := p.Percentile(50)
			out[unit] = append(out[unit], reading{int(p.Start.Sub(from) / time.Minute), p.Count, p.Sum, p.Min, p.Max, math.Round(median*10) / 10})
		}
	}
	return out
}

// TestMinutes: what is counted belongs to the minute in which it happened, and is
// there after a stop and a kill.
func TestMinutes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.log")
	id := ID{Namespace: "AWS/IoT", Name: "Connect.Success", Dimensions: []Dimension{{"Protocol", "MQTT"}}}
	size := ID{Namespace: "Test", Name: "Size"}
	synctest.Test(t, func(t *testing.T) {
		from := time.Now().Truncate(time.Hour)
		s := openStore(t, Config{File: path})
		var count atomic.Uint64
		count.Store(5)
		s.Follow(id, count.Load)
		time.Sleep(59 * time.Second)
		s.Add(size, "Bytes", time.Now(), Sample(10, 1))
		s.Add(size, "Bytes", time.Now(), Sample(30, 3))
		time.Sleep(2 * time.Second) // a minute ended
		count.Store(7)
		time.Sleep(2 * time.Minute)
		want := map[string][]reading{"Count": {{0, 5, 5, 1, 1, 1}, {1, 2, 2, 1, 1, 1}}}
		if diff := cmp.Diff(want, readAll(s, id, from, time.Hour, time.Minute)); diff != "" {
			t.Errorf("counter (-want +got):\n%s", diff)
		}
		// As kill -9 leaves it: what was written at the end of each minute.
		killed, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		count.Store(8)
		closeStore(t, s)
		if err := s.Close(); !errors.Is(err, ErrClosed) {
			t.Errorf("a second Close: %v", err)
		}
		if err := s.Put([]Datum{{ID: size, Unit: "Bytes", Time: time.Now(), Point: Sample(1, 1)}}); !errors.Is(err, ErrClosed) {
			t.Errorf("Put after Close: %v", err)
		}

		s = openStore(t, Config{File: path})
		want["Count"] = append(want["Count"], reading{3, 1, 1, 1, 1, 1})
		if diff := cmp.Diff(want, readAll(s, id, from, time.Hour, time.Minute)); diff != "" {
			t.Errorf("after a stop (-want +got):\n%s", diff)
		}
		sizes := map[string][]reading{"Bytes": {{0, 4, 100, 10, 30, 29.9}}}
		got := readAll(s, size, from, time.Hour, time.Hour)
		if diff := cmp.Diff(sizes, got); diff != "" && got["Bytes"][0].Median < 29.7 {
			t.Errorf("sizes (-want +got):\n%s", diff)
		}
		closeStore(t, s)

		for cut := range []int{0, 1, 7, 20} { // torn: nothing before the end is lost
			if err := os.WriteFile(path, append(slices.Clone(killed), killed[len(killed)-20:len(killed)-cut]...), 0o600); err != nil {
				t.Fatal(err)
			}
			s = openStore(t, Config{File: path})
			want["Count"] = want["Count"][:2]
			if diff := cmp.Diff(want, readAll(s, id, from, time.Hour, time.Minute)); diff != "" {
				t.Errorf("after a kill with %d torn bytes (-want +got):\n%s", 20-cut, diff)
			}
			s.Add(id, "Count", time.Now(), Sample(1, 1))
			closeStore(t, s)
			s = openStore(t, Config{File: path}) // what comes after the cut counts
			if got := readAll(s, id, from, time.Hour, time.Hour)["Count"]; got[0].Count != 8 {
				t.Errorf("after a repair: %v", got)
			}
			closeStore(t, s)
		}
	})
}

// TestRetention: points go after 15 days, and metrics without points with them.
func TestRetention(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.log")
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, Config{File: path})
		begin := time.Now()
		old, young := ID{Namespace: "n", Name: "old"}, ID{Namespace: "n", Name: "young"}
		s.Add(old, "None", time.Now(), Sample(1, 1))
		time.Sleep(10 * 24 * time.Hour)
		s.Add(young, "None", time.Now(), Sample(1, 1))
		if got := len(s.List(func(ID) bool { return true })); got != 2 {
			t.Errorf("%d metrics after 10 days, want 2", got)
		}
		time.Sleep(5*24*time.Hour + 2*time.Hour)
		if got := s.List(func(ID) bool { return true }); len(got) != 1 || got[0].ID.Name != "young" {
			t.Errorf("after 15 days: %v", got)
		}
		if got := s.Read(old, "", begin.Add(-time.Hour), time.Now(), time.Hour); len(got) != 0 {
			t.Errorf("old points are there: %v", got)
		}
		closeStore(t, s)
		s = openStore(t, Config{File: path})
		if u := s.Usage(); u.Series != 1 {
			t.Errorf("%d metrics after a restart, want 1", u.Series)
		}
		closeStore(t, s)
	})
}

// TestBounds: strangers' names and points take neither all memory nor the room of
// Gatehouse's own metrics.
func TestBounds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.log")
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, Config{File: path, MaxSeries: 100, MaxBytes: 300_000})
		var refused int
		for i := range 1000 {
			err := s.Put([]Datum{{ID: ID{Namespace: "n", Name: fmt.Sprint("m", i)}, Unit: "None", Time: time.Now(), Point: Sample(1, 1)}})
			if errors.Is(err, ErrFull) {
				refused++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if refused != 900 {
			t.Errorf("%d of 1000 metrics were refused, want 900", refused)
		}
		own := ID{Namespace: "AWS/IoT", Name: "Connect.Success"}
		s.Add(own, "Count", time.Now(), Sample(1, 1))
		if got := s.Read(own, "Count", time.Now().Add(-time.Hour), time.Now().Add(time.Minute), time.Hour); len(got) != 1 {
			t.Error("there is no room for a metric of Gatehouse's own")
		}
		for i := range 10_000 {
			s.Add(ID{Namespace: "AWS/Lambda", Name: fmt.Sprint("f", i)}, "Count", time.Now(), Sample(1, 1))
		}
		if u := s.Usage(); u.Series != 100+reserved || u.Refused == 0 {
			t.Errorf("usage %+v, want %d metrics and refused ones", u, 100+reserved)
		}
		closeStore(t, s)
	})
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, Config{File: filepath.Join(t.TempDir(), "metrics.log"), MaxBytes: 200_000})
		random := rand.New(rand.NewPCG(1, 2))
		for range 72 {
			for range 60 {
				p := Sample(random.ExpFloat64(), 1)
				for range 50 {
					more := Sample(random.ExpFloat64()*1e6, 1)
					p.Merge(&more)
				}
				s.Add(ID{Namespace: "n", Name: "m"}, "None", time.Now(), p)
				time.Sleep(time.Minute)
			}
		}
		if u := s.Usage(); u.Bytes > 300_000 || u.Bytes < 50_000 {
			t.Errorf("%d bytes in memory, want about 200,000", u.Bytes)
		}
		if got := s.Read(ID{Namespace: "n", Name: "m"}, "", time.Now().Add(-time.Hour), time.Now(), time.Hour); len(got) == 0 {
			t.Error("the newest points went")
		}
		closeStore(t, s)
	})
}

// TestCompact: the journal is written anew before it is much larger than what it
// holds, and nothing is lost by that.
func TestCompact(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.log")
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t, Config{File: path})
		s.journal.compactAt = 20_000
		from := time.Now().Truncate(time.Hour)
		total := 0.0
		for i := range 600 {
			n := float64(i%7 + 1)
			total += n
			if err := s.Put([]Datum{{ID: ID{Namespace: "n", Name: fmt.Sprint("m", i%3)}, Unit: "None", Time: time.Now(), Point: Sample(float64(i), n)}}); err != nil {
				t.Fatal(err)
			}
			s.Add(ID{Namespace: "n", Name: "own"}, "Count", time.Now(), Sample(1, 1))
			time.Sleep(20 * time.Second)
		}
		if s.journal.compactAt == 20_000 {
			t.Fatal("it was not written anew")
		}
		for range 2 {
			sum := 0.0
			for i := range 3 {
				for _, p := range s.Read(ID{Namespace: "n", Name: fmt.Sprint("m", i)}, "None", from, time.Now().Add(time.Minute), time.Minute)["None"] {
					sum += p.Count
				}
			}
			own := s.Read(ID{Namespace: "n", Name: "own"}, "", from, time.Now().Add(time.Minute), 24*time.Hour)["Count"]
			if sum != total || own[0].Count != 600 {
				t.Errorf("samples %v and %v, want %v and 600", sum, own[0].Count, total)
			}
			closeStore(t, s)
			s = openStore(t, Config{File: path})
		}
		closeStore(t, s)
	})
}

// TestPercentiles: percentiles are off by less than a per cent, whatever order
// points are merged in, also from disk.
func TestPercentiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 1e6), 1, 200).Draw(t, "values")
		var all Point
		for _, part := range slices.Collect(slices.Chunk(values, rapid.IntRange(1, 20).Draw(t, "chunk"))) {
			var p Point
			for _, v := range part {
				one := Sample(v, 1)
				p.Merge(&one)
			}
			r := reader{packed.Reader{B: appendPoint(nil, &p)}}
			back := r.point()
			if r.Bad || len(r.B) != 0 {
				t.Fatalf("decode: bad %v, %d bytes left", r.Bad, len(r.B))
			}
			all.Merge(&back)
		}
		slices.Sort(values)
		percent := rapid.Float64Range(0, 100).Draw(t, "percent")
		rank := max(int(math.Ceil(percent/100*float64(len(values)))), 1)
		want := values[rank-1]
		got, ok := all.Percentile(percent)
		wide := 0.01
		if all.values != nil {
			wide = math.Exp2(math.Ldexp(1, -all.values.scale)) - 1
		}
		if !ok || math.Abs(got-want) > want*wide+1e-12 {
			t.Fatalf("p%v of %v = %v, want %v", percent, values, got, want)
		}
		if all.Count != float64(len(values)) || all.Min != values[0] || all.Max != values[len(values)-1] {
			t.Fatalf("%+v of %v", all, values)
		}
	})
}

// TestUnknownSamples: where only statistics are known, there are no percentiles.
func TestUnknownSamples(t *testing.T) {
	p := Statistics(3, 9, 1, 5)
	if _, ok := p.Percentile(50); ok {
		t.Error("a percentile of statistics")
	}
	if alike := Statistics(3, 6, 2, 2); alike.values != nil {
		t.Error("alike samples have a sketch")
	} else if v, ok := alike.Percentile(50); !ok || v != 2 {
		t.Errorf("p50 of 2, 2, 2 = %v, %v", v, ok)
	}
	one := Sample(-1, 1)
	if _, ok := one.Percentile(50); ok {
		t.Error("a percentile of negative values")
	}
	if p.Merge(&one); p.Count != 4 || p.Min != -1 || p.Max != 5 || p.Sum != 8 {
		t.Errorf("merged: %+v", p)
	}
}

// FuzzPoints: what is no packed block is read without a panic, as far as it goes.
func FuzzPoints(f *testing.F) {
	p := Sample(3, 2)
	more := Sample(5, 1)
	p.Merge(&more)
	f.Add(packPoints([]minute{{1, Sample(1, 4)}, {2, p}, {9, Statistics(2, 3, 1, 2)}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, m := range unpackPoints(b) {
			if r := (reader{packed.Reader{B: appendPoint(nil, &m.Point)}}); r.point().Count != m.Count && m.Count == m.Count {
				t.Errorf("%+v does not come back", m)
			}
		}
	})
}

// TestHub: the metrics of AWS/IoT have the names and dimensions of the sheet.
func TestHub(t *testing.T) {
	s := openStore(t, Config{File: filepath.Join(t.TempDir(), "metrics.log")})
	defer closeStore(t, s)
	hub, reg := observe.New(nil), prometheus.NewRegistry()
	s.FollowHub(hub, reg)
	meter := NewFunctions(s, reg)
	by := &observe.Request{}
	for kind := range observe.Kinds {
		for p := range observe.Protocols {
			for o := range observe.Outcomes {
				hub.Seen(by, p, kind, o)
			}
		}
	}
	hub.RuleMissed("Archve")
	meter.Observe(function.Observation{Function: "f", Resource: "f:live", Version: "3", Duration: 20 * time.Millisecond, Running: 1})
	meter.Observe(function.Observation{Function: "f", Resource: "f:live", Version: "3", Failed: true, Duration: 40 * time.Millisecond, Running: 2})
	meter.Observe(function.Observation{Function: "f", Resource: "f:live", Throttled: true, Running: 2})
	var names []string
	for _, m := range s.List(func(id ID) bool { return true }) {
		text := m.ID.Namespace + " " + m.ID.Name
		for _, d := range m.ID.Dimensions {
			text += " " + d.Name + "=" + d.Value
		}
		names = append(names, text)
	}
	got := strings.Join(names, "\n") + "\n"
	if *update {
		if err := os.WriteFile("testdata/names.txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/names.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	if _, err := reg.Gather(); err != nil {
		t.Error(err)
	}
	id := ID{Namespace: "AWS/Lambda", Name: "Errors", Dimensions: []Dimension{{"FunctionName", "f"}}}
	for _, p := range s.Read(id, "Count", time.Now().Add(-time.Hour), time.Now().Add(time.Minute), 24*time.Hour)["Count"] {
		if p.Sum != 1 || p.Count != 2 || p.Average() != .5 {
			t.Errorf("Errors: %+v, want 1 of 2", p.Point)
		}
	}
}

func BenchmarkCollect(b *testing.B) {
	s, err := Open(Config{File: filepath.Join(b.TempDir(), "metrics.log")})
	if err != nil {
		b.Fatal(err)
	}
	hub := observe.New(nil)
	s.FollowHub(hub, prometheus.NewRegistry())
	by := &observe.Request{}
	for b.Loop() {
		hub.Seen(by, observe.MQTT, observe.PublishIn, observe.Success)
		s.Collect()
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
