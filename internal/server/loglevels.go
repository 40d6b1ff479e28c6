package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/api"
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
func (s *Server) logLevels(w http.ResponseWriter, r *http.Request) {
	var out any = struct{}{}
	var err error
	switch r.Method {
	case http.MethodGet:
		out, err = s.listLogLevels(r.Context())
	case http.MethodPut:
		out, err = s.putLogLevel(r)
	case http.MethodDelete:
		q := r.URL.Query()
		err = s.registry.EndTemporaryLogLevel(r.Context(), registry.LogTarget{Type: registry.LogTargetType(q.Get("targetType")), Name: q.Get("targetName")})
	default:
		err = api.Errorf("MethodNotAllowedException", http.StatusMethodNotAllowed, "%s knows GET, PUT and DELETE.", LogLevelsPath)
	}
	s.answerLogLevels(w, r, out, err)
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
	body, err := io.ReadAll(io.LimitReader(r.Body, most))
	if err != nil {
		return LogLevel{}, err
	}
	var in LogLevel
	if err := json.Unmarshal(body, &in); err != nil || in.Seconds <= 0 || in.Seconds > 366*24*3600 {
		return in, registry.Errorf(registry.InvalidRequest, "The body is no JSON object with targetType, targetName, logLevel and seconds.")
	}
	target := registry.LogTarget{Type: registry.LogTargetType(in.TargetType), Name: in.TargetName}
	ends, err := s.registry.SetLogLevelFor(r.Context(), target, registry.LogLevel(in.Level), time.Duration(in.Seconds*float64(time.Second)))
	in.Seconds, in.ExpiresAt = 0, new(ends.UTC())
	return in, err
}

func (s *Server) answerLogLevels(w http.ResponseWriter, r *http.Request, out any, err error) {
	status := http.StatusOK
	if err != nil {
		answer := api.From(err)
		if refused, ok := errors.AsType[*registry.Error](err); ok {
			answer = api.Errorf(string(refused.Kind), http.StatusBadRequest, "%s", refused.Message)
		} else if answer.Status == http.StatusInternalServerError {
			s.cfg.Log.ErrorContext(r.Context(), "log levels failed", "error", err)
		}
		status, out = answer.Status, map[string]string{"message": answer.Message}
		w.Header().Set("X-Amzn-Errortype", answer.Code)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out) // a client that went away needs no answer
}
