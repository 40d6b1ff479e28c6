package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/api/sigv4"
	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
)

// A caller is who an HTTP request, or the MQTT inside of a WebSocket, acts as.
type caller struct {
	who         identity.Principal // nobody: the CONNECT inside of the WebSocket has to say it
	accessKeyID string             // that signed, or ""

	// authorize reads what the caller may do; nil: [identity.Service.Authorize] of who.
	authorize func(ctx context.Context, clientID string, facts identity.Facts) (*identity.Authorization, error)
}

// authenticate says who sent r: by the certificate of the handshake, by a
// signature, or by a custom authorizer, as the connection's route has it. refused
// is the answer to a request that proves nothing or something wrong; its check is
// in at. body is what was sent, which a signature covers.
//
// upgrade says that r asks for a WebSocket: one without any credentials is let in,
// because they may come in the CONNECT. Source: connect sheet 2, 5.1 rows 15 and
// 16, 7; custom-auth sheet 3, 4.
func (hc *httpConn) authenticate(ctx context.Context, r *http.Request, body []byte, upgrade bool, at *attempt.Attempt) (who caller, refused *httpAnswer) {
	c := hc.c
	switch {
	case c.route.auth == authCertificate:
		return caller{who: c.who}, nil
	case c.route.auth == authRequest && isSigned(r):
		return hc.signer(ctx, r, body, upgrade, at)
	case c.route.auth == authCustom && isSigned(r):
		at.Fail(check.AuthorizerSigV4Mixed, attempt.F("path", r.URL.Path), attempt.F("domain_configuration", c.endpoint.Name))
		return caller{}, &answerForbidden
	case upgrade:
		return caller{}, nil
	}
	if who, refused, tried := hc.custom(ctx, r, at); tried {
		return who, refused
	}
	// No credentials at all: a device with a certificate that TLS did not ask
	// for. Source: PROBLEMS K-01.
	at.Fail(check.HTTPPortForCertAuth, attempt.F("method", r.Method), attempt.F("path", r.URL.Path), attempt.F("required", "port 8443, or ALPN "+alpnHTTPCert))
	if c.bare {
		at.Warn(check.TLSALPNAbsent, attempt.F("required", alpnHTTPCert)) // perhaps it did not reach the TLS library: PROBLEMS C-11
	}
	return caller{}, &answerForbidden
}

// Names of the service in a credential scope; the first is the usual one.
// Source: connect sheet 6.1, 10.
var (
	webSocketScopes = []string{"iotdevicegateway", "iotdata"}
	requestScopes   = []string{"iotdata", "iotdevicegateway", "iot-jobs-data"}
)

// signer says which user signed r.
func (hc *httpConn) signer(ctx context.Context, r *http.Request, body []byte, upgrade bool, at *attempt.Attempt) (caller, *httpAnswer) {
	scopes := requestScopes
	if upgrade {
		scopes = webSocketScopes
	}
	s, err := hc.c.s.cfg.Identity.VerifySignature(ctx, sigv4.RequestOf(r, true), body, scopes...)
	if err != nil {
		return caller{}, hc.failed(ctx, at, "verify the signature", err)
	}
	if s.Failure != nil {
		c, evidence := signatureCheck(&s, r, scopes[0])
		at.Fail(c, evidence...)
		return caller{}, &httpAnswer{http.StatusForbidden, "ForbiddenException", s.Failure.Message}
	}
	at.SetPrincipal(s.Who.ID, s.Who.ARN)
	at.Pass(check.SigV4Verified, attempt.F("access_key", s.AccessKeyID), attempt.F("service", s.Service))
	return caller{who: s.Who, accessKeyID: s.AccessKeyID}, nil
}

// signatureCheck names the check that a refused signature failed, with what
// shows it. No secret and no session token is among it.
func signatureCheck(s *identity.Signed, r *http.Request, service string) (*check.Check, []attempt.Field) {
	f := s.Failure
	var evidence []attempt.Field
	add := func(key, value string) {
		if value != "" {
			evidence = append(evidence, attempt.F(key, value))
		}
	}
	add("reason", f.Message)
	add("access_key", clipText(s.AccessKeyID))
	clocks := func() {
		add("offered", s.Time.UTC().Format(time.RFC3339))
		add("now", time.Now().UTC().Format(time.RFC3339))
	}
	if credential, empty := keyless(r); empty {
		add("offered", clipText(credential))
		return check.SigV4CredentialEmpty, evidence
	}
	switch f.Reason {
	case sigv4.UnknownKey:
		add("offered", clipText(s.AccessKeyID))
		return check.CredentialsInvalid, evidence
	case sigv4.SessionToken:
		return check.SigV4SessionToken, evidence
	case sigv4.TooOld, sigv4.TooNew:
		clocks()
		return check.SigV4ClockSkew, evidence
	case sigv4.Expired:
		clocks()
		add("required", s.Expires.String())
		return check.SigV4Expired, evidence
	case sigv4.WrongRegion:
		add("offered", clipText(s.Region))
		add("required", s.Required)
		return check.SigV4ScopeRegion, evidence
	case sigv4.WrongService:
		add("offered", clipText(s.Service))
		add("required", service)
		return check.SigV4ScopeService, evidence
	case sigv4.Mismatch:
		add("canonical_request", f.Canonical)
		if f.Differs == sigv4.DiffersHost {
			add("offered", clipText(r.Host))
			add("signed", f.Signed)
			return check.SigV4SignedHost, evidence
		}
		differs := string(f.Differs)
		if f.Signed != "" {
			differs += ", signed as " + f.Signed
		}
		add("differs", differs)
		return check.SigV4Signature, evidence
	default:
		return check.SigV4Malformed, evidence
	}
}

// keyless tells whether the credential of a signature has a scope and no access
// key in front of it: PROBLEMS I-07.
func keyless(r *http.Request) (credential string, empty bool) {
	credential = r.URL.Query().Get("X-Amz-Credential")
	if _, rest, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		credential, _, _ = strings.Cut(rest, ",")
	}
	return credential, strings.HasPrefix(credential, "/")
}

// failed answers a request that our machinery could not judge.
func (hc *httpConn) failed(ctx context.Context, at *attempt.Attempt, what string, err error) *httpAnswer {
	if ctx.Err() == nil {
		hc.c.s.cfg.Log.LogAttrs(ctx, slog.LevelError, "request failed", slog.String("what", what), slog.String("attempt", at.ID()), slog.Any("error", err))
	}
	at.Fail(check.ServerError, attempt.F("error", what))
	return &httpAnswer{http.StatusInternalServerError, "InternalFailureException", "An unexpected error has occurred."}
}

// mayDo reads what the caller may do.
func (c *session) mayDo(ctx context.Context, who caller, facts identity.Facts) (*identity.Authorization, error) {
	if who.authorize != nil {
		return who.authorize(ctx, "", facts)
	}
	a, err := c.s.cfg.Identity.Authorize(ctx, who.who, "", facts)
	if err != nil {
		return nil, fmt.Errorf("authorize %s: %w", who.who.ID, err)
	}
	return a, nil
}

// isSigned tells whether a request carries a signature of version 4, whole or
// not, in its header or its query.
func isSigned(r *http.Request) bool {
	if strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256") {
		return true
	}
	q := r.URL.Query()
	return q.Has("X-Amz-Signature") || q.Has("X-Amz-Credential") || q.Has("X-Amz-Algorithm")
}

// hasAuthorizer tells whether a request asks for a custom authorizer.
func hasAuthorizer(r *http.Request) bool {
	const name = "x-amz-customauthorizer-name"
	return r.Header.Get(name) != "" || r.URL.Query().Has(name)
}
