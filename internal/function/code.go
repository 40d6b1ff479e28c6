package function

import (
	"time"
)

// code is one version of a function with one configuration: what processes are
// started for. Immutable.
type code struct {
	key     string // names it: no two that differ have the same
	name    string // of the function
	version string // "$LATEST" or a number
	arn     string // unqualified

	runtime, handler string
	timeout          time.Duration
	memory           int64 // bytes
	environment      map[string]string
	dir              string // of the unpacked package
	group            int    // number of the group that reads dir
}

func (c *code) logGroup() string { return "/aws/lambda/" + c.name }
