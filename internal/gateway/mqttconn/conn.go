package mqttconn

import (
	"context"
	"net"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
)

type conn struct{ slot int64 }

func (k *conn) end(e ending)                {}
func (k *conn) due(now time.Time) time.Time { return time.Time{} }

func (s *Server) serve(ctx context.Context, nc net.Conn, info Info, who identity.Principal, at *attempt.Attempt) {
}
