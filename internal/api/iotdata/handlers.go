package iotdata

import (
	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
)

// Handlers implements the operations of the data plane.
type Handlers struct {
	Unimplemented
	Publisher   publisher   // required
	Connections connections // required
	Retained    retained    // required

	// Observe is told of the calls, for metrics and the log; default: nobody listens.
	Observe *observe.Hub
}

// New binds the handlers to the wire: give it to [api.NewServer].
func New(h Handlers) *api.Service {
	svc := NewService(h)
	svc.MapError = mapError
	if h.Observe != nil {
		svc.Done = h.observe
	}
	return svc
}
