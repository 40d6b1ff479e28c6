package devicelog

import (
	"fmt"
	"testing"

	"github.com/gatehouse-iot/gatehouse/internal/logs"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
)

// always returns a Log all of whose entries go to out.
func always(out output) *Log {
	l, levels := &Log{home: here, shared: newShared(here)}, &snapshot{}
	for kind := range levels.to {
		levels.to[kind] = out
	}
	l.levels.Store(levels)
	return l
}

// TestPassedInTurns: an entry says what it would say if nothing of it were shared, whatever passed
// before it, also when more passes in turn than is remembered.
func TestPassedInTurns(t *testing.T) {
	other := who
	other.ClientID, other.TraceID = "boiler-13", "0b8f5c1e"
	sources := []*observe.Request{{Is: who}, {Is: other}}
	out := &sink{}
	l := always(out)
	for i := range 3 * maxBodies {
		for _, by := range sources {
			for _, p := range []observe.Passage{
				{Kind: observe.PublishIn, Topic: "a"},
				{Kind: observe.PublishIn, Topic: "a", Retain: true},
				{Kind: observe.PublishIn, Topic: fmt.Sprint(i % 2)},
				{Kind: observe.PublishOut, Topic: "a"},
				{Kind: observe.PublishOut, Topic: "a", TraceID: "c2"},
				{Kind: observe.PublishOut, Topic: fmt.Sprint(i), TraceID: "c2"},
			} {
				p.Time, out.lines = at, nil
				l.Log(by, &observe.Event{Kind: p.Kind, Topic: p.Topic, Retain: p.Retain, TraceID: p.TraceID, Time: at})
				l.Passed(by, p)
				if len(out.lines) != 2 || out.lines[0] != out.lines[1] {
					t.Fatalf("%+v: got, want %q", p, out.lines)
				}
			}
		}
	}
}

// A bodySink collects what entries have in common.
type bodySink map[*logs.Body]bool

func (b bodySink) Append(_ byte, e logs.Entry, _ int) bool { b[e.Body] = true; return true }
func (bodySink) Close() error                              { return nil }

// TestPassedShares: what passes in turns is made once, and costs no memory after that.
func TestPassedShares(t *testing.T) {
	made := bodySink{}
	l := always(made)
	by := &observe.Request{Is: who}
	if n := testing.AllocsPerRun(100, func() {
		for _, topic := range []string{"a", "b", "a"} {
			l.Passed(by, observe.Passage{Kind: observe.PublishIn, Topic: topic, Time: at})
			l.Passed(by, observe.Passage{Kind: observe.PublishOut, Topic: topic, TraceID: topic, Time: at})
		}
	}); n != 0 || len(made) != 4 {
		t.Errorf("%v allocations and %d bodies, want 0 and 4", n, len(made))
	}
}
