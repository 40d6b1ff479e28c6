// Package lambda is the part of the AWS Lambda API that runs functions: their
// code, configuration, versions, aliases, permissions and invocations. Types,
// validation and routing are generated from the model.
package lambda

import (
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/function"
)

// Bounds of requests and answers. Source: AWS Lambda quotas; a package travels in base64.
const (
	maxBody = 70 << 20         // bytes
	maxTime = 16 * time.Minute // a synchronous invocation takes 15 minutes at most
)

// Handlers implements the operations, a file a resource.
type Handlers struct {
	Unimplemented
	Functions *function.Service // required
}

// New binds the handlers to the wire: give it to [api.NewServer].
func New(h Handlers) *api.Service {
	svc := NewService(h)
	svc.MapError = mapError
	svc.MaxBody, svc.MaxTime = maxBody, maxTime
	return svc
}

// mapError turns a refusal into the exception of the same name; anything else is
// this service's own failure.
func mapError(err error) *api.Error {
	if e, ok := errors.AsType[*function.Error](err); ok {
		return api.Errorf(string(e.Kind), exceptions[string(e.Kind)], "%s", e.Message)
	}
	if _, ok := errors.AsType[*api.Error](err); ok {
		return nil
	}
	return api.Errorf("ServiceException", http.StatusInternalServerError, "An unexpected error has occurred.").WithCause(err)
}

// asInt reads an optional number.
func asInt(p *int32) *int {
	if p == nil {
		return nil
	}
	n := int(*p)
	return &n
}
