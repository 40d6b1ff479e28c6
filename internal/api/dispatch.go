package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A decoding fills in, a pointer to the Go type of shape, from a request, and
// returns the paths of required members that were absent, for the validation.
type decoding func(shape *Shape, in any) (missing map[string]bool, _ *Error)

// An encoding writes the output of an operation, a pointer to its Go type; nil is an empty one.
type encoding func(op *OperationInfo, out any) response

// perform decodes, validates, handles and answers a request for op, in whichever protocol.
func (x *exchange) perform(op *Operation, decode decoding, encode encoding) (response, *Error) {
	x.operation = x.to.bound.ID + ":" + op.Info.Name
	in := op.New()
	missing, e := decode(op.Info.Input, in)
	if e != nil {
		return response{}, e
	}
	if e := op.Info.validate(in, missing); e != nil {
		return response{}, e
	}
	out, e := x.handle(op, in)
	if e != nil {
		return response{}, e
	}
	return encode(op.Info, out), nil
}

// callREST routes and performs a rest-json operation.
func (x *exchange) callREST(query url.Values, body []byte) (response, *Error) {
	m, allowed, ok := x.to.bound.router.find(x.r.Method, x.path)
	if !ok {
		return response{}, unknownOperation(x.to, x.r.Method, x.path, allowed)
	}
	return x.perform(m.op, func(shape *Shape, in any) (map[string]bool, *Error) {
		return decodeInput(shape, bindings{labels: m.labels, query: query, header: x.r.Header, body: body}, in)
	}, encodeREST)
}

// callQuery performs an operation of the query protocol.
func (x *exchange) callQuery(query url.Values, body []byte) (response, *Error) {
	svc := x.to.bound
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return response{}, Errorf("MalformedQueryString", http.StatusBadRequest, "The form in the request body is malformed.")
	}
	for k, v := range query {
		form[k] = append(form[k], v...)
	}
	name, version := form.Get("Action"), form.Get("Version")
	if version != "" && version != svc.Version {
		return response{}, Errorf("InvalidAction", http.StatusBadRequest, "Could not find operation %s for version %s", short(name), short(version))
	}
	op := svc.operation(name)
	switch {
	case name == "":
		return response{}, Errorf("MissingAction", http.StatusBadRequest, "The request names no Action.")
	case op == nil && (x.to.name == "sts" && slices.Contains(stsOperations, name) || svc.Protocol == RPC):
		return response{}, NotImplemented(svc.ID, svc.Version, short(name))
	case op == nil:
		return response{}, Errorf("InvalidAction", http.StatusBadRequest, "Could not find operation %s for version %s", short(name), svc.Version)
	}
	return x.perform(op, func(shape *Shape, in any) (map[string]bool, *Error) {
		return decodeForm(shape, form, in)
	}, func(op *OperationInfo, out any) response {
		return encodeXML(svc.Service, op, out, x.requestID)
	})
}

// stsOperations are operations of STS that the kept part of its model lacks.
var stsOperations = []string{
	"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "DecodeAuthorizationMessage", "GetAccessKeyInfo",
	"GetDelegatedAccessToken", "GetFederationToken", "GetSessionToken", "GetWebIdentityToken",
}

// handle calls the operation's handler, if the caller may do that.
func (x *exchange) handle(op *Operation, in any) (any, *Error) {
	svc := x.to.bound
	out, e, err := x.run(op, in)
	if svc.Done != nil {
		svc.Done(Done{
			RequestID: x.requestID, Caller: x.caller, Remote: remoteAddrPort(x.r), Attempt: x.attempt,
			In: in, Out: out, Err: e, Cause: err, Denied: x.denied.Action != "",
		})
	}
	return out, e
}

// run returns what the handler answers: out, or its error and what the client sees of it.
func (x *exchange) run(op *Operation, in any) (out any, e *Error, err error) {
	svc := x.to.bound
	if e := x.authorize(op.Info, in); e != nil {
		return nil, e, nil
	}
	out, err = op.Call(context.WithValue(x.r.Context(), callKey{}, x.call), in)
	if err == nil {
		return out, nil, nil
	}
	e = From(err)
	if svc.MapError != nil {
		if mapped := svc.MapError(err); mapped != nil {
			e = mapped
		}
	}
	if x.s.cfg.OnUnmodelled != nil && !slices.Contains(op.Info.Errors, e.Code) && e.Status != http.StatusNotImplemented {
		x.s.cfg.OnUnmodelled(svc.ID, op.Info.Name, e)
	}
	return nil, e, err
}

// unknownOperation answers a method and path that the service's model does not
// have together. Source: api sheet 4.6; the 405 is modelled in iot-data only.
func unknownOperation(to target, method, path string, allowed []string) *Error {
	if len(allowed) == 0 {
		return Errorf("UnknownOperationException", http.StatusNotFound, "The service %s (version %s) has no operation %s %s.", to.bound.ID, to.bound.Version, method, short(path))
	}
	code, status := "UnknownOperationException", http.StatusNotFound
	if to.style == styleData {
		code, status = "MethodNotAllowedException", http.StatusMethodNotAllowed
	}
	return Errorf(code, status, "The service %s (version %s) has no operation %s %s; this path knows %s.", to.bound.ID, to.bound.Version, method, short(path), strings.Join(allowed, ", "))
}
