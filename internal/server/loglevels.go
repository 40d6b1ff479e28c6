package server

import (
	"context"
	"net/http"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// LogLevelsPath is where log levels are set for a limited time, which AWS's API
// can't. GET lists all that are in force; PUT sets one; DELETE, with targetType
// and targetName in the query, ends a temporary one before its time.
const LogLevelsPath = "/gatehouse/v1/log-levels"

// A LogLevel is what LogLevelsPath answers and takes.
type LogLevel struct {
	TargetType string     `json:"targetType"` // DEFAULT, THING_GROUP, CLIENT_ID, SOURCE_IP, PRINCIPAL_ID
	TargetName string     `json:"targetName,omitempty"`
	Level      string     `json:"logLevel"`
	Seconds    float64    `json:"seconds,omitempty"`   // of a PUT: how long
	ExpiresAt  *time.Time `json:"expiresAt,omitempty"` // absent: it lasts
}

// LogLevels is the answer to a GET. Configured tells whether SetV2LoggingOptions
// was ever called; until then failures are logged.
type LogLevels struct {
	Configured bool       `json:"configured"`
	DisableAll bool       `json:"disableAllLogs"`
	Levels     []LogLevel `json:"levels"`
}

// logLevels answers LogLevelsPath.
func (s *Server) logLevels(r *http.Request) (any, error) {
	switch r.Method {
	case http.MethodGet:
		return s.listLogLevels(r.Context())
	case http.MethodPut:
		return s.putLogLevel(r)
	case http.MethodDelete:
		q := r.URL.Query()
		return nil, s.registry.EndTemporaryLogLevel(r.Context(), registry.LogTarget{Type: registry.LogTargetType(q.Get("targetType")), Name: q.Get("targetName")})
	}
	return nil, methodNotAllowed(LogLevelsPath + " knows GET, PUT and DELETE.")
}

func (s *Server) listLogLevels(ctx context.Context) (LogLevels, error) {
	l, err := s.registry.Logging(ctx)
	out := LogLevels{Configured: l.Configured, DisableAll: l.Options.DisableAll, Levels: []LogLevel{}}
	if l.Configured {
		out.Levels = append(out.Levels, LogLevel{TargetType: string(registry.LogTargetDefault), Level: string(l.Options.DefaultLevel)})
	}
	for _, t := range l.Levels {
		level := LogLevel{TargetType: string(t.Target.Type), TargetName: t.Target.Name, Level: string(t.Level)}
		if !t.Expires.IsZero() {
			level.ExpiresAt = new(t.Expires.UTC())
		}
		out.Levels = append(out.Levels, level)
	}
	return out, err
}

func (s *Server) putLogLevel(r *http.Request) (LogLevel, error) {
	const most = 4 << 10 // bytes
	var in LogLevel
	if err := readJSON(r, most, &in); err != nil || in.Seconds <= 0 || in.Seconds > 366*24*3600 {
		return in, registry.Errorf(registry.InvalidRequest, "The body is no JSON object with targetType, targetName, logLevel and seconds.")
	}
	target := registry.LogTarget{Type: registry.LogTargetType(in.TargetType), Name: in.TargetName}
	ends, err := s.registry.SetLogLevelFor(r.Context(), target, registry.LogLevel(in.Level), time.Duration(in.Seconds*float64(time.Second)))
	in.Seconds, in.ExpiresAt = 0, new(ends.UTC())
	return in, err
}
