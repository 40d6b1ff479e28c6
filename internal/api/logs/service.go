// Package logs is the CloudWatch Logs API over the log store, Logs Insights
// among it. Source: logs sheet 4 and 6.
package logs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/logs"
)

// Config is what the handlers need.
type Config struct {
	Store     *logs.Store // required
	Account   string      // 12 digits
	Region    string
	Partition string       // default aws
	Log       *slog.Logger // default slog.Default
}

// Handlers implements the operations.
type Handlers struct {
	Unimplemented
	cfg     Config
	queries *queries

	stopOnce sync.Once
	stopped  chan struct{} // ends live tails
	tails    chan struct{} // a place for each live tail that runs
}

// New returns handlers. Close them before the store.
func New(cfg Config) *Handlers {
	cfg.Partition = cmp.Or(cfg.Partition, "aws")
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	h := &Handlers{cfg: cfg, stopped: make(chan struct{}), tails: make(chan struct{}, maxTails)}
	h.queries = newQueries(h)
	return h
}

// Service binds the handlers to the wire: give it to [api.NewServer].
func (h *Handlers) Service() *api.Service {
	svc := NewService(h)
	svc.MapError = mapError
	return svc
}

// EndTails ends the live tails that run, for a server that stops.
func (h *Handlers) EndTails() { h.stopOnce.Do(func() { close(h.stopped) }) }

// Close cancels the queries that run and waits for them.
func (h *Handlers) Close() error {
	h.EndTails()
	h.queries.close()
	return nil
}

// mapError words the store's errors. Source: logs sheet 4.1.
func mapError(err error) *api.Error {
	switch {
	case errors.Is(err, logs.ErrNoGroup):
		return ResourceNotFoundException("The specified log group does not exist.")
	case errors.Is(err, logs.ErrNoStream):
		return ResourceNotFoundException("The specified log stream does not exist.")
	case errors.Is(err, logs.ErrGroupExists):
		return ResourceAlreadyExistsException("The specified log group already exists")
	case errors.Is(err, logs.ErrStreamExists):
		return ResourceAlreadyExistsException("The specified log stream already exists")
	case errors.Is(err, logs.ErrName):
		return InvalidParameterException("The name of the log group or log stream is not valid.")
	case errors.Is(err, logs.ErrTooLarge):
		return InvalidParameterException("Log event too large, or too many of them: at most %d bytes each, and %d events.", logs.MaxMessage, logs.MaxBatch)
	case errors.Is(err, logs.ErrClosed):
		return ServiceUnavailableException("The service is stopping.").WithCause(err)
	}
	return nil
}

func (h *Handlers) arn(group string) string {
	return fmt.Sprintf("arn:%s:logs:%s:%s:log-group:%s", h.cfg.Partition, h.cfg.Region, h.cfg.Account, group)
}

// groupOf reads the name of a group from a name or an identifier, exactly one of
// which must be given.
func (h *Handlers) groupOf(name, identifier *string) (string, error) {
	switch {
	case (name == nil) == (identifier == nil):
		return "", InvalidParameterException("Exactly one of logGroupName and logGroupIdentifier must be given.")
	case name != nil:
		return *name, nil
	}
	return h.identified(*identifier)
}

// identified reads a name or an ARN without :*.
func (h *Handlers) identified(identifier string) (string, error) {
	if !strings.HasPrefix(identifier, "arn:") {
		return identifier, nil
	}
	name, ok := strings.CutPrefix(identifier, h.arn(""))
	if !ok || strings.HasSuffix(name, ":*") || name == "" {
		return "", InvalidParameterException("The identifier %q is no ARN of a log group of this account and Region; it has no :* at its end.", identifier)
	}
	return name, nil
}

// page reads paging members, with the service's error for a bad token.
func page(ctx context.Context, token *string, size *int32, def int, filters ...any) (api.Page, error) {
	p, err := api.ReadPage(ctx, token, size, def, filters...)
	if e, ok := errors.AsType[*api.Error](err); ok && e.Status == http.StatusBadRequest {
		return p, InvalidParameterException("The specified nextToken is invalid.")
	}
	return p, err
}
