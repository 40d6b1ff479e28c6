package iotdata

import "github.com/gatehouse-iot/gatehouse/internal/api"

// Handlers implements the operations of the data plane.
type Handlers struct {
	Unimplemented
	Publisher   publisher   // required
	Connections connections // required
	Retained    retained    // required
}

// New binds the handlers to the wire: give it to [api.NewServer].
func New(h Handlers) *api.Service {
	svc := NewService(h)
	svc.MapError = mapError
	return svc
}
