package server

import (
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/function"
	"github.com/gatehouse-iot/gatehouse/internal/logs"
)

// functionLog writes the functions' output to the log store.
type functionLog struct{ store *logs.Store }

// NewStream implements [function.Log].
func (l functionLog) NewStream(group, stream string) (function.LogStream, error) {
	w, err := l.store.NewWriter(group, stream, 0) // kept until the group's retention says otherwise
	if err != nil {
		return nil, err
	}
	return w, nil
}

// invoker is what runs the functions of authorizers: this machine, or the
// endpoint of --lambda-endpoint.
func (s *Server) invoker(ctx context.Context) (function.Invoker, error) {
	if s.cfg.LambdaEndpoint == "" {
		return s.functions, nil
	}
	return function.NewRemote(ctx, s.cfg.LambdaEndpoint, s.cfg.Region)
}
