package api

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// A DeviceCall is a request of the data plane that came through a device's door,
// where its sender proved who it is and its body was read.
type DeviceCall struct {
	Caller  Caller
	Attempt *attempt.Attempt // its ID is the request ID; handlers add their checks
	Body    []byte
}

// An Outcome is what became of a [DeviceCall], for the record of the door.
type Outcome struct {
	Operation string // "iotdata:Publish"; "" when the path names none
	Err       *Error // nil: it succeeded
	Denied    Denial // of the caller, when the policies refused
}

// Record records a refusal, unless the handler has recorded what refused.
func (o Outcome) Record(r *http.Request, at *attempt.Attempt) {
	method, path := attempt.F("method", r.Method), attempt.F("path", r.URL.Path)
	switch e := o.Err; {
	case e == nil || at.Refused():
	case o.Denied.Action != "":
		at.Fail(check.AuthzRequest, attempt.F("action", o.Denied.Action), attempt.F("resource", o.Denied.Resource))
	case e.Status == http.StatusMethodNotAllowed:
		at.Fail(check.HTTPMethod, method, path, attempt.F("reason", e.Message))
	case e.Status == http.StatusNotFound && o.Operation == "":
		at.Fail(check.HTTPNotFound, method, path)
	case e.Status == http.StatusNotImplemented:
		at.Fail(check.HTTPNotBuilt, method, path, attempt.F("action", o.Operation))
	case e.Status >= http.StatusInternalServerError:
		at.Fail(check.ServerError, attempt.F("error", o.Operation))
	default:
		at.Fail(check.HTTPRefused, method, path, attempt.F("reply", strconv.Itoa(e.Status)+" "+e.Code), attempt.F("reason", e.Message))
	}
}

// dataPlane are the credential scopes of the services that devices call.
var dataPlane = []string{"iotdata", "iot-jobs-data"}

// ServeDevice answers a request of the data plane whose sender is known already:
// what [Server.ServeHTTP] does, without the signature. Every failure has the data
// plane's form. finish is told what became of it before the answer is written.
func (s *Server) ServeDevice(w http.ResponseWriter, r *http.Request, d DeviceCall, finish func(Outcome)) {
	x := s.exchange(r)
	x.requestID, x.caller, x.attempt = d.Attempt.ID(), d.Caller, d.Attempt
	x.to = target{style: styleData}
	defer x.recovered(func(e *Error) { x.finishDevice(w, response{}, e, finish) })
	resp, e := x.answerDevice(d.Body)
	if e != nil {
		x.log(e)
	}
	x.finishDevice(w, resp, e, finish)
}

func (x *exchange) finishDevice(w http.ResponseWriter, resp response, e *Error, finish func(Outcome)) {
	if e != nil {
		resp = x.to.render(e, x.requestID)
		kind := resp.header["X-Amzn-Errortype"][0]
		delete(resp.header, "X-Amzn-Errortype")
		resp.header["x-amzn-ErrorType"] = []string{kind + ":"} // AWS's own spelling; SDKs cut at the colon. Source: connect sheet 6.1
	}
	finish(Outcome{x.operation, e, x.denied})
	resp.write(w, x.r.Method)
}

func (x *exchange) answerDevice(body []byte) (response, *Error) {
	query, err := url.ParseQuery(x.query)
	if err != nil {
		return response{}, Errorf("InvalidRequestException", http.StatusBadRequest, "The query string is malformed.")
	}
	for _, scope := range dataPlane {
		b := x.s.scopes[scope]
		if b == nil {
			continue
		}
		if _, allowed, ok := b.router.find(x.r.Method, x.path); ok || len(allowed) > 0 {
			x.to = b.target()
			x.to.style = styleData
			return x.callREST(query, body)
		}
	}
	return response{}, Errorf("ResourceNotFoundException", http.StatusNotFound, "Not Found")
}

// answerRecorded is callREST for a request of the data plane on the API's own
// port: it is recorded like one that came through a device's door.
func (x *exchange) answerRecorded(w http.ResponseWriter, query url.Values, body []byte) (response, *Error) {
	local, _ := x.r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	at := x.s.cfg.Attempts.Begin(attempt.DoorAPI, net.TCPAddrFromAddrPort(remoteAddrPort(x.r)), local)
	defer at.End()
	x.attempt, x.requestID = at, at.ID()
	w.Header().Set("X-Amzn-Requestid", x.requestID)
	at.SetProtocol("HTTPS")
	at.SetSDK(x.r.UserAgent())
	at.SetPrincipal(x.caller.UserID, x.caller.ARN)
	at.Pass(check.HTTPRequest, attempt.F("method", x.r.Method), attempt.F("path", x.r.URL.Path))
	at.Pass(check.SigV4Verified, attempt.F("access_key", x.caller.AccessKeyID), attempt.F("service", x.sig.Service))
	resp, e := x.callREST(query, body)
	Outcome{x.operation, e, x.denied}.Record(x.r, at)
	return resp, e
}

// AttemptFrom returns the record of the data plane's request that ctx belongs to,
// to which a handler adds its checks; nil for any other request.
func AttemptFrom(ctx context.Context) *attempt.Attempt { return callFrom(ctx).attempt }
