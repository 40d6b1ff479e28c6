package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// onTerminal runs a command with both its outputs on a terminal, and returns what stands there.
func onTerminal(t *testing.T, cmd *exec.Cmd) (string, int) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here:", err)
	}
	defer master.Close()
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetUint32(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here:", err)
	}
	cmd.Stdout, cmd.Stderr = terminal, terminal
	err = cmd.Start()
	terminal.Close()
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(master) // ends with EIO when the last of the other end is closed
	return strings.ReplaceAll(string(text), "\r\n", "\n"), exitCode(t, cmd.Wait())
}

// TestProgress: a terminal shows the stage under way, and nothing of it is left
// when the report begins.
func TestProgress(t *testing.T) {
	t.Parallel()
	const erase = "\r\x1b[K"
	s := newScene(t, "none")
	text, code := onTerminal(t, s.command())
	i := strings.LastIndex(text, erase)
	if code != 0 || i < 0 {
		t.Fatalf("exit %d: %q", code, text)
	}
	progress, report := text[:i], text[i+len(erase):]
	for _, stage := range []string{"tls", "connect"} {
		if !strings.Contains(progress, erase+stage+" ...") {
			t.Errorf("%s was not shown: %q", stage, progress)
		}
	}
	if strings.Contains(progress, "\n") {
		t.Errorf("more than one line was used: %q", progress)
	}
	if plain := strings.NewReplacer("\x1b[1m", "", "\x1b[32m", "", "\x1b[32;1m", "", "\x1b[0m", "", "\x1b[0;22m", "", "\x1b[22m", "").Replace(report); !strings.HasPrefix(plain, "WORKS: ") {
		t.Errorf("the report begins with %q", report[:min(len(report), 80)])
	}

	for _, env := range []string{"TERM=dumb", "CI=true"} {
		cmd := s.command()
		cmd.Env = append(cmd.Env, env)
		if text, code := onTerminal(t, cmd); code != 0 || strings.Contains(text, " ...\r") || strings.Contains(text, erase) {
			t.Errorf("%s: exit %d: %q", env, code, text)
		}
	}
}
