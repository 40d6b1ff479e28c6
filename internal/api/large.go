package api

import (
	"net/http"
	"time"
)

// Bounds of requests that need more memory or time than most.
const (
	largeBody = 8 << 20 // bytes: a request beyond takes one of maxLarge places
	maxLarge  = 2
)

// admit lets a request in that the service allows to be large or slow. Large ones
// wait for each other: a place is held until release. A length that is not told
// counts as large.
func (x *exchange) admit(w http.ResponseWriter) (release func(), e *Error) {
	svc := x.to.bound
	if svc == nil {
		return func() {}, nil
	}
	if svc.MaxTime > 0 {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(svc.MaxTime)) // a recorder in a test has none
	}
	if svc.MaxBody <= largeBody || x.r.ContentLength >= 0 && x.r.ContentLength <= largeBody {
		return func() {}, nil
	}
	select {
	case x.s.large <- struct{}{}:
		return func() { <-x.s.large }, nil
	case <-x.r.Context().Done():
		return nil, From(x.r.Context().Err())
	}
}
