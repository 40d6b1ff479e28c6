package api_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdkiot "github.com/aws/aws-sdk-go-v2/service/iot"
	sdkdata "github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	sdksts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/api/iot"
	"github.com/gatehouse-iot/gatehouse/internal/api/iotdata"
	"github.com/gatehouse-iot/gatehouse/internal/api/sts"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

const (
	keyID  = "AKIAIOSFODNN7EXAMPLE"
	secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

// keys is one access key.
type keys struct{}

func (keys) Lookup(_ context.Context, id string) (api.Credential, bool, error) {
	if id == "AKIABROKEN" {
		return api.Credential{}, false, errors.New("disk on fire")
	}
	return api.Credential{SecretAccessKey: secret, Account: "123456789012", ARN: "arn:aws:iam::123456789012:root", UserID: "123456789012"}, id == keyID, nil
}

// handlers answers a few operations, each in another way.
type handlers struct{ iot.Unimplemented }

func (handlers) DescribeThing(_ context.Context, in *iot.DescribeThingRequest) (*iot.DescribeThingResponse, error) {
	switch in.ThingName {
	case "panic":
		panic("boom")
	case "broken":
		return nil, errors.New("secret detail")
	case "refused":
		return nil, fmt.Errorf("read: %w", &registry.Error{Kind: registry.ResourceNotFound, Message: "Thing refused does not exist."})
	case "limit":
		return nil, iot.LimitExceededException("too many")
	case "strange":
		return nil, iot.MalformedPolicyException("not modelled here")
	}
	return &iot.DescribeThingResponse{ThingName: &in.ThingName, Version: aws.Int64(1)}, nil
}

func (handlers) ListThings(ctx context.Context, in *iot.ListThingsRequest) (*iot.ListThingsResponse, error) {
	page, err := api.ReadPage(ctx, in.NextToken, in.MaxResults, 50, in.ThingTypeName)
	if err != nil {
		return nil, err
	}
	name := page.After + "x"
	return &iot.ListThingsResponse{Things: []iot.ThingAttribute{{ThingName: &name}}, NextToken: page.Next(len(name) < 3, name)}, nil
}

type fixture struct {
	*httptest.Server
	unmodelled []string
	now        time.Time
}

func start(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{now: time.Now()}
	svc := iot.NewService(handlers{})
	svc.MapError = iot.New(iot.Handlers{}).MapError
	var server *api.Server
	server, err := api.NewServer(api.Config{
		Services:    []*api.Service{svc, iotdata.NewService(iotdata.Unimplemented{}), sts.New()},
		Credentials: keys{},
		Region:      "us-east-1",
		Now:         func() time.Time { return f.now },
		Log:         slog.New(slog.DiscardHandler),
		Extra: map[string]http.Handler{
			"/healthz": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }),
			"/gatehouse/v1/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				server.Authenticated(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					c, _ := api.CallerFrom(r.Context())
					body, _ := io.ReadAll(r.Body)
					fmt.Fprintf(w, "%s %s %s", c.Account, api.RequestID(r.Context()), body)
				})).ServeHTTP(w, r)
			}),
		},
		OnUnmodelled: func(service, operation string, e *api.Error) {
			f.unmodelled = append(f.unmodelled, service+" "+operation+" "+e.Code)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Server = httptest.NewServer(server)
	t.Cleanup(f.Close)
	return f
}

func (f *fixture) iot(options ...func(*sdkiot.Options)) *sdkiot.Client {
	return sdkiot.New(sdkiot.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(f.URL),
		Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, ""),
	}, options...)
}

func TestSDKClient(t *testing.T) {
	f := start(t)
	ctx := t.Context()

	out, err := f.iot().DescribeThing(ctx, &sdkiot.DescribeThingInput{ThingName: aws.String("a:b_c")})
	if err != nil || aws.ToString(out.ThingName) != "a:b_c" {
		t.Fatalf("DescribeThing: %+v, %v", out, err)
	}
	var names []string
	for p := sdkiot.NewListThingsPaginator(f.iot(), &sdkiot.ListThingsInput{ThingTypeName: aws.String("T"), MaxResults: aws.Int32(1)}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, *page.Things[0].ThingName)
	}
	if !reflect.DeepEqual(names, []string{"x", "xx", "xxx"}) {
		t.Errorf("pages: %v", names)
	}
	id, err := sdksts.New(sdksts.Options{Region: "us-east-1", BaseEndpoint: aws.String(f.URL), Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, "")}).
		GetCallerIdentity(ctx, &sdksts.GetCallerIdentityInput{})
	if err != nil || *id.Account != "123456789012" || *id.Arn != "arn:aws:iam::123456789012:root" || *id.UserId != "123456789012" {
		t.Errorf("GetCallerIdentity: %+v, %v", id, err)
	}
	_, err = sdksts.New(sdksts.Options{Region: "us-east-1", BaseEndpoint: aws.String(f.URL), Credentials: credentials.NewStaticCredentialsProvider(keyID, "wrong", "")}).
		GetCallerIdentity(ctx, &sdksts.GetCallerIdentityInput{})
	wantCode(t, "sts with a wrong secret", err, "SignatureDoesNotMatch", 403)
	_, err = sdkdata.New(sdkdata.Options{Region: "us-east-1", BaseEndpoint: aws.String(f.URL), Credentials: credentials.NewStaticCredentialsProvider(keyID, "wrong", "")}).
		Publish(ctx, &sdkdata.PublishInput{Topic: aws.String("a/b"), Payload: []byte("x")})
	wantCode(t, "data plane with a wrong secret", err, "ForbiddenException", 403)
	_, err = sdkdata.New(sdkdata.Options{Region: "us-east-1", BaseEndpoint: aws.String(f.URL), Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, "")}).
		Publish(ctx, &sdkdata.PublishInput{Topic: aws.String("$aws/things/é/x y"), Payload: []byte("x")})
	wantCode(t, "Publish", err, "NotImplementedException", 501)
}

// wantCode checks the code and status that the SDK found in an error.
func wantCode(t *testing.T, what string, err error, code string, status int) {
	t.Helper()
	apiErr, ok := errors.AsType[smithy.APIError](err)
	if !ok || apiErr.ErrorCode() != code {
		t.Errorf("%s: %v, want %s", what, err, code)
		return
	}
	if resp, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && resp.HTTPStatusCode() != status {
		t.Errorf("%s: status %d, want %d", what, resp.HTTPStatusCode(), status)
	}
}

func TestSDKClientErrors(t *testing.T) {
	f := start(t)
	describe := func(name string, options ...func(*sdkiot.Options)) error {
		_, err := f.iot(options...).DescribeThing(t.Context(), &sdkiot.DescribeThingInput{ThingName: aws.String(name)})
		return err
	}
	wantCode(t, "refusal of the registry", describe("refused"), "ResourceNotFoundException", 404)
	once := func(o *sdkiot.Options) { o.RetryMaxAttempts = 1 }
	wantCode(t, "unknown error", describe("broken", once), "InternalFailureException", 500)
	wantCode(t, "panic", describe("panic", once), "InternalFailureException", 500)
	wantCode(t, "limit", describe("limit", once), "LimitExceededException", 410)
	wantCode(t, "unmodelled", describe("strange", once), "MalformedPolicyException", 400)
	if err := describe("broken", once); strings.Contains(err.Error(), "secret detail") {
		t.Errorf("internal text reached the client: %v", err)
	}
	wantCode(t, "validation", describe("no spaces"), "InvalidRequestException", 400)
	wantCode(t, "wrong secret", describe("a", func(o *sdkiot.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(keyID, "wrong", "")
	}), "InvalidSignatureException", 403)
	wantCode(t, "unknown key", describe("a", func(o *sdkiot.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider("AKIAOTHER", secret, "")
	}), "UnrecognizedClientException", 403)
	wantCode(t, "made-up session token", describe("a", func(o *sdkiot.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(keyID, secret, "token")
	}), "UnrecognizedClientException", 403)
	wantCode(t, "key store is down", describe("a", once, func(o *sdkiot.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider("AKIABROKEN", secret, "")
	}), "InternalFailureException", 500)
	wantCode(t, "other region", describe("a", func(o *sdkiot.Options) { o.Region = "eu-west-1" }), "InvalidSignatureException", 403)
	wantCode(t, "no signature", describe("a", func(o *sdkiot.Options) { o.Credentials = aws.AnonymousCredentials{} }), "MissingAuthenticationTokenException", 403)

	f.now = time.Now().Add(time.Hour) // the client is an hour late; it reads our Date and tries again
	if err := describe("a"); err != nil {
		t.Errorf("the SDK did not correct its clock: %v", err)
	}
	if want := []string{"iot DescribeThing LimitExceededException", "iot DescribeThing MalformedPolicyException"}; !reflect.DeepEqual(f.unmodelled, want) {
		t.Errorf("unmodelled errors %v, want %v", f.unmodelled, want)
	}
}

// TestUnimplemented calls every operation of iot by the real client: all are
// signed, routed and decoded; what the client's values break is a validation
// error, and all others answer 501 with their name, once.
func TestUnimplemented(t *testing.T) {
	f := start(t)
	implemented := 0
	for _, op := range iotService.Operations {
		name := op.Info.Name
		if name == "DescribeThing" || name == "ListThings" {
			continue
		}
		attempts := 0
		client := reflect.ValueOf(f.iot(func(o *sdkiot.Options) {
			o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
				_, _ = s.Initialize.Remove("OperationInputValidation")
				return s.Deserialize.Add(middleware.DeserializeMiddlewareFunc("count", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
					attempts++
					return next.HandleDeserialize(ctx, in)
				}), middleware.After)
			})
		}))
		method := client.MethodByName(name)
		results := method.Call([]reflect.Value{reflect.ValueOf(t.Context()), sample(method.Type().In(1))})
		err, _ := reflect.TypeAssert[error](results[1])
		apiErr, ok := errors.AsType[smithy.APIError](err)
		switch {
		case !ok:
			t.Errorf("%s: %v", name, err)
		case apiErr.ErrorCode() == "NotImplementedException":
			implemented++
			if !strings.Contains(apiErr.ErrorMessage(), name+" of iot (version 2015-05-28)") {
				t.Errorf("%s: message %q does not name it", name, apiErr.ErrorMessage())
			}
			if attempts != 1 {
				t.Errorf("%s: tried %d times, want once", name, attempts)
			}
		case apiErr.ErrorCode() != op.Info.Invalid || !strings.Contains(apiErr.ErrorMessage(), "failed to satisfy constraint"):
			t.Errorf("%s: %v", name, err)
		}
	}
	if implemented < 100 {
		t.Errorf("only %d operations came as far as their handler", implemented)
	}
}

// answered is what came back, its body read.
type answered struct {
	StatusCode int
	Header     http.Header
}

// request sends one signed request as it is written.
func (f *fixture) request(t *testing.T, method, target, body, service string, header map[string]string) (answered, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, f.URL+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	if service != "" {
		if err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, r, hash(body), service, "us-east-1", f.now); err != nil {
			t.Fatal(err)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answered{resp.StatusCode, resp.Header}, string(text)
}

func TestServer(t *testing.T) {
	f := start(t)
	for name, tt := range map[string]struct {
		method, target, body, service string
		header                        map[string]string
		status                        int
		code                          string // x-amzn-ErrorType
		contains                      string
	}{
		"unknown path":          {method: "GET", target: "/nothing/here", service: "iot", status: 404, code: "UnknownOperationException", contains: "iot (version 2015-05-28)"},
		"unknown path unsigned": {method: "GET", target: "/nothing/here", status: 403, code: "MissingAuthenticationTokenException"},
		"wrong method":          {method: "PUT", target: "/things/a", service: "iot", status: 404, code: "UnknownOperationException", contains: "DELETE, GET, PATCH, POST"},
		"wrong method, data":    {method: "PUT", target: "/topics/a", service: "iotdata", status: 405, code: "MethodNotAllowedException", contains: "POST"},
		"head":                  {method: "HEAD", target: "/things/a", service: "iot", status: 404, code: "UnknownOperationException"},
		"options":               {method: "OPTIONS", target: "/things/a", service: "iot", status: 404, code: "UnknownOperationException"},
		"preflight":             {method: "OPTIONS", target: "/things/a", header: map[string]string{"Access-Control-Request-Method": "GET", "Origin": "http://x"}, status: 200},
		"old scope":             {method: "GET", target: "/things/a", service: "execute-api", status: 200, contains: `"thingName":"a"`},
		"documented scope":      {method: "POST", target: "/topics/a/b/", service: "iotdevicegateway", status: 501, code: "NotImplementedException", contains: "Publish"},
		"raw arn as label":      {method: "POST", target: "/attached-policies/arn:aws:iot:us-east-1:123456789012:cert/abc", body: "{}", service: "iot", status: 501, code: "NotImplementedException", contains: "ListAttachedPolicies"},
		"list with slash":       {method: "GET", target: "/certificate-providers/", service: "iot", status: 501, code: "NotImplementedException", contains: "ListCertificateProviders"},
		"list without slash":    {method: "GET", target: "/authorizers", service: "iot", status: 501, code: "NotImplementedException", contains: "ListAuthorizers"},
		"fixed beats label":     {method: "PUT", target: "/thing-groups/addThingToThingGroup", body: "{}", service: "iot", status: 501, code: "NotImplementedException", contains: "AddThingToThingGroup"},
		"unknown service":       {method: "GET", target: "/", service: "s3", status: 403, code: "InvalidSignatureException", contains: "Credential should be scoped to correct service: 'iot'."},
		"logs not built":        {method: "POST", target: "/", body: "{}", service: "logs", header: map[string]string{"X-Amz-Target": "Logs_20140328.DescribeLogGroups"}, status: 501, code: "NotImplementedException", contains: `"__type":"NotImplementedException"`},
		"target against scope":  {method: "POST", target: "/", body: "{}", service: "iot", header: map[string]string{"X-Amz-Target": "Logs_20140328.DescribeLogGroups"}, status: 403, code: "InvalidSignatureException", contains: "Credential should be scoped to correct service: 'logs'."},
		"cloudwatch by cbor":    {method: "POST", target: "/service/GraniteServiceVersion20100801/operation/ListMetrics", service: "monitoring", header: map[string]string{"Smithy-Protocol": "rpc-v2-cbor"}, status: 501, code: "NotImplementedException", contains: "ListMetrics"},
		"lambda not built":      {method: "GET", target: "/2015-03-31/functions", service: "lambda", status: 501, code: "NotImplementedException", contains: "lambda"},
		"advisor not built":     {method: "GET", target: "/endpoint", service: "iotdeviceadvisor", status: 501, code: "NotImplementedException", contains: "iotdeviceadvisor"},
		"sts unsigned":          {method: "POST", target: "/", body: "Action=GetCallerIdentity&Version=2011-06-15", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, status: 403, code: "MissingAuthenticationToken", contains: "<Code>MissingAuthenticationToken</Code>"},
		"sts not kept":          {method: "POST", target: "/", body: "Action=AssumeRole&Version=2011-06-15", service: "sts", status: 501, code: "NotImplementedException", contains: "<Code>NotImplementedException</Code>"},
		"sts unknown action":    {method: "POST", target: "/", body: "Action=Fly&Version=2011-06-15", service: "sts", status: 400, code: "InvalidAction"},
		"body too large":        {method: "POST", target: "/things/a", body: strings.Repeat(" ", 1<<20+1), service: "iot", status: 413, code: "RequestEntityTooLargeException"},
		"not JSON":              {method: "POST", target: "/things/a", body: "{", service: "iot", status: 400, code: "SerializationException"},
		"wrong type":            {method: "POST", target: "/things/a", body: `{"attributePayload":{"attributes":{"k":1}}}`, service: "iot", status: 400, code: "SerializationException", contains: "attributePayload.attributes.k.member: expected a string, found a number."},
		"bad query value":       {method: "GET", target: "/things?maxResults=many", service: "iot", status: 400, code: "SerializationException", contains: "maxResults"},
		"bad page token":        {method: "GET", target: "/things?nextToken=abc", service: "iot", status: 400, code: "InvalidRequestException", contains: "paging token"},
		"health":                {method: "GET", target: "/healthz", status: 200, contains: "ok"},
		"own path unsigned":     {method: "GET", target: "/gatehouse/v1/attempts", status: 403, code: "MissingAuthenticationTokenException"},
		"own path":              {method: "POST", target: "/gatehouse/v1/attempts", body: "hello", service: "gatehouse", status: 200, contains: "123456789012"},
		"own path as iot":       {method: "POST", target: "/gatehouse/v1/attempts?a=%2F", body: "hello", service: "iot", status: 200, contains: "hello"},
		"own path as s3":        {method: "GET", target: "/gatehouse/v1/attempts", service: "s3", status: 403, code: "InvalidSignatureException"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := f.request(t, tt.method, tt.target, tt.body, tt.service, tt.header)
			if resp.StatusCode != tt.status || resp.Header.Get("X-Amzn-ErrorType") != tt.code || !strings.Contains(body, tt.contains) {
				t.Errorf("%s %s: %d %s %s, want %d %s with %q", tt.method, tt.target, resp.StatusCode, resp.Header.Get("X-Amzn-ErrorType"), body, tt.status, tt.code, tt.contains)
			}
			id := resp.Header.Get("X-Amzn-RequestId")
			if len(id) != 36 || resp.Header.Get("Date") == "" || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("headers missing: %v", resp.Header)
			}
			if tt.code != "" && resp.Header.Get("Content-Type") == "application/json" && tt.method != "HEAD" {
				var e struct{ Message, TraceID string }
				if err := json.Unmarshal([]byte(body), &e); err != nil || e.Message == "" || e.TraceID != id {
					t.Errorf("error body %s: %v, want message and traceId %s", body, err, id)
				}
			}
		})
	}
}

// TestPresigned asks STS by a URL, as tools do that prove to others who they are.
func TestPresigned(t *testing.T) {
	f := start(t)
	r, err := http.NewRequestWithContext(t.Context(), "GET", f.URL+"/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Expires=60", nil)
	if err != nil {
		t.Fatal(err)
	}
	uri, _, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, r, hash(""), "sts", "us-east-1", f.now)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		later  time.Duration
		status int
		want   string
	}{
		{0, 200, "<Arn>arn:aws:iam::123456789012:root</Arn>"},
		{2 * time.Minute, 400, "<Code>RequestExpired</Code>"},
	} {
		f.now = f.now.Add(tt.later)
		resp, body := f.request(t, "GET", strings.TrimPrefix(uri, f.URL), "", "", nil)
		if resp.StatusCode != tt.status || !strings.Contains(body, tt.want) || resp.Header.Get("Content-Type") != "text/xml" {
			t.Errorf("after %v: %d %s, want %d with %s", tt.later, resp.StatusCode, body, tt.status, tt.want)
		}
	}
}

func hash(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}
