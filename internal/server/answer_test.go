package server

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

func TestAnswer(t *testing.T) {
	s := &Server{cfg: Config{Log: slog.New(slog.DiscardHandler)}}
	for name, tt := range map[string]struct {
		out    any
		err    error
		status int
		code   string
		body   string
	}{
		"a value":           {out: User{Name: "ann"}, status: 200, body: `"userName":"ann"`},
		"nothing":           {status: 200, body: `{}`},
		"not found":         {err: registry.Errorf(registry.ResourceNotFound, "There is no ann."), status: 404, code: "ResourceNotFoundException", body: `{"message":"There is no ann."}`},
		"exists":            {err: registry.Errorf(registry.ResourceAlreadyExists, "There is one."), status: 409, code: "ResourceAlreadyExistsException", body: `There is one.`},
		"too many":          {err: registry.Errorf(registry.LimitExceeded, "Too many."), status: 410, code: "LimitExceededException", body: `Too many.`},
		"another method":    {err: methodNotAllowed("Use POST."), status: 405, code: "MethodNotAllowedException", body: `Use POST.`},
		"broken, no detail": {err: errors.New("disk full"), status: 500, code: "InternalFailureException", body: `{"message":"An unexpected error has occurred."}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			s.answer(func(*http.Request) (any, error) { return tt.out, tt.err }).ServeHTTP(w, httptest.NewRequest(http.MethodGet, UsersPath, nil))
			if w.Code != tt.status || w.Header().Get("X-Amzn-ErrorType") != tt.code || !strings.Contains(w.Body.String(), tt.body) {
				t.Errorf("got %d %q %s, want %d %q %s", w.Code, w.Header().Get("X-Amzn-ErrorType"), w.Body, tt.status, tt.code, tt.body)
			}
		})
	}
}
