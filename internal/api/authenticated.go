package api

import (
	"bytes"
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/api/sigv4"
)

// Authenticated returns a handler for paths that are no AWS API, such as those
// below /gatehouse/v1/: it verifies the same signatures, then calls h, which
// finds the caller with [CallerFrom] and the body unread. Sign with the service
// name gatehouse, or that of any service served here, such as iot. A user needs
// the action gatehouse:Read for a GET, else gatehouse:Write, on
// arn:aws:gatehouse:{region}:{account}:{path below /gatehouse/v1/}.
func (s *Server) Authenticated(h http.Handler) http.Handler { return s.Permitted("", h) }

// Permitted is [Server.Authenticated] with an action of its own in place of
// gatehouse:Read and gatehouse:Write: for what nobody should be given along with
// something else, such as credentials.
func (s *Server) Permitted(action string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := s.exchange(r)
		if c := callFrom(r.Context()); c.requestID != "" {
			x.call = c
		} else {
			w.Header().Set("X-Amzn-Requestid", x.requestID)
		}
		body, e := x.authenticate(w, action)
		if e != nil {
			x.log(e)
			x.to.render(e, x.requestID).write(w, r.Method)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), callKey{}, x.call))
		r.Body = io.NopCloser(bytes.NewReader(body))
		h.ServeHTTP(w, r)
	})
}

// authenticate verifies the request of an exchange whose target is Gatehouse
// itself, and that the caller may do action, "" for the method's.
func (x *exchange) authenticate(w http.ResponseWriter, action string) ([]byte, *Error) {
	sig, f := sigv4.Parse(sigv4.RequestOf(x.r, x.r.TLS != nil))
	if f != nil {
		return nil, x.to.refuse(f)
	}
	x.sig = sig
	_, isUnbuilt := unbuilt[sig.Service]
	if sig.Service != "gatehouse" && x.s.scopes[sig.Service] == nil && !isUnbuilt {
		return nil, x.to.refuse(&sigv4.Failure{Reason: sigv4.WrongService, Message: "Credential should be scoped to correct service: 'gatehouse'."})
	}
	if sig.Region != x.s.cfg.Region {
		return nil, x.to.refuse(&sigv4.Failure{Reason: sigv4.WrongRegion, Message: fmt.Sprintf("Credential should be scoped to a valid region, not '%s'.", short(sig.Region))})
	}
	cred, e := x.credential()
	if e != nil {
		return nil, e
	}
	body, e := x.readBody(w, x.s.cfg.MaxBody)
	if e != nil {
		return nil, e
	}
	if e := x.verify(cred, body); e != nil {
		return nil, e
	}
	if x.caller.Access == nil {
		return body, nil
	}
	switch {
	case action != "":
	case x.r.Method == http.MethodGet || x.r.Method == http.MethodHead:
		action = "gatehouse:Read"
	default:
		action = "gatehouse:Write"
	}
	return body, x.allow(action, []string{x.arn("gatehouse", strings.TrimPrefix(x.r.URL.Path, "/gatehouse/v1/"))})
}

// sameText compares in constant time.
func sameText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
