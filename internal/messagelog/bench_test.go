package messagelog

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"
)

// openBench opens a log on the disk of temporary files.
func openBench(b *testing.B, dir string) Log {
	b.Helper()
	l, err := Open(Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// noise is a message of 256 bytes that does not compress.
func noise() *Message {
	p := make([]byte, 256)
	for i := range p {
		p[i] = byte(rand.Uint32())
	}
	return &Message{Topic: "devices/d0001/telemetry", Payload: p, QoS: 1, Published: time.Now()}
}

func queues(b *testing.B, l Log, n int) []Reference {
	b.Helper()
	to := make([]Reference, n)
	for i := range to {
		to[i].Queue = session(b, l, fmt.Sprint("c", i))
	}
	mustDurable(b, l)
	return to
}

// BenchmarkAppendDurable is what a publisher with one message in flight waits for.
func BenchmarkAppendDurable(b *testing.B) {
	for _, publishers := range []int{1, 64, 500} {
		b.Run(fmt.Sprint("publishers=", publishers), func(b *testing.B) {
			l := openBench(b, b.TempDir())
			defer mustClose(b, l)
			to := queues(b, l, 1)
			b.ResetTimer()
			var wg sync.WaitGroup
			for p := range publishers {
				wg.Go(func() {
					m := noise()
					done := make(chan error, 1)
					f := func(err error) { done <- err }
					for range (b.N + p) / publishers {
						if _, err := l.Append(m, to); err != nil {
							b.Error(err)
							return
						}
						l.OnDurable(f)
						if err := <-done; err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// BenchmarkAppend is what Append costs its caller, for one session and for many; the disk's part is
// in it as far as it takes CPU time on the way.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint("sessions=", n), func(b *testing.B) {
			l := openBench(b, b.TempDir())
			defer mustClose(b, l)
			to := queues(b, l, n)
			m := noise()
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, err := l.Append(m, to); err != nil {
					b.Fatal(err)
				}
				if i++; i%100 == 0 {
					mustDurable(b, l)
				}
			}
			mustDurable(b, l)
			u := l.Usage()
			b.ReportMetric(float64(u.DiskBytes)/float64(u.Messages), "diskB/message")
		})
	}
}

// BenchmarkDrain reads pages of 100 messages and removes them.
func BenchmarkDrain(b *testing.B) {
	l := openBench(b, b.TempDir())
	defer mustClose(b, l)
	to := queues(b, l, 1)
	m := noise()
	for i := range b.N {
		appendTo(b, l, m, to[0].Queue)
		if i%1000 == 0 {
			mustDurable(b, l)
		}
	}
	mustDurable(b, l)
	b.ReportAllocs()
	b.ResetTimer()
	n := 0
	seqs := make([]Seq, 0, 100)
	for n < b.N {
		ms, err := l.Read(to[0].Queue, 0, 100, 1<<20)
		if err != nil || len(ms) == 0 {
			b.Fatalf("%d of %d: %d messages, %v", n, b.N, len(ms), err)
		}
		seqs = seqs[:0]
		for _, m := range ms {
			seqs = append(seqs, m.Seq)
		}
		l.Remove(to[0].Queue, seqs...)
		n += len(ms)
	}
	mustDurable(b, l)
}

func BenchmarkRemove(b *testing.B) {
	l := openBench(b, b.TempDir())
	defer mustClose(b, l)
	to := queues(b, l, 1)
	m := noise()
	seqs := make([]Seq, b.N)
	for i := range b.N {
		seqs[i] = appendTo(b, l, m, to[0].Queue)
		if i%1000 == 0 {
			mustDurable(b, l)
		}
	}
	mustDurable(b, l)
	b.ReportAllocs()
	b.ResetTimer()
	for i, s := range seqs {
		l.Remove(to[0].Queue, s)
		if i%1000 == 0 {
			mustDurable(b, l)
		}
	}
	mustDurable(b, l)
}

// BenchmarkOpen opens a log with a million messages in the queues of a thousand sessions, and tells
// what memory they take.
func BenchmarkOpen(b *testing.B) {
	const messages, sessions = 1_000_000, 1000
	dir := b.TempDir()
	l := openBench(b, dir)
	before := heap()
	to := queues(b, l, sessions)
	for i := range messages {
		if i%1000 == 0 {
			mustDurable(b, l)
		}
		appendTo(b, l, noise(), to[i%sessions].Queue)
	}
	mustDurable(b, l)
	perMessage := float64(heap()-before) / messages
	mustClose(b, l)
	for b.Loop() {
		l = openBench(b, dir)
		if n := l.Usage().Messages; n != messages {
			b.Fatalf("%d messages, want %d", n, messages)
		}
		mustClose(b, l)
	}
	b.ReportMetric(perMessage, "heapB/message")
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
