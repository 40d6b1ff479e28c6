//go:build linux

// Command levels measures what logging costs a broker: its CPU time for publishes
// of some clients to another, with nothing logged, failures logged, and every
// action logged, in turn in the same run. There are three loads: bursts of one
// client and single messages of many, both at a rate, and as much as goes through.
//
//	go build -o /tmp/gatehouse ./cmd/gatehouse && go run ./test/bench/levels -gatehouse /tmp/gatehouse
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-iot/gatehouse/internal/server"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

func main() {
	binary := flag.String("gatehouse", "gatehouse", "binary to measure")
	rate := flag.Int("rate", 20_000, "publishes a second")
	publishers := flag.Int("publishers", 50, "clients that publish, where there are many")
	length := flag.Duration("length", 5*time.Second, "of one measurement")
	rounds := flag.Int("rounds", 3, "rounds; the median counts")
	only := flag.String("only", "", "one load: bursts, single or saturation; default all three")
	flag.Parse()
	if err := run(*binary, *only, *rate, *publishers, *length, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "levels:", err)
		os.Exit(1)
	}
}

func run(binary, only string, rate, publishers int, length time.Duration, rounds int) error {
	dir, err := os.MkdirTemp("", "levels")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	data := filepath.Join(dir, "data")
	gatehouse := func(args ...string) error {
		out, err := exec.Command(binary, args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("gatehouse %s: %w\n%s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	up := exec.Command(binary, "up", "--data-dir", data, "--limits", "open", "--mqtt-port", "0", "--https-port", "0", "--alpn-port", "0", "--api-port", "0")
	up.Stderr = os.Stderr
	if err := up.Start(); err != nil {
		return err
	}
	defer func() { _ = up.Process.Signal(os.Interrupt); _ = up.Wait() }()
	info, err := await(filepath.Join(data, "gatehouse.json"))
	if err != nil {
		return err
	}
	join := func(name string) (net.Conn, error) {
		if err := gatehouse("device", "add", name, "--data-dir", data, "--out", filepath.Join(dir, name), "--topic", "t/*"); err != nil {
			return nil, err
		}
		return dial(dir, name, info)
	}
	var l load
	if l.receiver, err = join("receiver"); err != nil {
		return err
	}
	if err := mqtt.WritePacket(l.receiver, mqtt.V311, &mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("t/+")}}}); err != nil {
		return err
	}
	for i := range publishers {
		nc, err := join(fmt.Sprintf("device-%03d", i))
		if err != nil {
			return err
		}
		l.publishers = append(l.publishers, nc)
	}
	go l.receive()
	for _, one := range []struct {
		short, name string
		send        func(length time.Duration) (sent int, err error)
	}{
		{"bursts", fmt.Sprintf("%d/s in bursts of one client", rate), func(length time.Duration) (int, error) { return l.bursts(rate, length) }},
		{"single", fmt.Sprintf("%d/s in single messages of %d clients", rate, publishers), func(length time.Duration) (int, error) { return l.singles(rate, length) }},
		{"saturation", fmt.Sprintf("as much as goes through from %d clients", publishers), l.saturate},
	} {
		if only != "" && only != one.short {
			continue
		}
		spent := map[string][]float64{}
		for range rounds {
			for _, level := range []string{"DISABLED", "ERROR", "DEBUG"} {
				if err := gatehouse("logs", "level", "set", level, "--data-dir", data); err != nil {
					return err
				}
				time.Sleep(200 * time.Millisecond) // what the command left to do
				began, before := time.Now(), cpu(up.Process.Pid)
				sent, err := one.send(length)
				if err != nil {
					return err
				}
				took := time.Since(began)
				time.Sleep(500 * time.Millisecond) // what is buffered gets written
				each := (cpu(up.Process.Pid) - before).Seconds() * 1e6 / float64(sent)
				spent[level] = append(spent[level], each)
				fmt.Printf("  %-8s %8.0f publishes/s, %6.2f us of CPU each\n", level, float64(sent)/took.Seconds(), each)
			}
		}
		median := func(level string) float64 { slices.Sort(spent[level]); return spent[level][len(spent[level])/2] }
		failures, all := median("ERROR"), median("DEBUG")
		fmt.Printf("%s: failures only / nothing %.2f, everything / failures only %.2f, that is %.0f %% of the CPU\n",
			one.name, failures/median("DISABLED"), all/failures, 100*(all-failures)/all)
	}
	return nil
}

// await reads the run file when it is there.
func await(file string) (info server.RunFile, err error) {
	for range 300 {
		raw, err := os.ReadFile(file)
		if err == nil {
			return info, json.Unmarshal(raw, &info)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return info, errors.New("the server does not start")
}

// dial connects as a device.
func dial(dir, name string, info server.RunFile) (net.Conn, error) {
	file := func(end string) string { return filepath.Join(dir, name, name+end) }
	cert, err := tls.LoadX509KeyPair(file(".cert.pem"), file(".private.key"))
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(info.CAFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	d := tls.Dialer{Config: &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: roots, ServerName: info.Endpoint}}
	nc, err := d.DialContext(context.Background(), "tcp", net.JoinHostPort("localhost", strconv.Itoa(info.Ports.MQTT)))
	if err != nil {
		return nil, err
	}
	if err := mqtt.WritePacket(nc, mqtt.V311, &mqtt.Connect{Version: mqtt.V311, ProtocolName: []byte("MQTT"), ClientID: []byte(name), CleanStart: true, KeepAlive: 600}); err != nil {
		return nil, err
	}
	ack := make([]byte, 4)
	if _, err := io.ReadFull(nc, ack); err != nil || ack[3] != 0 {
		return nil, fmt.Errorf("CONNACK % x: %w", ack, err)
	}
	return nc, nil
}

// A load is clients that publish to a receiver, each on a topic of its own.
type load struct {
	receiver   net.Conn
	publishers []net.Conn
	received   atomic.Int64 // bytes
}

// receive counts what arrives until the connection ends.
func (l *load) receive() {
	buffer := make([]byte, 64<<10)
	for {
		n, err := l.receiver.Read(buffer)
		l.received.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// packet is a publish of a client; all are as long.
func packet(i int) ([]byte, error) {
	return (&mqtt.Publish{Topic: fmt.Appendf(nil, "t/%03d", i), Payload: make([]byte, 256)}).Append(nil, mqtt.V311)
}

// bursts sends a hundredth of a second's messages at once.
func (l *load) bursts(rate int, length time.Duration) (sent int, err error) {
	one, err := packet(0)
	if err != nil {
		return 0, err
	}
	burst := slices.Repeat(one, rate/100)
	start := time.Now()
	for next := start; time.Since(start) < length; {
		if _, err := l.publishers[0].Write(burst); err != nil {
			return sent, err
		}
		sent += rate / 100
		next = next.Add(10 * time.Millisecond)
		time.Sleep(time.Until(next))
	}
	return sent, nil
}

// singles lets the clients take turns, a message each.
func (l *load) singles(rate int, length time.Duration) (sent int, err error) {
	packets := make([][]byte, len(l.publishers))
	for i := range packets {
		if packets[i], err = packet(i); err != nil {
			return 0, err
		}
	}
	start := time.Now()
	for time.Since(start) < length {
		for due := int(time.Since(start).Seconds() * float64(rate)); sent < due; sent++ {
			i := sent % len(packets)
			if _, err := l.publishers[i].Write(packets[i]); err != nil {
				return sent, err
			}
		}
		time.Sleep(time.Millisecond)
	}
	return sent, nil
}

// saturate sends single messages as long as not too much is on its way.
func (l *load) saturate(length time.Duration) (int, error) {
	const window = 2000 // messages: nothing has to be dropped
	one, err := packet(0)
	if err != nil {
		return 0, err
	}
	var sent atomic.Int64
	start, before := time.Now(), l.received.Load()
	var g errgroup.Group
	for i, nc := range l.publishers {
		g.Go(func() error {
			p, err := packet(i)
			if err != nil {
				return err
			}
			for time.Since(start) < length {
				if sent.Load()-(l.received.Load()-before)/int64(len(one)) > window {
					time.Sleep(100 * time.Microsecond)
					continue
				}
				sent.Add(1)
				if _, err := nc.Write(p); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = g.Wait()
	return int(sent.Load()), err
}

// cpu is the CPU time of a process.
func cpu(pid int) time.Duration {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
}
