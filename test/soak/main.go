//go:build linux

// Command soak runs Gatehouse under mixed load and watches its memory: messages at QoS 0 and 1 at
// steady rates, over TLS and WebSocket; stored sessions that come, go and expire; retained messages;
// a shared subscription; subscriptions that change; devices that are refused.
//
//	go run ./test/soak -minutes 30
//
// It prints a line a minute, and fails if what the server holds in the last third is more than in the
// first or in the middle one, if a message that must not be lost was, or if a client met what it should not.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

const sampleEvery = 5 * time.Second

func main() {
	minutes := flag.Float64("minutes", 30, "how long the load goes on, after one minute that does not count")
	scale := flag.Float64("scale", 1, "clients, as a multiple of the default")
	dir := flag.String("dir", "", "data folder; default: a temporary one")
	profiles := flag.String("profiles", "", "folder for heap profiles of the server: before.pprof, after.pprof, and two between the thirds")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, os.Stdout, *minutes, *scale, *dir, *profiles); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, minutes, scale float64, dir, profiles string) error {
	temporary, err := os.MkdirTemp("", "gatehouse-soak-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	gw, err := gatehouseproc.Launch(cmp.Or(dir, filepath.Join(temporary, "data")), "--limits", "open")
	if err != nil {
		return err
	}
	defer gw.Stop()
	l, err := newLoad(ctx, gw, temporary, scale)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() { defer close(stopped); l.run(ctx) }()
	samples, err := watch(ctx, w, gw, l, time.Duration(minutes*float64(time.Minute)), profiles)
	cancel()
	<-stopped
	if err != nil {
		return err
	}
	return verdict(w, samples, l)
}

// A sample is what the server holds at one moment.
type sample struct {
	gatehouseproc.Usage
	disk int64 // bytes of the data folder
}

// watch takes samples, and prints one a minute. The first minute is there for pools to fill.
func watch(ctx context.Context, w io.Writer, gw *gatehouseproc.Process, l *load, length time.Duration, profiles string) (samples []sample, err error) {
	fmt.Fprintf(w, "%8s %9s %9s %9s %12s %10s %12s %12s %10s %8s\n", "", "resident", "anonymous", "threads", "descriptors", "disk", "published", "delivered", "connects", "refused")
	began, printed, thirds := time.Now(), time.Time{}, 0
	warm := min(time.Minute, length/3)
	t := time.NewTicker(sampleEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-t.C:
		}
		u := gatehouseproc.UsageOf(gw.PID)
		if u.Resident == 0 {
			return nil, fmt.Errorf("the server ended:\n%s", gw.Output())
		}
		s := sample{u, sizeOf(gw.DataDir)}
		passed := time.Since(began)
		if passed >= warm {
			if len(samples) == 0 {
				if err := saveHeap(ctx, gw, profiles, "before.pprof"); err != nil {
					return nil, err
				}
			}
			samples = append(samples, s)
		}
		for thirds < 2 && passed >= warm+length*time.Duration(thirds+1)/3 {
			thirds++
			if err := saveHeap(ctx, gw, profiles, fmt.Sprintf("third%d.pprof", thirds)); err != nil {
				return nil, err
			}
		}
		if time.Since(printed) >= time.Minute-sampleEvery/2 || passed >= length+warm {
			printed = time.Now()
			fmt.Fprintf(w, "%8s %5d MiB %5d MiB %9d %12d %6d MiB %12d %12d %10d %8d\n", passed.Round(time.Second), s.Resident>>20, s.Anonymous>>20, s.Threads, s.Descriptors, s.disk>>20,
				l.published.Load(), l.delivered.Load(), l.connects.Load(), l.refused.Load())
		}
		if passed >= length+warm {
			return samples, saveHeap(ctx, gw, profiles, "after.pprof")
		}
	}
}

// saveHeap writes the server's heap profile to a file of the folder, if one is named.
func saveHeap(ctx context.Context, gw *gatehouseproc.Process, folder, name string) error {
	if folder == "" {
		return nil
	}
	profile, err := gw.Heap(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, name), profile, 0o600)
}

func sizeOf(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			if info, err := e.Info(); err == nil { // else it has just been removed
				n += info.Size()
			}
		}
		return nil
	})
	return n
}

// growth is how much more the last third may hold than the middle one, and with the slack of a row than
// the first: what the collector and the allocator happen to hold differs by so much.
const growth = 1.1

func verdict(w io.Writer, samples []sample, l *load) error {
	third := len(samples) / 3
	if third == 0 {
		return fmt.Errorf("%d samples are too few", len(samples))
	}
	mean := func(list []sample, of func(sample) int64) (sum int64) {
		for _, s := range list {
			sum += of(s)
		}
		return sum / int64(len(list))
	}
	failed := false
	for _, row := range []struct {
		name  string
		slack int64
		of    func(sample) int64
	}{
		{"anonymous memory", 8 << 20, func(s sample) int64 { return s.Anonymous }},
		{"threads", 3, func(s sample) int64 { return int64(s.Threads) }},
		{"descriptors", 20, func(s sample) int64 { return int64(s.Descriptors) }},
	} {
		last := len(samples) - third
		means := []int64{mean(samples[:third], row.of), mean(samples[third:last], row.of), mean(samples[last:], row.of)}
		word := "flat"
		if float64(means[2]) > growth*float64(means[0])+float64(row.slack) || float64(means[2]) > growth*float64(means[1])+1 {
			word, failed = "GREW", true
		}
		fmt.Fprintf(w, "%s: %s: means of the thirds %d\n", word, row.name, means)
	}
	faults := l.faults()
	for _, f := range faults {
		fmt.Fprintln(w, "FAULT:", f)
	}
	switch {
	case failed:
		return fmt.Errorf("the server grew")
	case len(faults) > 0:
		return fmt.Errorf("%d faults", len(faults))
	}
	return nil
}
