//go:build linux

package faults

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/server"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// SIGTERM with 1,000 live connections ends in a few seconds, also when some of
// them do not read; the devices are told, and their attempts are stored.
func TestShutdownWithLiveConnections(t *testing.T) {
	const connections, deaf, limit = 1000, 20, 6 * time.Second
	dir := filepath.Join(t.TempDir(), "data")
	gw := gatehouseproc.StartIn(t, dir, "--limits", "open")
	d := addDevice(t, gw, "fleet")
	live := make([]*tls.Conn, connections)
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			for i := worker; i < connections; i += 16 {
				var err error
				if live[i], err = d.open("127.0.0.1", gw.Ports.MQTT, fmt.Sprintf("fleet-%d", i), 5); err != nil {
					t.Errorf("connection %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	defer func() {
		for _, tc := range live {
			tc.NetConn().Close()
		}
	}()
	// Some subscribe to what a publisher sends without end, and do not read it.
	for _, tc := range live[:deaf] {
		tc.Write(packet(0x82, append(append([]byte{0, 1, 0}, text("big")...), 0)))
	}
	publisher := live[deaf]
	message := packet(0x30, append(append(text("big"), 0), make([]byte, 100<<10)...))
	for range 200 { // far more than sockets hold
		if _, err := publisher.Write(message); err != nil {
			t.Fatal(err)
		}
	}
	if err := publishOnce5(publisher, "done"); err != nil { // all before it has arrived
		t.Fatal(err)
	}

	began := time.Now()
	gw.Stop()
	took := time.Since(began)
	t.Logf("%d connections, %d of them deaf: ended in %v", connections, deaf, took)
	if took > limit {
		t.Errorf("the stop took %v, want at most %v", took, limit)
	}
	told := 0
	for _, tc := range live[deaf+1:] {
		tc.SetDeadline(time.Now().Add(5 * time.Second))
		rest, err := io.ReadAll(tc)
		if err == nil && string(rest) == "\xe0\x01\x8b" {
			told++
		}
	}
	if want := connections - deaf - 1; told != want {
		t.Errorf("%d of %d devices were told by DISCONNECT 0x8B and close_notify", told, want)
	}
	if _, err := server.ReadRunFile(dir); err == nil {
		t.Error("gatehouse.json is still there")
	}

	again := gatehouseproc.StartIn(t, dir)
	for _, id := range []string{"fleet-0", "fleet-500", "fleet-999"} {
		if outcome := explained(t, again, "--client-id", id).Attempt.Outcome; outcome == attempt.Live || outcome == "" {
			t.Errorf("the attempt of %s after the restart: outcome %q", id, outcome)
		}
	}
}

// publishOnce5 is publishOnce as MQTT 5.
func publishOnce5(tc *tls.Conn, topic string) error {
	if _, err := tc.Write(packet(0x32, append(text(topic), 0, 1, 0))); err != nil {
		return err
	}
	tc.SetReadDeadline(time.Now().Add(30 * time.Second))
	_, err := io.ReadFull(tc, make([]byte, 4))
	return err
}

// A second signal ends the process at once, whatever the first one still waits for.
func TestSecondSignal(t *testing.T) {
	gw := gatehouseproc.Start(t, "--limits", "open")
	d := addDevice(t, gw, "deaf")
	tc, err := d.open("127.0.0.1", gw.Ports.MQTT, "deaf", 4)
	if err != nil {
		t.Fatal(err)
	}
	defer tc.NetConn().Close()
	// The device sends and never reads: the goodbye has to wait for its time limit.
	go func() {
		pings := []byte(strings.Repeat("\xc0\x00", 1<<15))
		for {
			if _, err := tc.Write(pings); err != nil {
				return
			}
		}
	}()
	time.Sleep(2 * time.Second) // until nothing moves any more
	if err := syscall.Kill(gw.PID, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	if usageOf(gw.PID).threads == 0 {
		t.Fatal("one signal ended the process already: this tests nothing")
	}
	began := time.Now()
	gw.Stop() // the second one
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("after the second signal the process lived for %v", took)
	}
}

// A server that is killed while it starts, at any moment, starts the next time
// with the same CA and the same API credentials.
func TestKilledWhileStarting(t *testing.T) {
	bin, err := gatehouseproc.Build()
	if err != nil {
		t.Fatal(err)
	}
	for round := range 4 {
		dir := filepath.Join(t.TempDir(), "data")
		for range 6 {
			cmd := exec.Command(bin, "up", "--data-dir", dir, "--mqtt-port", "0", "--https-port", "0", "--alpn-port", "0", "--api-port", "0")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond)
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
		}
		gw := gatehouseproc.StartIn(t, dir)
		name := "after"
		if _, err := gw.IoT().CreateThing(t.Context(), &iot.CreateThingInput{ThingName: &name}); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		d := addDevice(t, gw, "d")
		tc, err := d.open("127.0.0.1", gw.Ports.MQTT, "d", 4)
		if err != nil {
			t.Errorf("round %d: %v", round, err)
		} else {
			tc.Close()
		}
		gw.Stop()
	}
}

// After kill -9 gatehouse.json is still there. Commands say that nothing listens,
// and the next start is not misled by it.
func TestStaleRunFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	gw := gatehouseproc.StartIn(t, dir)
	first := gw.RunFile
	gw.Kill()
	// The pid may be another process's by now: here it is this test's.
	path := filepath.Join(dir, server.RunFileName)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw = []byte(strings.Replace(string(raw), fmt.Sprintf(`"pid": %d`, first.PID), fmt.Sprintf(`"pid": %d`, os.Getpid()), 1))
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"env"}, {"explain", "--last"}, {"device", "add", "x"}} {
		stdout, stderr, err := gw.Run(context.Background(), t.TempDir(), "gatehouse", append(command, "--data-dir", dir)...)
		if code := gatehouseproc.ExitCode(err); code != 2 || stdout != "" {
			t.Errorf("gatehouse %v: exit %d, printed %q, want exit 2 and nothing", command, code, stdout)
		}
		for _, want := range []string{"no Gatehouse is running", first.APIURL, "hint: start it with: gatehouse up"} {
			if !strings.Contains(stderr, want) {
				t.Errorf("gatehouse %v says %q, want %q in it", command, stderr, want)
			}
		}
	}
	again := gatehouseproc.StartIn(t, dir)
	if again.AccessKeyID != first.AccessKeyID || again.SecretAccessKey != first.SecretAccessKey {
		t.Error("the API credentials changed")
	}
	again.MustRun(t, "gatehouse", "env", "--data-dir", dir)
}
