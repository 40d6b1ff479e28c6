package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// dataPlane answers the operations of AWS's data plane: [api.Server].
type dataPlane interface {
	ServeDevice(w http.ResponseWriter, r *http.Request, d api.DeviceCall, finish func(api.Outcome))
}

// An httpAnswer is a refusal as AWS's data plane words it. Source: connect sheet 6.1.
type httpAnswer struct {
	status  int
	kind    string // exception
	message string
}

var (
	answerForbidden  = httpAnswer{http.StatusForbidden, "ForbiddenException", "Forbidden"}
	answerTooLarge   = httpAnswer{http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "Request entity too large"}
	answerBadRequest = httpAnswer{http.StatusBadRequest, "InvalidRequestException", "Bad Request"}
)

func notBuilt(operation string) *httpAnswer {
	return &httpAnswer{http.StatusNotImplemented, "NotImplementedException", operation + " is not implemented yet"}
}

// answer answers one request: who may come in by this door, the body, who sent
// it, and then the operation; or it makes the connection a WebSocket.
func (hc *httpConn) answer(w http.ResponseWriter, r *http.Request) {
	// Not the request's own context: a device that has sent all and closed its
	// side still waits for the answer.
	ctx, cancel := context.WithTimeout(hc.c.sig.stop, requestTime)
	defer cancel()
	r = r.WithContext(ctx)
	at := hc.record(r)
	header := w.Header()
	header["x-amzn-RequestId"] = []string{at.ID()} // AWS's spelling, not Go's
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Access-Control-Expose-Headers", "x-amzn-ErrorMessage, x-amzn-RequestId, x-amzn-ErrorType, Date")
	if r.URL.Path == webSocketPath && !hc.c.route.wantsCertificate() && r.Method == http.MethodGet {
		if hc.upgrade(w, r, at) {
			return // the connection goes on, and its attempt with it
		}
	} else {
		hc.request(w, r, at)
	}
	at.End()
}

// record begins the attempt of a request. That of the connection serves the first one.
func (hc *httpConn) record(r *http.Request) *attempt.Attempt {
	at := hc.c.at
	if hc.requests.Add(1) > 1 {
		at = hc.c.s.cfg.Attempts.Begin(hc.c.door, hc.c.wire.RemoteAddr(), hc.c.wire.LocalAddr())
		at.SetSNI(hc.c.sni)
		if hc.c.who.ID != "" {
			at.SetCertificate(hc.c.who.ID, nil)
			at.SetPrincipal(hc.c.who.ID, hc.c.who.ARN)
		}
	}
	at.SetProtocol("HTTPS")
	if agent := r.UserAgent(); agent != "" {
		at.SetSDK(agent)
	}
	at.Pass(check.HTTPRequest, attempt.F("method", r.Method), attempt.F("path", r.URL.Path))
	return at
}

// request answers a request of the data plane.
func (hc *httpConn) request(w http.ResponseWriter, r *http.Request, at *attempt.Attempt) {
	// The body is taken off the wire first, within AWS's bound, so that the
	// device is listening when the answer comes.
	body, refused := readBody(w, r, at)
	if refused == nil && hc.c.refusedBefore("") {
		refused = &answerForbidden // connect sheet 5.1 rows 11 and 14
	}
	if refused == nil {
		refused = hc.wrongProtocol(r, false, at)
	}
	var who caller
	if refused == nil {
		who, refused = hc.authenticate(r.Context(), r, body, false, at)
	}
	if hc.logins != nil && hc.logins.Over() {
		w.Header().Set("Connection", "close") // disconnectAfterInSeconds: custom-auth sheet 8
	}
	if refused == nil {
		if operation := unbuiltOperation(r); operation != "" {
			at.Fail(check.HTTPNotBuilt, attempt.F("method", r.Method), attempt.F("path", r.URL.Path), attempt.F("action", operation))
			refused = notBuilt(operation)
		}
	}
	if refused == nil {
		refused = hc.operate(w, r, who, body, at)
	}
	if refused != nil {
		hc.diagnosis(w, at)
		refused.write(w, at.ID())
	}
}

// readBody reads the body of a request, or refuses one that is too large or cut short.
func readBody(w http.ResponseWriter, r *http.Request, at *attempt.Attempt) ([]byte, *httpAnswer) {
	if r.ContentLength == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	if r.ContentLength > 0 {
		b.Grow(int(min(r.ContentLength+bytes.MinRead, 16<<10))) // a length is only a claim
	}
	n, err := io.Copy(&b, http.MaxBytesReader(w, r.Body, maxBodyBytes))
	_, over := errors.AsType[*http.MaxBytesError](err)
	switch {
	case over || n == maxBodyBytes:
		at.Fail(check.LimitPayload, attempt.F("offered", "more than "+strconv.Itoa(maxBodyBytes-1)+" bytes"), attempt.F("required", "at most "+strconv.Itoa(maxBodyBytes-1)+" bytes"))
		return nil, &answerTooLarge
	case err != nil:
		at.Fail(check.HTTPMalformed, attempt.F("reason", clipText(err.Error())))
		return nil, &answerBadRequest
	}
	return b.Bytes(), nil
}

// operate lets the data plane answer, and records what became of it.
func (hc *httpConn) operate(w http.ResponseWriter, r *http.Request, who caller, body []byte, at *attempt.Attempt) *httpAnswer {
	c := hc.c
	if c.s.cfg.Data == nil {
		at.Fail(check.HTTPNotBuilt, attempt.F("method", r.Method), attempt.F("path", r.URL.Path))
		return notBuilt("The data plane")
	}
	auth, err := c.mayDo(r.Context(), who, identity.Facts{Protocol: policy.HTTP, DomainName: c.sni, SourceIP: remote(c.wire.Conn).Addr()})
	if err != nil {
		return hc.failed(r.Context(), at, "authorize", err)
	}
	call := api.DeviceCall{
		Caller:  api.Caller{AccessKeyID: who.accessKeyID, Account: who.who.AccountID, ARN: who.who.ARN, UserID: who.who.ID, Access: auth},
		Attempt: at, Body: body,
	}
	c.s.cfg.Data.ServeDevice(w, r, call, func(o api.Outcome) {
		o.Record(r, at)
		if o.Err != nil {
			hc.diagnosis(w, at)
		}
	})
	return nil
}

// diagnosis tells the device which check refused it, where the operator wants that.
func (hc *httpConn) diagnosis(w http.ResponseWriter, at *attempt.Attempt) {
	if hc.c.s.cfg.Explain {
		w.Header()["x-gatehouse-diagnosis"] = []string{at.Code()}
	}
}

// unbuiltOperation names the operation that a request asks for, when it is one of
// those that no service here knows yet. Source: connect sheet 1.5; api sheet 2.
func unbuiltOperation(r *http.Request) string {
	// The escaped path tells "a%2Fb" (one label) from "a/b".
	labels := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	by := func(table map[string]string) string { return table[r.Method] }
	switch n := len(labels); {
	case labels[0] == "things" && n == 3 && labels[2] == "jobs":
		return by(map[string]string{"GET": "GetPendingJobExecutions"})
	case labels[0] == "things" && n == 4 && labels[2] == "jobs" && (labels[3] == "$next" || labels[3] == "%24next"):
		return by(map[string]string{"PUT": "StartNextPendingJobExecution", "GET": "DescribeJobExecution"})
	case labels[0] == "things" && n == 4 && labels[2] == "jobs":
		return by(map[string]string{"GET": "DescribeJobExecution", "POST": "UpdateJobExecution"})
	case labels[0] == "role-aliases" && n == 3 && labels[2] == "credentials":
		return by(map[string]string{"GET": "AssumeRoleWithCertificate"})
	}
	return ""
}

// write sends the answer. The trailing colon after the type is AWS's.
func (a *httpAnswer) write(w http.ResponseWriter, traceID string) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h["x-amzn-ErrorType"] = []string{a.kind + ":"}
	body, err := json.Marshal(struct {
		Message string `json:"message"`
		TraceID string `json:"traceId"`
	}{a.message, traceID})
	if err != nil {
		panic(err) // two strings can't fail to marshal
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // a device that went away needs no answer
}
