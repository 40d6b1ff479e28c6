package function

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// pending returns how many bytes wait in a pipe; 0 if nobody can tell.
func pending(pipe *os.File) (n int) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return 0
	}
	if err := raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }); err != nil {
		return 0
	}
	return n
}

// readPipe waits until the pipe has something, reads it with mu held and has keep
// keep it. It answers false at the pipe's end, and when it is closed.
func readPipe(pipe *os.File, buf []byte, mu sync.Locker, keep func([]byte)) (more bool) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return false
	}
	err = raw.Read(func(fd uintptr) bool {
		mu.Lock()
		defer mu.Unlock()
		n, err := unix.Read(int(fd), buf)
		for errors.Is(err, unix.EINTR) {
			n, err = unix.Read(int(fd), buf)
		}
		if more = n > 0; more {
			keep(buf[:n])
		}
		return !errors.Is(err, unix.EAGAIN)
	})
	return err == nil && more
}
