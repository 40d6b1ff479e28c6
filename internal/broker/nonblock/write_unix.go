//go:build unix

package nonblock

import (
	"errors"
	"syscall"
)

const supported = true

// writeOnce writes what a non-blocking socket takes at once. A full socket takes nothing, which is
// no error.
func writeOnce(fd uintptr, p []byte) (int, error) {
	for {
		n, err := write(int(fd), p)
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return 0, nil
		}
		return 0, err
	}
}

// readOnce reads what a non-blocking socket has; wait says that it has nothing.
func readOnce(fd uintptr, p []byte) (n int, wait bool, err error) {
	for {
		n, err := read(int(fd), p)
		switch {
		case err == nil:
			return n, false, nil
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return 0, true, nil
		}
		return 0, false, err
	}
}

// peek tells whether a non-blocking socket has nothing to read, not even its end. An error is taken off
// the socket by that.
func peek(fd uintptr) (wait bool, err error) {
	var one [1]byte
	for {
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return true, nil
		}
		return false, err
	}
}
