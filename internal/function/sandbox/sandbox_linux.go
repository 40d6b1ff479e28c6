package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Users and groups of the slots. systemd keeps these numbers unused, and they
// are small enough for a container's map of users.
const (
	firstID = 60710
	lastID  = firstID + MaxSlots - 1
)

// start asks the thread that starts processes for one.
type start struct {
	cmd  *exec.Cmd
	done chan error
}

// New finds out what can be restricted. runDir is a folder that commands must
// be able to reach; hide are folders that they must not see at all.
func New(ctx context.Context, runDir string, hide ...string) (*Sandbox, error) {
	s := &Sandbox{starts: make(chan start), hide: hide}
	go s.startAll()
	var failed error
	for _, namespaces := range []bool{true, false} {
		s.Report = Report{OwnUser: os.Getuid() == 0, Namespaces: namespaces}
		if failed = s.probe(ctx, runDir); failed == nil {
			return s, nil
		}
	}
	s.Close()
	if s.Report.OwnUser { // never as root instead
		return nil, fmt.Errorf("start a restricted process: %w; Gatehouse runs as root and gives functions users of their own, which takes CAP_SETUID, CAP_SETGID"+
			" and the user IDs %d to %d: where there are none, as in a container with one user, start it as another user", failed, firstID, lastID)
	}
	return nil, fmt.Errorf("start a restricted process: %w", failed)
}

// Close ends the thread that starts processes; what runs still is killed with it.
func (s *Sandbox) Close() { close(s.starts) }

// startAll starts processes one after the other, from one thread that lives as
// long as the sandbox: the kernel kills a child when the thread that started it ends.
func (s *Sandbox) startAll() {
	runtime.LockOSThread() // never unlocked: the thread ends with us
	for job := range s.starts {
		job.done <- job.cmd.Start()
	}
}

// probe starts the helper for a look around.
func (s *Sandbox) probe(ctx context.Context, runDir string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	p, err := s.launch(spec{Probe: true, Dir: runDir}, 0, 0, w, w)
	w.Close()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, p.Kill)
	defer stop()
	var out bytes.Buffer
	_, readErr := out.ReadFrom(r)
	how, err := p.Wait()
	if err != nil || readErr != nil {
		return errors.Join(err, readErr)
	}
	if how != "exit status 0" {
		return fmt.Errorf("%s: %s", how, strings.TrimSpace(out.String()))
	}
	return json.Unmarshal(out.Bytes(), &s.Report.Landlock)
}

// UserOf is the user of a slot.
func (s *Sandbox) UserOf(slot int) int {
	if !s.Report.OwnUser {
		return os.Getuid()
	}
	return firstID + slot
}

// GroupOf is the group with a number, which may have any size: groups repeat.
func (s *Sandbox) GroupOf(codeGroup int) int {
	if !s.Report.OwnUser {
		return os.Getgid()
	}
	return firstID + codeGroup%MaxSlots
}

// Start starts c. The caller waits for it.
func (s *Sandbox) Start(c Command) (*Process, error) {
	if c.Slot < 0 || c.Slot >= MaxSlots {
		return nil, fmt.Errorf("sandbox: slot %d", c.Slot)
	}
	return s.launch(spec{
		Path: c.Path, Args: c.Args, Env: c.Env, Dir: c.Dir, MostBytes: c.MostBytes, Readable: c.Readable, Scratch: c.Scratch,
	}, c.Slot, c.CodeGroup, c.Stdout, c.Stderr)
}

func (s *Sandbox) launch(what spec, slot, codeGroup int, stdout, stderr *os.File) (*Process, error) {
	what.Namespaces, what.Hide = s.Report.Namespaces, s.hide
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if s.Report.OwnUser {
		what.User, what.CodeGroup = s.UserOf(slot), s.GroupOf(codeGroup)
	}
	if s.Report.Namespaces {
		attr.Cloneflags = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC
		if !s.Report.OwnUser {
			attr.Cloneflags |= syscall.CLONE_NEWUSER
			attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
			attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
			attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN} // to mount; gone with the exec of the program
		}
	}
	text, err := json.Marshal(what)
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: []string{helperName}, Env: []string{}, Dir: "/", ExtraFiles: []*os.File{r}, SysProcAttr: attr}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	job := start{cmd, make(chan error, 1)}
	s.starts <- job
	if err := <-job.done; err != nil {
		w.Close()
		return nil, err
	}
	p := &Process{cmd: cmd}
	_, err = w.Write(text) // a helper that died gives EPIPE; it says why on stderr
	w.Close()
	if err != nil && !errors.Is(err, syscall.EPIPE) {
		p.Kill()
		_, _ = p.Wait()
		return nil, err
	}
	return p, nil
}

// A Process is a started command.
type Process struct{ cmd *exec.Cmd }

// PID is the process's number as we see it.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends the process and its group; with namespaces everything it started.
// It must not be called after Wait returned.
func (p *Process) Kill() {
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	_ = p.cmd.Process.Kill() // it may have left its group; it may be gone
}

// Wait waits for the end and says how it came: "exit status 1", "signal: killed".
func (p *Process) Wait() (string, error) {
	err := p.cmd.Wait()
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL) // children that it left behind in its group
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.String(), nil
	} else if err != nil {
		return "", err
	}
	return "exit status 0", nil
}

// Usage measures what the process and its descendants hold now: resident memory
// in bytes, of which files that they share count once, and processes.
func (p *Process) Usage() (bytes int64, processes int) {
	return usage(fmt.Sprint(p.PID()), 0)
}

// deepest bounds how far down the tree of processes Usage looks.
const deepest = 16

func usage(pid string, depth int) (bytes int64, processes int) {
	statm, err := os.ReadFile(filepath.Join("/proc", pid, "statm"))
	if err != nil || depth > deepest {
		return 0, 0
	}
	var size, resident, shared int64
	if _, err := fmt.Sscan(string(statm), &size, &resident, &shared); err != nil {
		return 0, 0
	}
	if depth > 0 {
		resident -= shared
	}
	bytes, processes = resident*int64(os.Getpagesize()), 1
	tasks, err := os.ReadDir(filepath.Join("/proc", pid, "task"))
	if err != nil {
		return bytes, processes
	}
	for _, task := range tasks {
		children, err := os.ReadFile(filepath.Join("/proc", pid, "task", task.Name(), "children"))
		if err != nil {
			continue // the thread ended
		}
		for child := range strings.FieldsSeq(string(children)) {
			b, n := usage(child, depth+1)
			bytes, processes = bytes+b, processes+n
		}
	}
	return bytes, processes
}
