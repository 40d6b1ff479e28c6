package function

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
)

// Remote invokes functions at another Lambda endpoint: AWS itself, or another
// emulator. There, the caller is whoever the credentials belong to: the
// functions' resource policies don't come into it.
type Remote struct {
	endpoint    string
	region      string
	credentials aws.CredentialsProvider
	http        *http.Client
}

var _ Invoker = (*Remote)(nil)

// NewRemote makes an Invoker for the Lambda API at endpoint. Credentials come
// from where AWS's tools look for them: environment, profile, or the machine's role.
func NewRemote(ctx context.Context, endpoint, region string) (*Remote, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" {
		return nil, fmt.Errorf("%q is no URL of a Lambda endpoint, such as https://lambda.%s.amazonaws.com", endpoint, region)
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(region))
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = DefaultProcesses
	return &Remote{endpoint: strings.TrimRight(endpoint, "/"), region: region, credentials: cfg.Credentials, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // passwords of devices go nowhere else
	}}, nil
}

// Invoke implements [Invoker].
func (r *Remote) Invoke(ctx context.Context, req Request) (Result, error) {
	began := time.Now()
	if req.Limit > 0 {
		var cancel context.CancelFunc
		outer := ctx
		ctx, cancel = context.WithTimeout(ctx, req.Limit)
		defer cancel()
		res, err := r.invoke(ctx, req, began)
		if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && outer.Err() == nil {
			return Result{Outcome: TimedOut, Limit: req.Limit, Waited: time.Since(began), Message: fmt.Sprintf("%s did not answer within %s.", r.endpoint, req.Limit)}, nil
		}
		return res, err
	}
	return r.invoke(ctx, req, began)
}

func (r *Remote) invoke(ctx context.Context, req Request, began time.Time) (Result, error) {
	resp, err := r.send(ctx, req)
	if ctx.Err() != nil {
		if err == nil {
			resp.Body.Close()
		}
		return Result{}, ctx.Err()
	}
	if err != nil {
		return Result{Outcome: Unreachable, Message: fmt.Sprintf("%s: %v", r.endpoint, err)}, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if err != nil {
		if ctx.Err() != nil {
			return Result{}, ctx.Err()
		}
		return Result{Outcome: Unreachable, Message: fmt.Sprintf("%s: %v", r.endpoint, err)}, nil
	}
	res := Result{
		RequestID: resp.Header.Get("X-Amzn-Requestid"), ExecutedVersion: resp.Header.Get("X-Amz-Executed-Version"), Payload: body,
		Duration: time.Since(began), Waited: 0,
	}
	if log, err := base64.StdEncoding.DecodeString(resp.Header.Get("X-Amz-Log-Result")); err == nil && len(log) <= 2*maxTail {
		res.Log = log
	}
	r.judge(&res, resp)
	return res, nil
}

// judge tells the outcome of an answer.
func (r *Remote) judge(res *Result, resp *http.Response) {
	kind, _, _ := strings.Cut(resp.Header.Get("X-Amzn-Errortype"), ":")
	switch {
	case len(res.Payload) > maxResponse:
		res.Outcome, res.Payload = ResponseTooLarge, nil
	case resp.StatusCode == http.StatusOK && resp.Header.Get("X-Amz-Function-Error") == "":
		res.Outcome = Succeeded
		return
	case resp.StatusCode == http.StatusOK:
		res.Outcome = HandlerFailed
		res.readError()
		switch {
		case res.ErrorType == "Sandbox.Timedout" || strings.Contains(res.ErrorMessage, "Task timed out after"):
			res.Outcome = TimedOut
		case res.ErrorType == "Runtime.ExitError":
			res.Outcome = Exited
		}
		return
	case resp.StatusCode == http.StatusNotFound:
		res.Outcome = NotFound
	case resp.StatusCode == http.StatusTooManyRequests:
		res.Outcome = Throttled
	default: // 403 too: our credentials are refused, whatever the function's resource policy says
		res.Outcome = Unreachable
	}
	var refused struct{ Message string } // also when it is spelled message
	_ = json.Unmarshal(res.Payload, &refused)
	res.Payload = nil
	res.Message = fmt.Sprintf("%s answered %s %s: %s", r.endpoint, resp.Status, short(kind), short(refused.Message))
}

// send sends the signed request.
func (r *Remote) send(ctx context.Context, in Request) (*http.Response, error) {
	where := r.endpoint + "/2015-03-31/functions/" + url.PathEscape(in.FunctionARN) + "/invocations"
	if in.Qualifier != "" {
		where += "?Qualifier=" + url.QueryEscape(in.Qualifier)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, where, bytes.NewReader(in.Payload))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Amz-Invocation-Type", "RequestResponse")
	if in.Tail {
		req.Header.Set("X-Amz-Log-Type", "Tail")
	}
	if len(in.ClientContext) > 0 {
		req.Header.Set("X-Amz-Client-Context", base64.StdEncoding.EncodeToString(in.ClientContext))
	}
	key, err := r.credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("AWS credentials: %w", err)
	}
	sum := sha256.Sum256(in.Payload)
	if err := v4.NewSigner().SignHTTP(ctx, key, req, hex.EncodeToString(sum[:]), "lambda", r.region, time.Now()); err != nil {
		return nil, err
	}
	return r.http.Do(req) //nolint:gosec // the operator named the endpoint
}
