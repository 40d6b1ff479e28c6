// Package sandbox starts programs that nobody trusts: with a user, processes and
// files of their own, and nothing of ours.
//
// The program of Gatehouse starts itself again as a helper, which takes away
// what the kernel lets it take away and then becomes the program.
package sandbox

import (
	"errors"
	"os"
)

// A Command is a program to start.
type Command struct {
	Path string   // absolute
	Args []string // the first is the program's name
	Env  []string // all of it
	Dir  string

	Slot      int      // 0 up to MaxSlots-1: chooses the user; no two running commands may have the same
	CodeGroup int      // see GroupOf: a group that may read what is in Readable
	Readable  []string // files and folders beside the system's own that the program may read and execute
	Scratch   string   // the folder that it may write to; also its /tmp where the kernel lets us
	MostBytes uint64   // of private memory, a backstop; 0: no bound

	Stdout, Stderr *os.File // where its output goes
}

// MaxSlots bounds how many commands run at once.
const MaxSlots = 400

// Processes and threads, and open files, that one command may have.
const (
	MaxProcesses = 256
	maxFiles     = 1024
	maxFileBytes = 512 << 20
)

// A Sandbox starts commands with all restrictions that this machine has. Make
// one with [New].
type Sandbox struct {
	Report Report

	starts chan start
	hide   []string
}

// A Report says which restrictions there are.
type Report struct {
	OwnUser    bool // each process has a user of its own; else it has ours
	Namespaces bool // it sees its own processes only, and all end with it; /tmp is its own
	Landlock   int  // version of the kernel's Landlock; 0: files are not restricted
}

// Missing lists in words what this machine can't restrict.
func (r Report) Missing() []string {
	var out []string
	if !r.OwnUser {
		out = append(out, "functions run as Gatehouse's own user: start Gatehouse as root to give them users of their own")
	}
	if !r.Namespaces {
		out = append(out, "functions see the machine's processes, and one that leaves its process group outlives its end: the kernel refused namespaces")
	}
	if r.Landlock == 0 {
		out = append(out, "functions read every file that their user may read: the kernel has no Landlock")
	}
	return out
}

// ErrUnsupported is what a system other than Linux answers.
var ErrUnsupported = errors.New("functions run on Linux only")
