package api

import (
	"context"
	"net/http"
	"reflect"
	"slices"
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

// callJSON decodes, validates and calls an operation of the awsJson protocols.
// Source: logs sheet 4.1.
func (x *exchange) callJSON(body []byte) (response, *Error) {
	svc := x.to.bound
	i := slices.IndexFunc(svc.Operations, func(o Operation) bool { return o.Info.Name == x.to.op })
	switch {
	case x.to.op == "":
		return response{}, Errorf("UnknownOperationException", http.StatusBadRequest, "The request names no operation in X-Amz-Target.")
	case i < 0: // of the service, but of no model here; or of no service at all
		return response{}, NotImplemented(svc.ID, svc.Version, short(x.to.op))
	}
	op := &svc.Operations[i]
	x.operation = svc.ID + ":" + op.Info.Name
	in := op.New()
	missing, e := decodeInput(op.Info.Input, bindings{body: body}, in)
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
	return x.encodeJSON(op.Info, out), nil
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
