package insights

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// slowSource is events whose last part to be read opens when it is told to.
type slowSource struct {
	memory
	reached chan struct{} // closed when the rest has been read
	open    chan struct{}
}

type slowPart struct {
	Part
	s *slowSource
}

func (s *slowSource) Parts() []Part {
	parts := s.memory.Parts()
	parts[0] = &slowPart{parts[0], s}
	return parts
}

func (p *slowPart) Latest() int64 { return -1 } // read last

func (p *slowPart) Open() (Batch, error) {
	close(p.s.reached)
	<-p.s.open
	return p.Part.Open()
}

func TestPartial(t *testing.T) {
	for text, want := range map[string][2]string{
		"fields n | filter n > 0 | limit 3":                             {"n=9\nn=8\nn=7\n", "n=9\nn=8\nn=7\n"},
		"fields n | sort n asc | limit 2":                               {"n=3\nn=4\n", "n=0\nn=1\n"},
		"stats count(*) as c, sum(n) as s, count_distinct(k) as d":      {"c=7 | s=42 | d=2\n", "c=10 | s=45 | d=2\n"},
		"stats max(n) as m, values(n) as v by k | sort k asc | limit 1": {"k=0 | m=8 | v=[\"4\",\"6\",\"8\"]\n", "k=0 | m=8 | v=[\"0\",\"2\",\"4\",\"6\",\"8\"]\n"},
		"stats count(*) as c by k | stats max(c) as m":                  {"m=4\n", "m=5\n"},
		"fields n | filter n = 2":                                       {"", "n=2\n"},
	} {
		src := &slowSource{reached: make(chan struct{}), open: make(chan struct{})}
		for i := range 10 {
			src.events = append(src.events, event{ms: int64(i), message: fmt.Sprintf(`{"n":%d,"k":%d}`, i, i%2)})
		}
		q, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		p := &Progress{}
		done := make(chan *Result, 1)
		go func() {
			res, err := q.Run(t.Context(), src, Options{Workers: 1}, p)
			if err != nil {
				t.Error(err)
			}
			done <- res
		}()
		<-src.reached
		got := ""
		if res := p.Partial(); res != nil {
			got = res.table()
		}
		if got != want[0] {
			t.Errorf("%s: while it runs %q, want %q", text, got, want[0])
		}
		close(src.open)
		if res := <-done; res.table() != want[1] {
			t.Errorf("%s: at its end %q, want %q", text, res.table(), want[1])
		}
		if p.Partial() != nil {
			t.Errorf("%s: there are partial rows after its end", text)
		}
	}
}

// TestCancel: a query ends soon after its context.
func TestCancel(t *testing.T) {
	src := &slowSource{reached: make(chan struct{}), open: make(chan struct{})}
	for i := range 10 {
		src.events = append(src.events, event{ms: int64(i), message: "{}"})
	}
	q, err := Parse("stats count(*)")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		_, err := q.Run(ctx, src, Options{Workers: 2}, nil)
		failed <- err
	}()
	<-src.reached
	cancel()
	close(src.open)
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that it was cancelled", err)
	}
}
