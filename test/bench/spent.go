//go:build linux

package main

import (
	"sync"
	"sync/atomic"
	"time"
)

// spent runs work and answers the CPU time of server for one of its n units.
func spent(server *process, n int, work func() error) (time.Duration, error) {
	before, err := server.cpu()
	if err != nil {
		return 0, err
	}
	if err := work(); err != nil {
		return 0, err
	}
	time.Sleep(100 * time.Millisecond) // the server closes its ends
	after, err := server.cpu()
	return (after - before) / time.Duration(n), err
}

// inParallel runs f(0) … f(n-1) by workers and answers the first error.
func inParallel(n, workers int, f func(i int) error) error {
	var next atomic.Int64
	var first atomic.Pointer[error]
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && first.Load() == nil; i = next.Add(1) - 1 {
				if err := f(int(i)); err != nil {
					first.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	if err := first.Load(); err != nil {
		return *err
	}
	return nil
}
