package inspect

import (
	"context"
	"errors"
	"net/http"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/probe"
)

// ask calls one operation of the account within its time.
func ask[In, Out, Option any](ctx context.Context, op func(context.Context, In, ...func(Option)) (Out, error), in In) (Out, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return op(ctx, in)
}

// code is the error code of an AWS answer, "" if err is none.
func code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

// absent says whether the account answered that there is no such thing.
func absent(err error) bool {
	return code(err) == "ResourceNotFoundException" || code(err) == "ResourceNotFound"
}

// unreached says whether a question did not get through, or its answer did not.
func unreached(err error) bool {
	var sent *smithyhttp.RequestSendError
	return errors.As(err, &sent) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// throttles are codes for a caller who asks too often.
var throttles = []string{"Throttl", "TooManyRequests", "RequestLimitExceeded"}

// denials are codes for a caller who may not call an operation. Services differ.
var denials = []string{"AccessDenied", "UnauthorizedException", "UnauthorizedOperation", "NotAuthorized", "Forbidden"}

// unknowns are credentials that the account does not accept at all.
var unknowns = []string{
	"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSignatureException",
	"ExpiredToken", "IncompleteSignature", "MissingAuthenticationToken", "AuthFailure",
}

func oneOf(list []string, code string) bool {
	for _, c := range list {
		if strings.HasPrefix(code, c) {
			return true
		}
	}
	return false
}

// unseen is the result of a question, such as "iot:GetPolicy", that was not
// answered: a check of its own, and no verdict about the device.
func (l *look) unseen(action string, err error) probe.Result {
	c := check.AccountNotAnswered
	status := 0
	if resp, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		status = resp.HTTPStatusCode()
	}
	switch {
	case oneOf(unknowns, code(err)):
	case oneOf(denials, code(err)), status == http.StatusForbidden, status == http.StatusUnauthorized:
		c = check.AccountNotPermitted
	}
	r := result(c, probe.Unknown, attempt.F("action", action), attempt.F("caller", l.report.Caller), attempt.F("error", brief(err)))
	r.Note = "could not look: needs " + action
	if c == check.AccountNotAnswered {
		r.Note = "could not look: " + action + " failed"
	}
	return r
}

// brief is the cause of a failed call, without the SDK's wrapping.
func brief(err error) string {
	text := err.Error()
	var api smithy.APIError
	switch {
	case errors.As(err, &api):
		text = api.ErrorCode()
		if m := api.ErrorMessage(); m != "" {
			text += ": " + m
		}
		if oneOf(throttles, api.ErrorCode()) {
			text = strings.TrimRight(text, ". ") + "; the account answers so many questions a second alone: look again in a minute"
		}
	case errors.Is(err, context.DeadlineExceeded):
		text = "no answer within " + timeout.String()
	case errors.Is(err, context.Canceled):
		text = "interrupted"
	default:
		for e := err; e != nil; e = errors.Unwrap(e) {
			text = e.Error()
		}
	}
	return strings.TrimRight(check.Visible(strings.Join(strings.Fields(text), " ")), ". ")
}
