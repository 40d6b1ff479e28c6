package api

import (
	"context"
	"net/http"
	"reflect"
)

// maxJSONBody bounds a request body of the JSON protocol: 1 MiB of log messages,
// each of whose characters may be escaped. Source: logs sheet 4.2, PutLogEvents.
const maxJSONBody = 6 << 20

// maxBody is how long a request body may be, in bytes.
func (t target) maxBody(def int64) int64 {
	if t.bound != nil && t.bound.MaxBody > 0 {
		return t.bound.MaxBody
	}
	if t.bound != nil && t.bound.Protocol == JSON {
		return max(def, maxJSONBody)
	}
	return def
}

// callJSON performs an operation of the awsJson protocols.
// Source: logs sheet 4.1.
func (x *exchange) callJSON(body []byte) (response, *Error) {
	svc := x.to.bound
	op := svc.operation(x.to.op)
	switch {
	case x.to.op == "":
		return response{}, Errorf("UnknownOperationException", http.StatusBadRequest, "The request names no operation in X-Amz-Target.")
	case op == nil: // of the service, but of no model here; or of no service at all
		return response{}, NotImplemented(svc.ID, svc.Version, short(x.to.op))
	}
	return x.perform(op, func(shape *Shape, in any) (map[string]bool, *Error) {
		return decodeInput(shape, bindings{body: body}, in)
	}, x.encodeJSON)
}

// encodeJSON writes the output of an operation; one that has none has no body.
func (x *exchange) encodeJSON(op *OperationInfo, out any) response {
	r := response{status: http.StatusOK, contentType: "application/x-amz-json-" + x.to.json}
	if op.Output == nil {
		return r
	}
	v := indirect(out)
	if !v.IsValid() {
		r.body = []byte("{}")
		return r
	}
	for i := range op.Output.Members {
		if m := &op.Output.Members[i]; m.Shape.Kind == Events {
			return x.encodeEvents(m.Shape, v.Field(i))
		}
	}
	r.body = appendStructure(nil, v, op.Output, true)
	return r
}

// encodeEvents writes an output that is a stream.
func (x *exchange) encodeEvents(s *Shape, f reflect.Value) response {
	run := f.Interface().(EventStream)
	ctx := context.WithValue(x.r.Context(), callKey{}, x.call)
	return response{status: http.StatusOK, contentType: "application/vnd.amazon.eventstream", stream: func(w http.ResponseWriter) {
		es := eventWriter{w: w, shape: s}
		_ = es.send("initial-response", nil) // if that fails, the next one does too, and run cleans up
		if err := run(ctx, es.send); err != nil && ctx.Err() == nil {
			e := From(err)
			x.log(e)
			es.fail(e)
		}
	}}
}
