//go:build unix

package server

import "syscall"

// spareDescriptors are kept from the devices' connections, so that a flood of
// them never stops the databases and the API.
const spareDescriptors = maxAPIConnections + 256

// connectionRoom is how many connections the doors may hold: what the process
// may open less what it needs itself. 0 leaves it to the gateway's default.
func connectionRoom() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return roomWithin(uint64(limit.Cur)) //nolint:unconvert // it is an int64 on FreeBSD
}

func roomWithin(descriptors uint64) int {
	const most = 500_000
	switch {
	case descriptors >= most+spareDescriptors:
		return most
	case descriptors <= 2*spareDescriptors:
		return int(max(1, descriptors/2))
	}
	return int(descriptors - spareDescriptors)
}
