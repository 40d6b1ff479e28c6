//go:build linux

// Command logs measures the log store and Logs Insights over events of its own
// making: bytes of disk, ingest, scans and needle searches, side by side with
// DuckDB over the same events and with zstdcat | grep. Linux only.
//
//	go build -C test/bench/logs/duckdb -o /tmp/duckdb-bench .
//	go run ./test/bench/logs -events 10000000 -duckdb /tmp/duckdb-bench
//
// Times are processor times, of the second of two runs. Figures of a loaded
// machine are not those of a quiet one: the load average stands beside them.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/gatehouse-iot/gatehouse/internal/logs"
)

// bench is one run of the command.
type bench struct {
	events, devices int
	duckdb, dir     string
	out             io.Writer
	client, trace   string // what is looked for
}

// figure is one measurement. The command duckdb prints the same.
type figure struct {
	Name  string        `json:"name"`
	Rows  int64         `json:"rows"`
	Bytes int64         `json:"bytes"` // of disk
	Wall  time.Duration `json:"wall"`
	CPU   time.Duration `json:"cpu"`

	Memory int64 `json:"-"` // by how much the heap grew
}

func main() {
	b := bench{out: os.Stdout}
	flag.IntVar(&b.events, "events", 1_000_000, "how many events")
	flag.IntVar(&b.devices, "devices", 20_000, "devices that they are of")
	flag.StringVar(&b.duckdb, "duckdb", "", "binary of test/bench/logs/duckdb; without it there is no comparison")
	flag.StringVar(&b.dir, "dir", "", "folder for the files, which take 150 bytes an event; default a temporary one")
	flag.Parse()
	if err := b.run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "logs:", err)
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context) error {
	dir, err := os.MkdirTemp(b.dir, "gatehouse-bench-logs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Fprintf(b.out, "%d events of %d devices; load average %s\n", b.events, b.devices, strings.Join(strings.Fields(string(load))[:min(3, len(strings.Fields(string(load))))], " "))
	file := filepath.Join(dir, "events.jsonl.zst")
	generating, raw, err := b.write(file)
	if err != nil {
		return err
	}
	size := func(n int64) float64 { return float64(n) / float64(b.events) }
	store, err := logs.Open(logs.Config{Dir: filepath.Join(dir, "store"), MaxBytes: 1 << 40, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer store.Close()
	put, err := b.ingest(store, generating)
	if err != nil {
		return err
	}
	theirs, err := b.peers(ctx, dir, file)
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "bytes an event: text %.0f, Gatehouse %.1f, DuckDB %.1f, zstd of the text %.1f\n", size(raw), size(put.Bytes), size(theirs["load"].Bytes), size(info.Size()))
	fmt.Fprintf(b.out, "PutLogEvents' way, synced: %.0f events a second of processor time, %.0f of the clock\n", float64(b.events)/put.CPU.Seconds(), float64(b.events)/put.Wall.Seconds())
	if l, ok := theirs["load"]; ok {
		fmt.Fprintf(b.out, "DuckDB's load: %.0f events a second of processor time\n", float64(b.events)/l.CPU.Seconds())
	}
	if err := b.steady(store); err != nil {
		return err
	}
	fmt.Fprintf(b.out, "\n%-8s %8s %12s %12s %12s %8s %10s\n", "", "rows", "Gatehouse", "DuckDB", "zstd|grep", "ratio", "heap")
	for _, q := range b.questions() {
		f, err := q.ask(ctx, store)
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		d, g := theirs[q.name], theirs["grep "+q.name]
		ratio := "-"
		if d.CPU > 0 {
			ratio = fmt.Sprintf("%.2f", float64(f.CPU)/float64(d.CPU))
			if d.Rows != f.Rows {
				return fmt.Errorf("%s: %d rows, DuckDB has %d", q.name, f.Rows, d.Rows)
			}
		}
		fmt.Fprintf(b.out, "%-8s %8d %12v %12v %12v %8s %6d MiB\n", q.name, f.Rows, f.CPU.Round(10*time.Microsecond), d.CPU.Round(10*time.Microsecond), g.CPU.Round(time.Millisecond), ratio, f.Memory>>20)
	}
	return nil
}

// write writes the events to a file of lines, and answers the processor time of
// making them and how many bytes of text they are.
func (b *bench) write(path string) (generating time.Duration, raw int64, err error) {
	f := newFleet(b.devices)
	began := processor(syscall.RUSAGE_SELF)
	for n := 0; n < b.events/10; n += batch {
		f.next(batch)
	}
	generating = 10 * (processor(syscall.RUSAGE_SELF) - began)
	file, err := os.Create(path)
	if err != nil {
		return 0, 0, err
	}
	z, err := zstd.NewWriter(file)
	if err != nil {
		return 0, 0, err
	}
	f = newFleet(b.devices)
	for n := 0; n < b.events; n += batch {
		for i, e := range f.next(min(batch, b.events-n)) {
			if n == 0 && i == batch/2 {
				_, rest, _ := strings.Cut(e.Message, `"traceId":"`)
				b.trace, _, _ = strings.Cut(rest, `"`)
			}
			raw += int64(len(e.Message)) + 1
			if _, err := io.WriteString(z, e.Message+"\n"); err != nil {
				return 0, 0, err
			}
		}
	}
	b.client = f.devices[b.devices/2].client
	return generating, raw, errors.Join(z.Close(), file.Close())
}

// peers runs DuckDB and zstdcat | grep over the file.
func (b *bench) peers(ctx context.Context, dir, file string) (map[string]figure, error) {
	found := map[string]figure{}
	for name, needle := range map[string]string{"client": `"clientId":"` + b.client + `"`, "trace": b.trace, "page": `"status":"Failure"`} {
		if _, err := exec.LookPath("zstdcat"); err != nil {
			fmt.Fprintln(b.out, "there is no zstdcat: no comparison with zstdcat | grep")
			break
		}
		began, before := time.Now(), processor(syscall.RUSAGE_CHILDREN)
		if err := exec.CommandContext(ctx, "sh", "-c", `zstdcat "$1" | grep -cF "$2"`, "sh", file, needle).Run(); err != nil {
			return nil, fmt.Errorf("zstdcat | grep: %w", err)
		}
		found["grep "+name] = figure{Wall: time.Since(began), CPU: processor(syscall.RUSAGE_CHILDREN) - before}
	}
	if b.duckdb == "" {
		return found, nil
	}
	cmd := exec.CommandContext(ctx, b.duckdb, "-events", file, "-db", filepath.Join(dir, "duck.db"), "-client", b.client, "-trace", b.trace)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var f figure
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			return nil, err
		}
		found[f.Name] = f
	}
	return found, errors.Join(lines.Err(), cmd.Wait())
}

// processor is the processor time of this process, or of its children that ended.
func processor(who int) time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(who, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
