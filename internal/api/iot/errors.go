package iot

import (
	"errors"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// MapError turns a refusal of the registry into the exception of the same name,
// with the status that this service's model gives it; nil for all other errors.
func MapError(err error) *api.Error {
	e, ok := errors.AsType[*registry.Error](err)
	if !ok {
		return nil
	}
	status, ok := exceptions[string(e.Kind)]
	if !ok {
		return nil // a kind that the model does not have: an internal failure
	}
	out := api.Errorf(string(e.Kind), status, "%s", e.Message)
	if e.Kind == registry.ResourceAlreadyExists { // the only exception here that has members for it
		out = out.WithResource(e.ResourceARN, e.ResourceID)
	}
	return out
}
