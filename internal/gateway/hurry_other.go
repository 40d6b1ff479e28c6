//go:build !linux

package gateway

import "syscall"

// acknowledge does nothing where a delayed acknowledgement can't be sent early.
func acknowledge(syscall.Conn) {}
