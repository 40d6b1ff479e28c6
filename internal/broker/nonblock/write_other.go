//go:build !unix

package nonblock

const supported = false

func writeOnce(uintptr, []byte) (int, error) { panic("not supported") }

func peek(uintptr) (bool, error) { panic("not supported") }

func readOnce(uintptr, []byte) (int, bool, error) { panic("not supported") }
