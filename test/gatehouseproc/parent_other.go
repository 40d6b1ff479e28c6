//go:build !linux

package gatehouseproc

import "syscall"

// dieWithParent is Linux's; elsewhere the test's cleanup has to do.
func dieWithParent() *syscall.SysProcAttr { return nil }
