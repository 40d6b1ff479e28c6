// Package iot is the control plane of AWS IoT Core on the wire: types,
// validation and routing of all of its operations, generated from the model,
// and the handlers of those that Gatehouse has.
package iot

import (
	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// Handlers implements the operations on top of the registry, a file a resource.
type Handlers struct {
	Unimplemented
	Registry    *registry.Registry // required
	Authorizers customAuth         // for TestInvokeAuthorizer, required
	Connections connections        // for GetThingConnectivityData, required
}

// New binds the handlers to the wire: give it to [api.NewServer].
func New(h Handlers) *api.Service {
	svc := NewService(h)
	svc.MapError = MapError
	return svc
}
