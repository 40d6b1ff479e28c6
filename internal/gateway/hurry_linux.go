package gateway

import (
	"io"
	"os"
	"syscall"
)

// readHurried is Read on the socket, and acknowledges what has come before it
// waits. It makes one system call more than Read, and only if it waits.
func (w *wire) readHurried(p []byte) (n int, err error) {
	raw, err := w.SyscallConn()
	if err != nil || len(p) == 0 { // no socket: a pipe, in tests
		return w.Conn.Read(p)
	}
	var readErr error
	hurried := false
	err = raw.Read(func(fd uintptr) (done bool) {
		for {
			n, readErr = syscall.Read(int(fd), p)
			switch readErr {
			case syscall.EINTR:
				continue
			case syscall.EAGAIN:
				if !hurried {
					hurried = true
					// Without it the CONNECT is only later.
					_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
				}
				return false
			}
			return true
		}
	})
	switch {
	case err != nil:
		return 0, err
	case readErr != nil:
		return 0, os.NewSyscallError("read", readErr)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}
