package function

import (
	"os"

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
