package gatehouseproc

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Usage is what a process holds at one moment.
type Usage struct {
	Resident    int64 // bytes
	Anonymous   int64 // bytes of it that are no file's: the heap, and what else the process made
	Descriptors int   // but those of database files: the pools keep them, and open more as they need them
	Threads     int
}

// UsageOf reads /proc; zero when the process is gone.
func UsageOf(pid int) (u Usage) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	fds, _ := os.ReadDir(filepath.Join(dir, "fd"))
	for _, fd := range fds {
		if file, _ := os.Readlink(filepath.Join(dir, "fd", fd.Name())); !strings.Contains(filepath.Base(file), ".db") {
			u.Descriptors++
		}
	}
	f, err := os.Open(filepath.Join(dir, "status"))
	if err != nil {
		return Usage{}
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			u.Resident = n << 10
		case "RssAnon":
			u.Anonymous = n << 10
		case "Threads":
			u.Threads = int(n)
		}
	}
	return u
}
