package gateway

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// An httpAnswer is a refusal as AWS's data plane words it. Source: connect sheet 6.1.
type httpAnswer struct {
	status  int
	kind    string // exception
	message string
}

var (
	answerForbidden  = httpAnswer{http.StatusForbidden, "ForbiddenException", "Forbidden"}
	answerNotFound   = httpAnswer{http.StatusNotFound, "ResourceNotFoundException", "Not Found"}
	answerMethod     = httpAnswer{http.StatusMethodNotAllowed, "MethodNotAllowedException", "Method Not Allowed"}
	answerTooLarge   = httpAnswer{http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "Request entity too large"}
	answerBadRequest = httpAnswer{http.StatusBadRequest, "InvalidRequestException", "Bad Request"}
)

func notBuilt(operation string) httpAnswer {
	return httpAnswer{http.StatusNotImplemented, "NotImplementedException", operation + " is not implemented yet"}
}

// answer answers one request.
func (hc *httpConn) answer(w http.ResponseWriter, r *http.Request) {
	at := hc.c.at
	if hc.requests.Add(1) > 1 {
		at = hc.c.s.cfg.Attempts.Begin(hc.c.door, hc.c.wire.RemoteAddr(), hc.c.wire.LocalAddr())
		defer at.End()
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

	// The body is taken off the wire first, within AWS's bound, so that the
	// device is listening when the answer comes.
	n, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxBodyBytes))
	var a httpAnswer
	switch {
	case err != nil && n >= maxBodyBytes-1:
		at.Fail(check.LimitPayload, attempt.F("offered", "more than "+strconv.Itoa(maxBodyBytes-1)+" bytes"), attempt.F("required", "at most "+strconv.Itoa(maxBodyBytes-1)+" bytes"))
		a = answerTooLarge
	case err != nil:
		at.Fail(check.HTTPMalformed, attempt.F("reason", clipText(err.Error())))
		a = answerBadRequest
	default:
		a = hc.decide(r, at)
	}
	a.write(w, at.ID())
}

// decide refuses the request as far as this Gatehouse can judge it: who may use
// this door, whether the path exists, and what is not built yet.
func (hc *httpConn) decide(r *http.Request, at *attempt.Attempt) httpAnswer {
	c := hc.c
	method, path := attempt.F("method", r.Method), attempt.F("path", r.URL.Path)
	if c.refusedBefore("") {
		return answerForbidden // connect sheet 5.1 rows 11 and 14
	}
	if !c.route.wantsCertificate() {
		switch {
		case isSigned(r):
			at.Fail(check.SigV4NotBuilt, method, path)
			return notBuilt("Signature Version 4 for device requests")
		case hasAuthorizer(r) || c.route.auth == authCustom:
			at.Fail(check.AuthorizerNotBuilt, method, path)
			return notBuilt("A custom authorizer")
		}
		// No credentials at all: a device with a certificate that TLS did
		// not ask for. Source: PROBLEMS K-01.
		at.Fail(check.HTTPPortForCertAuth, method, path, attempt.F("required", "port 8443, or ALPN "+alpnHTTPCert))
		if c.bare {
			at.Warn(check.TLSALPNAbsent, attempt.F("required", alpnHTTPCert)) // perhaps it did not reach the TLS library: PROBLEMS C-11
		}
		return answerForbidden
	}
	operation, a := operationOf(r)
	switch {
	case operation == "":
		at.Fail(check.HTTPNotFound, method, path)
		return a
	case isUpgrade(r):
		at.Fail(check.WebSocketNotBuilt, method, path)
	default:
		at.Fail(check.HTTPNotBuilt, method, path, attempt.F("action", operation))
	}
	return notBuilt(operation)
}

// operationOf names the operation of the data plane that a request asks for,
// or says how a request for none is answered. Source: connect sheet 6, 7, 1.5.
func operationOf(r *http.Request) (operation string, a httpAnswer) {
	// The escaped path tells "a%2Fb" (one label) from "a/b".
	labels := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	is := func(methods ...string) bool {
		return slices.Contains(methods, r.Method)
	}
	methods := func(table map[string]string) (string, httpAnswer) {
		if op := table[r.Method]; op != "" {
			return op, httpAnswer{}
		}
		return "", answerMethod
	}
	n := len(labels)
	switch {
	case labels[0] == "topics" && n >= 2 && labels[1] != "":
		return methods(map[string]string{"POST": "Publish"})
	case labels[0] == "mqtt" && n == 1:
		if is("GET") {
			return "MQTT over WebSocket", httpAnswer{}
		}
	case labels[0] == "retainedMessage" && n == 1:
		return methods(map[string]string{"GET": "ListRetainedMessages"})
	case labels[0] == "retainedMessage" && n >= 2:
		return methods(map[string]string{"GET": "GetRetainedMessage"})
	case labels[0] == "connections" && n == 2:
		return methods(map[string]string{"DELETE": "DeleteConnection", "GET": "GetConnection"})
	case labels[0] == "connections" && n == 3 && labels[2] == "subscriptions":
		return methods(map[string]string{"GET": "ListSubscriptions"})
	case labels[0] == "connections" && n == 3 && labels[2] == "messages":
		return methods(map[string]string{"POST": "SendDirectMessage"})
	case labels[0] == "things" && n == 3 && labels[2] == "shadow":
		return methods(map[string]string{"GET": "GetThingShadow", "POST": "UpdateThingShadow", "DELETE": "DeleteThingShadow"})
	case labels[0] == "things" && n == 3 && labels[2] == "jobs":
		return methods(map[string]string{"GET": "GetPendingJobExecutions"})
	case labels[0] == "things" && n == 4 && labels[2] == "jobs" && (labels[3] == "$next" || labels[3] == "%24next"):
		return methods(map[string]string{"PUT": "StartNextPendingJobExecution", "GET": "DescribeJobExecution"})
	case labels[0] == "things" && n == 4 && labels[2] == "jobs":
		return methods(map[string]string{"GET": "DescribeJobExecution", "POST": "UpdateJobExecution"})
	case labels[0] == "api" && n == 5 && labels[1] == "things" && labels[2] == "shadow" && labels[3] == "ListNamedShadowsForThing":
		return methods(map[string]string{"GET": "ListNamedShadowsForThing"})
	case labels[0] == "role-aliases" && n == 3 && labels[2] == "credentials":
		return methods(map[string]string{"GET": "AssumeRoleWithCertificate"})
	}
	return "", answerNotFound
}

// isSigned tells whether a request carries a signature of version 4, in its
// header or its query.
func isSigned(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256") || r.URL.Query().Has("X-Amz-Signature")
}

// hasAuthorizer tells whether a request asks for a custom authorizer.
func hasAuthorizer(r *http.Request) bool {
	const name = "x-amz-customauthorizer-name"
	return r.Header.Get(name) != "" || r.URL.Query().Has(name)
}

func isUpgrade(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// write sends the answer. The trailing colon after the type is AWS's.
func (a httpAnswer) write(w http.ResponseWriter, traceID string) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h["x-amzn-RequestId"] = []string{traceID} // AWS's spelling, not Go's
	h["x-amzn-ErrorType"] = []string{a.kind + ":"}
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "x-amzn-ErrorMessage, x-amzn-RequestId, x-amzn-ErrorType, Date")
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
