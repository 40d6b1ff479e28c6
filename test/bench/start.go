//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/server"
)

// measureStart prints how long a first start and a later one take until every
// door is open, as medians of n, and the memory of a server that does nothing.
func (b *bench) measureStart(w io.Writer, n int) error {
	var first, later []time.Duration
	for i := range n {
		data := filepath.Join(b.dir, fmt.Sprint("start", i))
		for _, times := range []*[]time.Duration{&first, &later} {
			p, took, err := b.startIn(data)
			if err != nil {
				return err
			}
			p.stop()
			*times = append(*times, took)
		}
	}
	p, _, err := b.startIn(filepath.Join(b.dir, "start0"))
	if err != nil {
		return err
	}
	defer p.stop()
	time.Sleep(30 * time.Second)
	memory, err := p.resident()
	if err != nil {
		return err
	}
	slices.Sort(first)
	slices.Sort(later)
	_, err = fmt.Fprintf(w, "%-50s %8.0f ms, at most %.0f ms\n%-50s %8.0f ms, at most %.0f ms\n%-50s %8.1f MiB\n",
		"first start until ready", milliseconds(first[n/2]), milliseconds(first[n-1]),
		"later start until ready", milliseconds(later[n/2]), milliseconds(later[n-1]),
		"memory after 30 s of doing nothing", float64(memory)/(1<<20))
	return err
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// startIn starts a server on a data folder and answers how long it took until it
// had written that it is ready.
func (b *bench) startIn(data string) (*process, time.Duration, error) {
	began := time.Now()
	p, err := startProcess("gatehouse", b.binary, "up", "--data-dir", data,
		"--mqtt-port", "0", "--https-port", "0", "--alpn-port", "0", "--api-port", "0")
	if err != nil {
		return nil, 0, err
	}
	for time.Since(began) < 30*time.Second {
		if _, err = server.ReadRunFile(data); err == nil {
			return p, time.Since(began), nil
		}
		time.Sleep(time.Millisecond)
	}
	p.stop()
	return nil, 0, fmt.Errorf("gatehouse is not ready: %w\n%s", err, p.log)
}

// runStart is the whole of `bench -start`.
func (b *bench) runStart(w io.Writer, n int) (err error) {
	if b.dir, err = os.MkdirTemp("", "gatehouse-bench-*"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.build(); err != nil {
		return err
	}
	return b.measureStart(w, n)
}
