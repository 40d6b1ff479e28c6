package gateway

import "syscall"

// acknowledge has the kernel acknowledge at once what has come on a connection.
func acknowledge(c syscall.Conn) {
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { // without it the CONNECT is only later
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
		})
	}
}
