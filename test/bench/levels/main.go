//go:build linux

// Command levels measures what logging costs a broker: its CPU time at a rate of
// publishes from one client to another, with nothing logged, failures logged, and
// every action logged, in turn in the same run.
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
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/server"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

func main() {
	binary := flag.String("gatehouse", "gatehouse", "binary to measure")
	rate := flag.Int("rate", 20_000, "publishes a second")
	length := flag.Duration("length", 5*time.Second, "of one measurement")
	rounds := flag.Int("rounds", 3, "rounds; the median counts")
	flag.Parse()
	if err := run(*binary, *rate, *length, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "levels:", err)
		os.Exit(1)
	}
}

func run(binary string, rate int, length time.Duration, rounds int) error {
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
	for _, name := range []string{"pub", "sub"} {
		if err := gatehouse("device", "add", name, "--data-dir", data, "--out", filepath.Join(dir, name), "--topic", "t/*"); err != nil {
			return err
		}
	}
	pub, _, err := dial(dir, "pub", info)
	if err != nil {
		return err
	}
	sub, in, err := dial(dir, "sub", info)
	if err != nil {
		return err
	}
	if err := mqtt.WritePacket(sub, mqtt.V311, &mqtt.Subscribe{PacketID: 1, Filters: []mqtt.Subscription{{Filter: []byte("t/1")}}}); err != nil {
		return err
	}
	go func() { _, _ = io.Copy(io.Discard, in) }()
	levels := []string{"DISABLED", "ERROR", "DEBUG"}
	spent := map[string][]float64{}
	for range rounds {
		for _, level := range levels {
			if err := gatehouse("logs", "level", "set", level, "--data-dir", data); err != nil {
				return err
			}
			before := cpu(up.Process.Pid)
			sent, took, err := publish(pub, rate, length)
			if err != nil {
				return err
			}
			time.Sleep(500 * time.Millisecond) // what is buffered gets written
			spent[level] = append(spent[level], (cpu(up.Process.Pid)-before).Seconds()*1e6/float64(sent))
			fmt.Printf("%-8s %8.0f publishes/s, %6.2f us of CPU each\n", level, float64(sent)/took.Seconds(), spent[level][len(spent[level])-1])
		}
	}
	median := func(level string) float64 { slices.Sort(spent[level]); return spent[level][len(spent[level])/2] }
	fmt.Printf("median: failures only / nothing %.2f, everything / failures only %.2f\n", median("ERROR")/median("DISABLED"), median("DEBUG")/median("ERROR"))
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
func dial(dir, name string, info server.RunFile) (net.Conn, io.Reader, error) {
	file := func(end string) string { return filepath.Join(dir, name, name+end) }
	cert, err := tls.LoadX509KeyPair(file(".cert.pem"), file(".private.key"))
	if err != nil {
		return nil, nil, err
	}
	pem, err := os.ReadFile(info.CAFile)
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	d := tls.Dialer{Config: &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: roots, ServerName: info.Endpoint}}
	nc, err := d.DialContext(context.Background(), "tcp", net.JoinHostPort("localhost", strconv.Itoa(info.Ports.MQTT)))
	if err != nil {
		return nil, nil, err
	}
	if err := mqtt.WritePacket(nc, mqtt.V311, &mqtt.Connect{Version: mqtt.V311, ProtocolName: []byte("MQTT"), ClientID: []byte(name), CleanStart: true, KeepAlive: 600}); err != nil {
		return nil, nil, err
	}
	ack := make([]byte, 4)
	if _, err := io.ReadFull(nc, ack); err != nil || ack[3] != 0 {
		return nil, nil, fmt.Errorf("CONNACK % x: %w", ack, err)
	}
	return nc, nc, nil
}

// publish sends at a rate, a hundredth of a second's messages at once.
func publish(nc net.Conn, rate int, length time.Duration) (sent int, took time.Duration, err error) {
	one, err := (&mqtt.Publish{Topic: []byte("t/1"), Payload: make([]byte, 128)}).Append(nil, mqtt.V311)
	if err != nil {
		return 0, 0, err
	}
	burst := slices.Repeat(one, rate/100)
	start := time.Now()
	for next := start; time.Since(start) < length; {
		if _, err := nc.Write(burst); err != nil {
			return sent, 0, err
		}
		sent += rate / 100
		next = next.Add(10 * time.Millisecond)
		time.Sleep(time.Until(next))
	}
	return sent, time.Since(start), nil
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
