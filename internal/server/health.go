package server

import (
	"context"
	"net/http"
	"time"
)

// readyTime bounds how long a part may take to say that it works.
const readyTime = 2 * time.Second

// health is the answer of /healthz and /readyz.
type health struct {
	Status string            `json:"status"`          // "ok" or "not ready"
	Parts  map[string]string `json:"parts,omitempty"` // what is wrong, by part
}

// unready says, by part, why devices can't be served as promised; empty: they can.
func (s *Server) unready() map[string]string {
	why := map[string]string{}
	if err := s.messages.Usage().Err; err != nil {
		why["messages"] = err.Error()
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyTime)
	defer cancel()
	if _, err := s.registry.FirstAccessKey(ctx); err != nil {
		why["registry"] = err.Error()
	}
	return why
}

// healthy answers /healthz: the process answers.
func healthy(w http.ResponseWriter, _ *http.Request) {
	writeHealth(w, http.StatusOK, health{Status: "ok"})
}

// ready answers /readyz: 503 while messages or the registry can't be stored. Why is
// told to this machine only: it may name files.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	why := s.unready()
	if len(why) == 0 {
		writeHealth(w, http.StatusOK, health{Status: "ok"})
		return
	}
	if !fromThisMachine(r) {
		for part := range why {
			why[part] = "not working"
		}
	}
	writeHealth(w, http.StatusServiceUnavailable, health{Status: "not ready", Parts: why})
}

func writeHealth(w http.ResponseWriter, status int, h health) {
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, status, h)
}
