package server

import (
	"context"
	"log/slog"

	"github.com/gatehouse-iot/gatehouse/internal/function"
	"github.com/gatehouse-iot/gatehouse/internal/metrics"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// invoker is what runs the functions of authorizers, and counts: this machine, or
// the endpoint of --lambda-endpoint, whose invocations count in AWS/Lambda too.
func (s *Server) invoker(ctx context.Context) (*metrics.Authorizers, error) {
	if s.cfg.LambdaEndpoint == "" {
		return metrics.NewAuthorizers(s.functions, nil, s.prometheus), nil
	}
	remote, err := function.NewRemote(ctx, s.cfg.LambdaEndpoint, s.cfg.Region)
	if err != nil {
		return nil, err
	}
	return metrics.NewAuthorizers(remote, s.functionMeter, s.prometheus), nil
}

// keepAuthorizersWarm has a process ready for every ACTIVE authorizer, now and
// after every change of one. Source: custom-auth sheet 16.6.
func (s *Server) keepAuthorizersWarm() {
	if s.cfg.LambdaEndpoint != "" {
		return
	}
	s.warmAuthorizers()
	unwatch := s.registry.Watch(func(c registry.Change) {
		if c.Kind == registry.AuthorizerChanged {
			s.warmAuthorizers()
		}
	})
	s.opened = append(s.opened, func() error { unwatch(); return nil })
}

// warmAuthorizers tells which functions may be asked at any time. That they are
// warm is a help, not a duty: a failure is told and no more.
func (s *Server) warmAuthorizers() {
	ctx, cancel := context.WithTimeout(context.Background(), reloadTime)
	defer cancel()
	requests, err := s.authorizers.Invocations(ctx)
	if err != nil {
		s.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "cannot read the authorizers whose functions are to be kept warm", slog.Any("error", err))
		return
	}
	s.functions.KeepWarm(requests)
}
