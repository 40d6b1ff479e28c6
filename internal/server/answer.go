package server

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/api/iot"
)

// answer serves a path below /gatehouse/v1/ with what work returns: a value, nil
// for {}, or an error, which has the status that AWS IoT's API gives it.
func (s *Server) answer(work func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, err := work(r)
		if err == nil {
			if out == nil {
				out = struct{}{}
			}
			writeJSON(w, http.StatusOK, out)
			return
		}
		e := iot.MapError(err)
		if e == nil {
			e = api.From(err)
		}
		if e.Status == http.StatusInternalServerError {
			s.cfg.Log.LogAttrs(r.Context(), slog.LevelError, "request of Gatehouse's own API failed",
				slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Any("error", err))
		}
		w.Header().Set("X-Amzn-Errortype", e.Code)
		writeJSON(w, e.Status, map[string]string{"message": e.Message})
	})
}

// readJSON decodes the body of r, of at most so many bytes, into the value that in points to.
func readJSON(r *http.Request, most int64, in any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, most))
	if err != nil {
		return err
	}
	return json.Unmarshal(body, in)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that went away needs no answer
}

// methodNotAllowed is the refusal of a method; know says which there are.
func methodNotAllowed(know string) error {
	return api.Errorf("MethodNotAllowedException", http.StatusMethodNotAllowed, "%s", know)
}
