package lambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/function"
)

// Bounds of a payload, in bytes. Source: AWS Lambda quotas.
const (
	maxPayload      = 6291456
	maxEventPayload = 1 << 20
	maxContext      = 3583
)

// Invoke runs a function: and waits, or does not, or only checks that it could.
// A function's own failure is an answer of status 200. Source: custom-auth sheet 15.
func (h Handlers) Invoke(ctx context.Context, in *InvocationRequest) (*InvocationResponse, error) {
	req := function.Request{
		FunctionARN: in.FunctionName, Qualifier: api.OrZero(in.Qualifier), Payload: in.Payload, Tail: api.OrZero(in.LogType) == LogTypeTail,
	}
	kind := api.OrZero(in.InvocationType)
	most := maxPayload
	if kind == InvocationTypeEvent {
		most = maxEventPayload
	}
	if len(req.Payload) > most {
		return nil, RequestTooLargeException("Request must be smaller than %d bytes for the InvokeFunction operation", most)
	}
	if len(req.Payload) > 0 && !json.Valid(req.Payload) {
		return nil, InvalidRequestContentException("Could not parse request body into json: the payload is not valid JSON.")
	}
	if text := api.OrZero(in.ClientContext); text != "" {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(text) > maxContext || !json.Valid(raw) {
			return nil, InvalidRequestContentException("Client context must be a valid Base64-encoded JSON object of at most %d characters.", maxContext)
		}
		req.ClientContext = raw
	}
	switch kind {
	case InvocationTypeDryRun:
		f, err := h.Functions.Get(req.FunctionARN, req.Qualifier)
		if err != nil {
			return nil, err
		}
		return &InvocationResponse{StatusCode: new(int32(http.StatusNoContent)), ExecutedVersion: &f.Version.Version}, nil
	case InvocationTypeEvent:
		if _, err := h.Functions.Get(req.FunctionARN, req.Qualifier); err != nil {
			return nil, err
		}
		res, err := h.Functions.InvokeEvent(ctx, req)
		if err != nil {
			return nil, err
		}
		if e := failure(&res); e != nil {
			return nil, e
		}
		return &InvocationResponse{StatusCode: new(int32(http.StatusAccepted))}, nil
	default:
	}
	if _, err := h.Functions.Get(req.FunctionARN, req.Qualifier); err != nil { // with the API's own wording
		return nil, err
	}
	res, err := h.Functions.Invoke(ctx, req)
	if err != nil {
		return nil, err
	}
	if e := failure(&res); e != nil {
		return nil, e
	}
	out := &InvocationResponse{
		StatusCode: new(int32(http.StatusOK)), ExecutedVersion: &res.ExecutedVersion, Payload: res.Payload, FunctionError: api.OrAbsent(res.FunctionError()),
	}
	if req.Tail {
		out.LogResult = new(base64.StdEncoding.EncodeToString(res.Log))
	}
	return out, nil
}

// failure is the exception of an invocation in which no code ran.
func failure(res *function.Result) error {
	switch res.Outcome {
	case function.NotFound:
		return ResourceNotFoundException("%s", res.Message)
	case function.Throttled:
		e := TooManyRequestsException("Rate Exceeded. %s", res.Message)
		e.Reason = "ConcurrentInvocationLimitExceeded"
		if res.Concurrency.Scope == "function" {
			e.Reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
		}
		return e
	case function.NotRunnable:
		return InvalidRuntimeException("%s", res.Message)
	default: // the API's caller is the account itself: its permission is not asked for
		return nil
	}
}
