package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/diagnose/faultserver"
)

// A scene is a port behind which faults take turns, and the command that asks it.
type scene struct {
	t      *testing.T
	server *faultserver.Server
	caFile string
	self   string
	port   int

	backend atomic.Pointer[string] // address of the fault on show
	came    chan struct{}          // a value for each connection, as far as there is room
}

// newScene shows a fault.
func newScene(t *testing.T, fault string) *scene {
	t.Helper()
	s := &scene{t: t, came: make(chan struct{}, 100)}
	var err error
	s.server, err = faultserver.Start("127.0.0.1", "localhost")
	s.must(err)
	t.Cleanup(s.server.Stop)
	s.caFile = filepath.Join(t.TempDir(), "ca.pem")
	s.must(os.WriteFile(s.caFile, s.server.CA(), 0o600))
	self, err := os.Executable()
	s.must(err)
	s.self = filepath.Join(t.TempDir(), "gatehouse")
	s.must(os.Symlink(self, s.self))
	s.show(fault)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	s.port = ln.Addr().(*net.TCPAddr).Port
	var open sync.WaitGroup
	open.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			select {
			case s.came <- struct{}{}:
			default:
			}
			open.Go(func() { s.forward(nc) })
		}
	})
	t.Cleanup(func() { ln.Close(); s.server.Stop(); open.Wait() })
	return s
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// show changes the fault for connections that are to come.
func (s *scene) show(fault string) {
	s.t.Helper()
	f, err := faultserver.Lookup(fault)
	s.must(err)
	addr, err := s.server.Listen(s.t.Context(), f, 0)
	s.must(err)
	s.backend.Store(new(addr.String()))
}

func (s *scene) forward(nc net.Conn) {
	defer nc.Close()
	back, err := net.Dial("tcp", *s.backend.Load())
	if err != nil {
		return
	}
	defer back.Close()
	var both sync.WaitGroup
	both.Go(func() { io.Copy(back, nc); back.(*net.TCPConn).CloseWrite() })
	both.Go(func() { io.Copy(nc, back); nc.(*net.TCPConn).CloseWrite() })
	both.Wait()
}

// command is `gatehouse diagnose` of the port, in a process of its own.
func (s *scene) command(flags ...string) *exec.Cmd {
	args := append([]string{"diagnose", "--endpoint", "localhost", "--port", strconv.Itoa(s.port), "--ca", s.caFile, "--client-id", "w", "--no-inspect", "--mqtt-version", "3"}, flags...)
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	s.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, s.self, args...)
	cmd.Dir = s.t.TempDir()
	cmd.Env = append(os.Environ(), "CI=", "NO_COLOR=", "TERM=xterm", "GATEHOUSE_DATA_DIR="+cmd.Dir)
	return cmd
}

// A stream is what a process writes; wait returns when it has a text.
type stream struct {
	mu   sync.Mutex
	text bytes.Buffer
	grew chan struct{}
}

func newStream() *stream { return &stream{grew: make(chan struct{}, 1)} }

func (b *stream) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.grew <- struct{}{}:
	default:
	}
	return b.text.Write(p)
}

func (b *stream) String() string { b.mu.Lock(); defer b.mu.Unlock(); return b.text.String() }

func (b *stream) wait(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(time.Minute)
	for !strings.Contains(b.String(), text) {
		select {
		case <-b.grew:
		case <-deadline:
			t.Fatalf("no %q in:\n%s", text, b)
		}
	}
}

// exitCode is that of a process that has ended.
func exitCode(t *testing.T, err error) int {
	t.Helper()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return 0
}

// TestWatch repeats until the device connects: it tells each verdict once, and
// ends with exit code 0.
func TestWatch(t *testing.T) {
	t.Parallel()
	s := newScene(t, "connack-5")
	cmd, out, errs := s.command("--watch"), newStream(), newStream()
	cmd.Stdout, cmd.Stderr = out, errs
	s.must(cmd.Start())
	out.wait(t, "PROBLEM: ")
	s.show("none")
	if code := exitCode(t, cmd.Wait()); code != 0 {
		t.Errorf("exit %d: %s", code, errs)
	}
	problem, works, _ := strings.Cut(out.String(), "WORKS: ")
	if works == "" || strings.Count(problem, "PROBLEM: ") != 1 || !strings.Contains(problem, "connect.refused") {
		t.Errorf("want one problem, then that it works:\n%s", out)
	}
}

// TestWatchInterrupted ends with the last verdict and its exit code.
func TestWatchInterrupted(t *testing.T) {
	t.Parallel()
	s := newScene(t, "connack-5")
	cmd, out, errs := s.command("--watch"), newStream(), newStream()
	cmd.Stdout, cmd.Stderr = out, errs
	s.must(cmd.Start())
	out.wait(t, "not looked at\n") // the last line of the report: it waits now, or has begun again
	s.must(cmd.Process.Signal(os.Interrupt))
	if code := exitCode(t, cmd.Wait()); code != 1 {
		t.Errorf("exit %d: %s", code, errs)
	}
	if text := out.String(); strings.Count(text, "PROBLEM: ") != 1 || strings.Contains(text, "INTERRUPTED") || errs.String() != "" {
		t.Errorf("want the one report alone:\n%s%s", text, errs)
	}
}

// TestInterruptedProbe: Ctrl-C in the midst of a step ends it at once, with what
// was found until then and exit code 2: it could not tell.
func TestInterruptedProbe(t *testing.T) {
	t.Parallel()
	s := newScene(t, "accept-silence")
	for _, form := range []string{"text", "json", "junit"} {
		cmd, out, errs := s.command("--timeout", "1m", "-o", form), newStream(), newStream()
		cmd.Stdout, cmd.Stderr = out, errs
		began := time.Now()
		s.must(cmd.Start())
		<-s.came // it waits for the server's first byte now, or will at once
		s.must(cmd.Process.Signal(os.Interrupt))
		code := exitCode(t, cmd.Wait())
		want := map[string]string{"text": "INTERRUPTED: ", "json": `"verdict": "interrupted"`, "junit": "<testsuites"}[form]
		if code != 2 || !strings.Contains(out.String(), want) || errs.String() != "gatehouse: interrupted before it could tell\n" {
			t.Errorf("%s: exit %d, %s\n%s", form, code, errs, out)
		}
		if took := time.Since(began); took > 40*time.Second {
			t.Errorf("%s: it took %v to end", form, took)
		}
		for len(s.came) > 0 {
			<-s.came
		}
	}
}

// TestNoProgress: what is no terminal gets no progress line, nor does a CI job that has one.
func TestNoProgress(t *testing.T) {
	t.Parallel()
	s := newScene(t, "none")
	var errs bytes.Buffer
	cmd := s.command()
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if code := exitCode(t, err); code != 0 || errs.Len() > 0 || !strings.HasPrefix(string(out), "WORKS: ") || strings.Contains(string(out), "\x1b") {
		t.Errorf("exit %d, %q\n%s", code, errs.String(), out)
	}
}
