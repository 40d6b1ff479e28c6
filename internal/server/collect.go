package server

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A handshake leaves tens of KiB of garbage, and a storm of them a heap several
// times as large as what lives: the connections that stay are idle, so the
// runtime has no reason to collect for minutes. A collection when a storm is
// over gives that memory back to the system. So it does when many connections
// have ended, and with them what waited for their devices, or have come to rest,
// which leaves a stack each.
const (
	collectEvery = time.Second // how often the connections are counted
	collectLeast = 256         // connections that came, went or rested since the last collection that are worth one
	collectPart  = 8           // if they are at least this part of those that are open
	collectCalm  = 20          // of them in collectEvery with which a storm is over
	collectRest  = 10 * time.Second
)

// collect watches how many connections have come, gone and rested so far, beside
// those that are open, and runs collection after every storm of them, until ctx
// ends. It also paces the collector.
func collect(ctx context.Context, connections func() (changes int64, open int), collection func()) {
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	var collected, before int64
	var last time.Time
	pace := newPacer()
	for {
		pace.set()
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			n, open := connections()
			calm := n-before < collectCalm
			before = n
			if calm && n-collected >= max(collectLeast, int64(open)/collectPart) && now.Sub(last) >= collectRest {
				collected, last = n, now
				collection()
			}
		}
	}
}

// giveBack collects and gives what is free back to the system: twice, since pools keep what they hold
// over one collection.
func giveBack() {
	runtime.GC()
	debug.FreeOSMemory()
}

// A small heap may grow to three times what lives before it is collected: with
// what handshakes leave behind that saves 7 % of the CPU time of a connect. A
// larger one may only double: among tens of thousands of connections the memory
// would not come back. The largest may grow by a half: much of such a heap is
// output that waits for devices, which costs the collector nothing to look at.
const (
	smallHeap     = 32 << 20 // bytes that live
	smallPercent  = 200
	mediumHeap    = 256 << 20
	mediumPercent = 100
	largePercent  = 50
)

// A pacer sets the collector's pace by what lives, unless the environment has
// set it. GOMEMLIMIT is the runtime's own affair.
type pacer struct {
	percent int
	live    [1]metrics.Sample
}

func newPacer() *pacer {
	p := &pacer{}
	p.live[0].Name = "/gc/heap/live:bytes"
	return p
}

// set looks at the heap and changes the pace where that is due.
func (p *pacer) set() {
	if os.Getenv("GOGC") != "" {
		return
	}
	metrics.Read(p.live[:])
	if percent := paceOf(p.live[0].Value.Uint64()); percent != p.percent {
		p.percent = percent
		debug.SetGCPercent(percent)
	}
}

func paceOf(live uint64) int {
	switch {
	case live < smallHeap:
		return smallPercent
	case live < mediumHeap:
		return mediumPercent
	}
	return largePercent
}
