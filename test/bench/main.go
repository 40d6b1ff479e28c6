//go:build linux

// Command bench measures Gatehouse side by side with its peers, in turn in the
// same run, and prints ratios of CPU time and memory: absolute times of a shared
// machine do not hold from day to day. Linux only; `make bench` runs it.
//
// The peers are mosquitto (Debian's package) with an access control list,
// mochi-mqtt (a Go module, built in ./mochi) with one, and for connects a bare
// crypto/tls server that only completes the handshake, all with the same keys.
// CPU time is the server process's own, from the operating system.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	var b bench
	bare := flag.String("bare", "", "run as the bare TLS server with the keys of this folder, and nothing else")
	flag.IntVar(&b.rounds, "rounds", 3, "rounds; servers take turns in each, the median counts")
	flag.Float64Var(&b.scale, "scale", 1, "multiplies the number of messages and connections of every line")
	flag.StringVar(&b.binary, "gatehouse", "", "binary to measure, in place of building this tree")
	flag.StringVar(&b.peerNames, "peers", "mosquitto,mochi", "peers to measure too")
	start := flag.Int("start", 0, "measure this many first and later starts and the idle memory, and nothing else")
	authorizers := flag.Bool("authorizers", false, "measure connects by custom authorizers, and nothing else")
	only := flag.String("only", "", "regular expression of the lines to measure, by their names")
	flag.Parse()
	var err error
	if b.only, err = regexp.Compile(*only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	switch {
	case *bare != "":
		err = serveBare(*bare)
	case *start > 0:
		err = b.runStart(os.Stdout, *start)
	case *authorizers:
		err = b.runAuthorizers(os.Stdout)
	default:
		err = b.run(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures every line that was asked for.
func (b *bench) run(w io.Writer) error {
	if err := b.open(w); err != nil {
		return err
	}
	defer b.close()
	fmt.Fprintf(w, "%d CPUs, %s; median of %d rounds, servers in turn in each; the figure in brackets is the ratio to the first peer\n\n",
		runtime.NumCPU(), runtime.Version(), b.rounds)
	fmt.Fprintf(w, "%-44s", "")
	for _, s := range b.servers {
		fmt.Fprintf(w, " %20s", s.name)
	}
	fmt.Fprintf(w, " %14s\n", "goal")
	for _, line := range b.lines() {
		if !b.only.MatchString(line.name) {
			continue
		}
		if err := b.measure(w, line); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "\n%d goals, %d missed\n", b.goals, b.missed)
	return nil
}

// A line is one row of the result: a figure of every server.
type line struct {
	name string
	unit unit
	// must is the goal: the greatest ratio to mosquitto; 0: there is none. p99 is the one of the latency.
	must, p99 float64
	// once says that the figure is measured once: it changes what follows on the server.
	once bool
	// webSocket says that only servers with a WebSocket listener take part.
	webSocket bool
	// measure answers the figures of s by the names of the columns that it fills.
	measure func(s *peer) (figure, error)
	// bare measures against the bare TLS server too.
	bare func(s *peer) (figure, error)
}

// A figure is what a line measures: CPU time for one unit of work, or bytes for one.
type figure struct {
	value float64       // nanoseconds or bytes
	p99   time.Duration // latency of an open loop, 0: not measured
}

// A unit is how a line's figures are printed.
type unit struct {
	name  string
	scale float64
}

var (
	micros = unit{"us", 1e3}
	kib    = unit{"KiB", 1024}
	octets = unit{"B", 1}
)

func (b *bench) measure(w io.Writer, l line) error {
	rounds := b.rounds
	if l.once {
		rounds = 1
	}
	values := make([][]float64, len(b.servers))
	tails := make([][]float64, len(b.servers))
	for range rounds {
		for i, s := range b.servers {
			f := l.measure
			if s.bare {
				f = l.bare
			}
			if f == nil || l.webSocket && s.webSocket == "" {
				continue
			}
			got, err := f(s)
			if err != nil && s.ours {
				return fmt.Errorf("%s: %s: %w", l.name, s.name, err)
			}
			if err != nil { // a peer that loses messages or falls over is a finding, not an end
				fmt.Fprintf(os.Stderr, "%s: %s: %v\n", l.name, s.name, err)
				continue
			}
			values[i], tails[i] = append(values[i], got.value), append(tails[i], float64(got.p99))
		}
	}
	b.print(w, l.name, l.unit, l.must, values)
	if len(tails[0]) > 0 && tails[0][0] > 0 {
		b.print(w, "  p99 latency", unit{"ms", 1e6}, l.p99, tails)
	}
	return nil
}

// print writes one row of medians; the first column is ours, the second the one that ratios refer to.
// The goal is for mosquitto in the second.
func (b *bench) print(w io.Writer, name string, u unit, must float64, values [][]float64) {
	var row strings.Builder
	fmt.Fprintf(&row, "%-44s", name)
	base := 0.0
	if len(values) > 1 {
		base = median(values[1])
	}
	for i, v := range values {
		m := median(v)
		switch {
		case len(v) == 0:
			fmt.Fprintf(&row, " %20s", "-")
		case i == 1 || base == 0:
			fmt.Fprintf(&row, " %20s", fmt.Sprintf("%.2f %-3s       ", m/u.scale, u.name))
		default:
			fmt.Fprintf(&row, " %20s", fmt.Sprintf("%.2f %-3s (%.2f)", m/u.scale, u.name, m/base))
		}
	}
	if must > 0 && base > 0 && len(values[0]) > 0 && b.servers[1].name == "mosquitto" {
		b.goals++
		goal := fmt.Sprintf("%.2f", must)
		if median(values[0])/base > must {
			b.missed++
			goal += " MISSED"
		}
		fmt.Fprintf(&row, " %14s", goal)
	}
	fmt.Fprintln(w, strings.TrimRight(row.String(), " "))
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
