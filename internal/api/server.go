package api

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-iot/gatehouse/internal/api/sigv4"
	"github.com/gatehouse-iot/gatehouse/internal/attempt"
)

// Config is what a Server needs. Optional fields have defaults.
type Config struct {
	Services    []*Service  // required: from the generated packages' NewService
	Credentials Credentials // required
	Region      string      // required: the scope must name it (STS: or us-east-1)

	// Extra are handlers that are no AWS API, by path: exact, or everything
	// below when it ends in a slash. They are not authenticated: see [Server.Authenticated].
	Extra map[string]http.Handler

	// Attempts records requests of the data plane. Default: they are not recorded.
	Attempts *attempt.Recorder

	// Authorize reads what the holder of a credential may do. Default: everything.
	Authorize func(ctx context.Context, cred Credential, from netip.Addr) (Access, error)

	MaxBody     int64            // bytes of a request body; default 1 MiB
	SkewPast    time.Duration    // how old a signature may be; default 15 min
	SkewFuture  time.Duration    // how far ahead of our clock; default 5 min
	TokenSecret []byte           // seals page tokens; by default they end with the process
	Now         func() time.Time // default time.Now
	Log         *slog.Logger     // default slog.Default

	// Answered is told of every answered request of an AWS API: its operation, such
	// as iot:ListThings, "" if it named none that is known; the HTTP status and the
	// time that it took. Default: nobody is told.
	Answered func(operation string, status int, took time.Duration)

	// OnUnmodelled is told of errors that a handler returned though the model
	// of its operation does not list them; for tests.
	OnUnmodelled func(service, operation string, err *Error)
}

// Server answers the AWS APIs on one port. Safe for concurrent use.
type Server struct {
	cfg      Config
	services []*binding
	scopes   map[string]*binding // by each name of the credential scope
	verifier sigv4.Verifier
	sealer   sealer
	large    chan struct{} // holds one for each large request under way
}

// NewServer checks cfg and builds a Server.
func NewServer(cfg Config) (*Server, error) {
	if len(cfg.Services) == 0 || cfg.Credentials == nil || cfg.Region == "" {
		return nil, errors.New("api: Services, Credentials and Region are required")
	}
	cfg.MaxBody = cmp.Or(cfg.MaxBody, 1<<20)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.TokenSecret == nil {
		cfg.TokenSecret = newSecret()
	}
	s := &Server{
		cfg:      cfg,
		scopes:   map[string]*binding{},
		verifier: sigv4.Verifier{Past: cfg.SkewPast, Future: cfg.SkewFuture},
		sealer:   newSealer(cfg.TokenSecret),
		large:    make(chan struct{}, maxLarge),
	}
	for _, svc := range cfg.Services {
		b := &binding{Service: svc, router: newRouter(svc.Operations)}
		s.services = append(s.services, b)
		for _, scope := range svc.Scopes {
			if other := s.scopes[scope]; other != nil {
				return nil, fmt.Errorf("api: services %s and %s have the same scope %s", other.ID, svc.ID, scope)
			}
			s.scopes[scope] = b
		}
	}
	return s, nil
}

// exchange is one request on its way through the server.
type exchange struct {
	*call
	s     *Server
	r     *http.Request
	path  string // raw
	query string // raw
	to    target
	sig   *sigv4.Signature
}

// ServeHTTP answers one request: request id, service, signature, size, route,
// decode, validate, handler, encode. Source: api sheet 11.2.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	h := w.Header()
	h.Set("Date", s.cfg.Now().UTC().Format(http.TimeFormat)) // clients correct their clock by it
	x := s.exchange(r)
	h.Set("X-Amzn-Requestid", x.requestID)
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "x-amzn-ErrorMessage,x-amzn-RequestId,x-amzn-ErrorType,Date")
	defer x.recovered(func(e *Error) { x.to.render(e, x.requestID).write(w, r.Method) })
	if extra := s.extra(r.URL.Path); extra != nil {
		extra.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callKey{}, x.call)))
		return
	}
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		preflight(w)
		return
	}
	resp, err := x.answer(w)
	if err != nil {
		x.log(err)
		resp = x.to.render(err, x.requestID)
	}
	resp.write(w, r.Method)
	if s.cfg.Answered != nil {
		s.cfg.Answered(x.operation, resp.status, time.Since(begun))
	}
}

// recovered answers a request whose handler panicked. It is to be deferred.
func (x *exchange) recovered(answer func(*Error)) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p)
	}
	x.s.cfg.Log.LogAttrs(x.r.Context(), slog.LevelError, "panic in an API handler", slog.String("request_id", x.requestID),
		slog.String("operation", x.operation), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	answer(From(nil))
}

// preflight allows what browser clients of the AWS SDK send.
func preflight(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS")
	h.Set("Access-Control-Allow-Headers", "*,Authorization")
	h.Set("Access-Control-Max-Age", "3600")
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}

func (s *Server) exchange(r *http.Request) *exchange {
	x := &exchange{s: s, r: r, call: &call{requestID: uuid.NewString(), sealer: s.sealer}}
	x.path, x.query = sigv4.RawTarget(r)
	return x
}

// extra returns the handler that is no AWS API, or nil.
func (s *Server) extra(path string) http.Handler {
	if h := s.cfg.Extra[path]; h != nil {
		return h
	}
	best := ""
	for prefix := range s.cfg.Extra {
		if strings.HasSuffix(prefix, "/") && strings.HasPrefix(path, prefix) && len(prefix) > len(best) {
			best = prefix
		}
	}
	return s.cfg.Extra[best]
}

// answer does the work of [Server.ServeHTTP] up to the encoded response.
func (x *exchange) answer(w http.ResponseWriter) (response, *Error) {
	s, r := x.s, x.r
	sig, failure := sigv4.Parse(sigv4.RequestOf(r, r.TLS != nil))
	if failure != nil {
		sig = nil
	}
	x.sig = sig
	query, err := url.ParseQuery(x.query)
	if err != nil {
		query = url.Values{}
	}
	// The form of a query request is in its body, which an unsigned stranger may
	// not make us read unless it is the only hint.
	if sig == nil && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") && x.path == "/" {
		body, e := x.readBody(w, 16<<10)
		if e != nil {
			return response{}, e
		}
		if form, err := url.ParseQuery(string(body)); err == nil {
			for k, v := range form {
				query[k] = append(query[k], v...)
			}
		}
	}
	to, known := s.detect(r, x.path, sig, query)
	x.to = to
	if failure != nil {
		return response{}, to.refuse(failure)
	}
	if !known {
		return response{}, to.refuse(&sigv4.Failure{Reason: sigv4.WrongService, Message: "Credential should be scoped to correct service: 'iot'."})
	}
	region := s.cfg.Region
	if to.name == "sts" && sig.Region == "us-east-1" {
		region = sig.Region
	}
	if f := sig.CheckScope(region, to.scopes...); f != nil {
		return response{}, to.refuse(f)
	}
	cred, e := x.credential()
	if e != nil {
		return response{}, e
	}
	release, e := x.admit(w)
	if e != nil {
		return response{}, e
	}
	defer release()
	body, e := x.readBody(w, to.maxBody(s.cfg.MaxBody))
	if e != nil {
		return response{}, e
	}
	if e := x.verify(cred, body); e != nil {
		return response{}, e
	}
	if err != nil {
		return response{}, serialization("The query string is malformed.")
	}
	if to.bound == nil {
		return response{}, Errorf("NotImplementedException", http.StatusNotImplemented, "Gatehouse does not implement the service %s yet%s.", to.name, ofOperation(to.op))
	}
	if to.bound.Protocol == RPC {
		if body, e = inflate(x.r, body); e != nil {
			return response{}, e
		}
	}
	switch to.style {
	case styleXML:
		return x.callQuery(query, body)
	case styleCBOR:
		return x.callCBOR(body)
	case styleJSON1:
		return x.callJSON(body)
	default:
		if to.style == styleData && s.cfg.Attempts != nil {
			return x.answerRecorded(w, query, body)
		}
		return x.callREST(query, body)
	}
}

func ofOperation(op string) string {
	if op == "" {
		return ""
	}
	return " (operation " + short(op) + ")"
}

// readBody reads the whole body, up to limit bytes.
func (x *exchange) readBody(w http.ResponseWriter, limit int64) ([]byte, *Error) {
	if x.r.Body == nil {
		return nil, nil
	}
	if x.r.ContentLength > limit {
		w.Header().Set("Connection", "close")
		return nil, tooLarge(limit)
	}
	var b bytes.Buffer
	if x.r.ContentLength > 0 {
		b.Grow(int(min(x.r.ContentLength+bytes.MinRead, 64<<10))) // a length is only a claim
	}
	_, err := io.Copy(&b, http.MaxBytesReader(w, x.r.Body, limit))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, tooLarge(limit)
	}
	if err != nil {
		return nil, serialization("The request body ended early.").WithCause(err)
	}
	return b.Bytes(), nil
}

func tooLarge(limit int64) *Error {
	return Errorf("RequestEntityTooLargeException", http.StatusRequestEntityTooLarge, "The request body is larger than %d bytes.", limit)
}

// credential finds the key that signed, before anyone reads a body for it.
func (x *exchange) credential() (Credential, *Error) {
	s := x.s
	if f := s.verifier.CheckTime(x.sig, s.cfg.Now()); f != nil {
		return Credential{}, x.to.refuse(f)
	}
	cred, ok, err := s.cfg.Credentials.Lookup(x.r.Context(), x.sig.AccessKeyID)
	if err != nil {
		return Credential{}, From(fmt.Errorf("look up access key: %w", err))
	}
	if ok && cred.SessionToken == "" {
		if f := x.sig.CheckToken(); f != nil {
			return Credential{}, x.to.refuse(f)
		}
	}
	if !ok || !sameText(cred.SessionToken, x.sig.SessionToken) {
		return Credential{}, x.to.refuse(&sigv4.Failure{Reason: sigv4.UnknownKey, Message: "The security token included in the request is invalid."})
	}
	return cred, nil
}

// verify checks the signature and notes the caller.
func (x *exchange) verify(cred Credential, body []byte) *Error {
	enc, f := x.s.verifier.Verify(x.sig, cred.SecretAccessKey, body)
	if f != nil {
		x.s.cfg.Log.LogAttrs(x.r.Context(), slog.LevelDebug, "signature refused", slog.String("request_id", x.requestID),
			slog.String("access_key", x.sig.AccessKeyID), slog.String("reason", f.Message), slog.String("canonical_request", f.Canonical))
		return x.to.refuse(f)
	}
	if enc == sigv4.Single {
		x.s.cfg.Log.LogAttrs(x.r.Context(), slog.LevelDebug, "signature matched with the path encoded once", slog.String("request_id", x.requestID))
	}
	x.caller = Caller{AccessKeyID: x.sig.AccessKeyID, Account: cred.Account, ARN: cred.ARN, UserID: cred.UserID, Region: x.sig.Region}
	if x.s.cfg.Authorize == nil {
		return nil
	}
	access, err := x.s.cfg.Authorize(x.r.Context(), cred, remoteAddrPort(x.r).Addr())
	if err != nil {
		return From(fmt.Errorf("read the policies of %s: %w", cred.ARN, err))
	}
	x.caller.Access = access
	return nil
}

// remoteAddrPort is where a request came from: zero, and unknown to policies, when
// it is not from a socket.
func remoteAddrPort(r *http.Request) netip.AddrPort {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

// log notes what only the operator may see of an error.
func (x *exchange) log(e *Error) {
	level := slog.LevelDebug
	if e.Status >= 500 && e.Status != http.StatusNotImplemented && x.r.Context().Err() == nil { // a client that left cancels its own work
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("request_id", x.requestID), slog.String("operation", x.operation),
		slog.String("code", e.Code), slog.Int("status", e.Status), slog.String("message", e.Message),
	}
	if x.sig != nil {
		attrs = append(attrs, slog.Duration("clock_offset", x.sig.Time.Sub(x.s.cfg.Now()).Round(time.Second)))
	}
	if e.cause != nil {
		attrs = append(attrs, slog.String("error", e.cause.Error()))
	}
	x.s.cfg.Log.LogAttrs(x.r.Context(), level, "API request failed", attrs...)
}
