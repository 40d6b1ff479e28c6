// Package monitoring is the CloudWatch API over the metrics that are kept, and
// those that people put. Source: metrics sheet 3 to 5.
package monitoring

import (
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/metrics"
)

// Handlers implements the operations.
type Handlers struct {
	Unimplemented
	Store *metrics.Store   // required
	Now   func() time.Time // required
}

// New binds handlers to the wire: give it to [api.NewServer].
func New(h Handlers) *api.Service {
	svc := NewService(h)
	svc.MapError = mapError
	return svc
}

// mapError words the store's errors.
func mapError(err error) *api.Error {
	if _, ok := errors.AsType[*api.Error](err); ok {
		return nil
	}
	if errors.Is(err, metrics.ErrFull) {
		return api.Errorf("LimitExceededException", http.StatusBadRequest, "There is no room for another metric: those without a data point in 15 days make room.").WithCause(err)
	}
	return InternalServiceFault("An unexpected error has occurred.").WithCause(err)
}

// dimensions checks dimensions and returns them as the store has them.
func dimensions(list []Dimension) ([]metrics.Dimension, error) {
	out := make([]metrics.Dimension, 0, len(list))
	seen := map[string]bool{}
	for _, d := range list {
		if seen[d.Name] {
			return nil, InvalidParameterValueException("The value of the parameter Dimensions names %s more than once.", d.Name)
		}
		seen[d.Name] = true
		out = append(out, metrics.Dimension{Name: d.Name, Value: d.Value})
	}
	return out, nil
}

// period checks a period in seconds. Source: metrics sheet 5.
func period(seconds int32) (time.Duration, error) {
	if seconds <= 0 || seconds%60 != 0 {
		return 0, InvalidParameterValueException("The parameter Period must be a multiple of 60: metrics are kept at a resolution of one minute.")
	}
	return time.Duration(seconds) * time.Second, nil
}
