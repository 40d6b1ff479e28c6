package inspect_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/gatehousetest"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/inspect"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/probe"
)

// operations are all that the inspector may call. Whoever adds one has to see
// that it changes nothing.
var operations = []string{
	"CloudWatch Logs:GetQueryResults", "CloudWatch Logs:StartQuery", "CloudWatch:GetMetricData",
	"IoT:DescribeAuthorizer", "IoT:DescribeCACertificate", "IoT:DescribeCertificate", "IoT:DescribeDefaultAuthorizer", "IoT:DescribeDomainConfiguration",
	"IoT:DescribeEndpoint", "IoT:DescribeThing", "IoT:GetPolicy", "IoT:GetPolicyVersion", "IoT:GetThingConnectivityData", "IoT:GetV2LoggingOptions",
	"IoT:ListAttachedPolicies", "IoT:ListCACertificates", "IoT:ListDomainConfigurations", "IoT:ListPolicyVersions", "IoT:ListPrincipalThingsV2",
	"IoT:ListThingGroupsForThing", "IoT:TestAuthorization", "IoT:TestInvokeAuthorizer",
	"Lambda:GetFunctionConfiguration", "Lambda:GetPolicy", "STS:GetCallerIdentity",
}

// world is an account in which things happen, and what was asked of it.
type world struct {
	*gatehousetest.Gatehouse
	iot *iot.Client

	http *http.Client

	mu     sync.Mutex
	called map[string]bool // "IoT:DescribeEndpoint"
	denied string          // this operation is refused
}

func newWorld(t *testing.T) *world {
	t.Helper()
	gw := gatehousetest.Start(t, gatehousetest.WithOpenLimits())
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections) // the server waits for connections on which nothing was asked yet
	return &world{Gatehouse: gw, iot: iot.NewFromConfig(gw.AWSConfig()), http: &http.Client{Transport: transport}, called: map[string]bool{}}
}

// config is the caller's configuration: what it calls is written down, and one
// operation may be denied to it.
func (w *world) config() aws.Config {
	cfg := w.AWSConfig()
	cfg.HTTPClient = w.http
	cfg.APIOptions = append(cfg.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("watch", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			op := awsmiddleware.GetServiceID(ctx) + ":" + awsmiddleware.GetOperationName(ctx)
			w.mu.Lock()
			w.called[op] = true
			denied := w.denied == op
			w.mu.Unlock()
			if denied {
				return middleware.InitializeOutput{}, middleware.Metadata{}, &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "User ann is not authorized"}
			}
			return next.HandleInitialize(ctx, in)
		}), middleware.After)
	})
	return cfg
}

func (w *world) look(t *testing.T, d inspect.Device, regions ...string) inspect.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return inspect.New(w.config(), regions, nil).Inspect(ctx, d)
}

// device is what the probe knows of one.
func (w *world) device(t *testing.T, d *gatehousetest.Device) inspect.Device {
	t.Helper()
	block, _ := pem.Decode([]byte(d.CertificatePEM))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(cert.Raw)
	return inspect.Device{Endpoint: w.Endpoint, ClientID: d.Name, Certificate: cert, Fingerprint: hex.EncodeToString(sum[:]), Since: time.Now()}
}

func failed(r inspect.Report) (codes []string) {
	for _, res := range r.Results {
		if res.Outcome == probe.Fail {
			codes = append(codes, res.Check.Code)
		}
	}
	return codes
}

func find(r inspect.Report, code string) *probe.Result {
	for i := range r.Results {
		if r.Results[i].Check.Code == code {
			return &r.Results[i]
		}
	}
	return nil
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

const allow = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":%q,"Resource":%q}]}`

func document(action, resource string) string {
	if resource != "*" && !strings.HasPrefix(resource, "arn:") {
		resource = "arn:aws:iot:us-east-1:123456789012:" + resource
	}
	return fmt.Sprintf(allow, action, resource)
}

func TestNothingIsWrong(t *testing.T) {
	w := newWorld(t)
	d := w.device(t, w.AddDevice(t, "sensor-1"))
	d.Publish, d.Subscribe = "a/b", "a/#"
	r := w.look(t, d)
	if codes := failed(r); codes != nil {
		t.Errorf("failed: %v", codes)
	}
	for _, code := range []string{"account.endpoint_differs", "cert.registered", "cert.active", "authz.connect", "authz.publish", "authz.subscribe", "authz.receive", "account.decision_differs"} {
		if got := find(r, code); got == nil || got.Outcome != probe.Pass {
			t.Errorf("%s: %+v, want a pass", code, got)
		}
	}
	if r.Account != w.AccountID || r.Endpoint != w.Endpoint || len(r.Policies) != 1 || r.Policies[0].Name != "sensor-1-policy" {
		t.Errorf("account %s, endpoint %s, policies %+v", r.Account, r.Endpoint, r.Policies)
	}
}

func TestFaults(t *testing.T) {
	w := newWorld(t)
	n := 0
	for name, tt := range map[string]struct {
		policy string                                                   // "" is one that allows everything
		change func(*testing.T, *gatehousetest.Device, *inspect.Device) // may be nil
		want   []string                                                 // codes that fail, in order
		proof  map[string]string                                        // evidence of the first, NAME stands for the device's
	}{
		"inactive": {change: func(t *testing.T, d *gatehousetest.Device, _ *inspect.Device) {
			must[*iot.UpdateCertificateOutput](t)(w.iot.UpdateCertificate(t.Context(), &iot.UpdateCertificateInput{CertificateId: &d.CertificateID, NewStatus: types.CertificateStatusInactive}))
		}, want: []string{"cert.inactive"}, proof: map[string]string{"status": "INACTIVE"}},
		"revoked": {change: func(t *testing.T, d *gatehousetest.Device, _ *inspect.Device) {
			must[*iot.UpdateCertificateOutput](t)(w.iot.UpdateCertificate(t.Context(), &iot.UpdateCertificateInput{CertificateId: &d.CertificateID, NewStatus: types.CertificateStatusRevoked}))
		}, want: []string{"cert.revoked"}},
		"not registered": {change: func(_ *testing.T, _ *gatehousetest.Device, d *inspect.Device) {
			d.Fingerprint = strings.Repeat("ab", 32)
		}, want: []string{"cert.not_registered"}},
		"endpoint of another account": {change: func(_ *testing.T, _ *gatehousetest.Device, d *inspect.Device) {
			d.Endpoint = "a1b2c3d4e5f6g7-ats.iot.eu-west-1.amazonaws.com"
		}, want: []string{"account.endpoint_differs"}, proof: map[string]string{"offered": "a1b2c3d4e5f6g7-ats.iot.eu-west-1.amazonaws.com", "required": "localhost"}},
		"no policy": {change: func(t *testing.T, d *gatehousetest.Device, _ *inspect.Device) {
			arn := "arn:aws:iot:us-east-1:123456789012:cert/" + d.CertificateID
			must[*iot.DetachPolicyOutput](t)(w.iot.DetachPolicy(t.Context(), &iot.DetachPolicyInput{PolicyName: &d.PolicyName, Target: &arn}))
		}, want: []string{"policy.none_attached"}},
		"wrong type of resource": {policy: document("iot:*", "topic/test"), want: []string{"authz.connect.resource_type"}, proof: map[string]string{"resource": "arn:aws:iot:us-east-1:123456789012:client/NAME", "pattern": "arn:aws:iot:us-east-1:123456789012:topic/test"}},
		"no iot:Connect":         {policy: document("iot:Publish", "*"), want: []string{"authz.connect.no_statement"}},
		"another client ID":      {policy: document("iot:Connect", "client/pump-1"), want: []string{"authz.connect.client_id"}, proof: map[string]string{"offered": "NAME"}},
		"another account":        {policy: document("iot:Connect", "arn:aws:iot:us-east-1:111122223333:client/*"), want: []string{"policy.arn.account_mismatch"}},
		"variable": {policy: document("iot:Connect", "client/${iot:Connection.Thing.ThingName}"), change: func(t *testing.T, d *gatehousetest.Device, _ *inspect.Device) {
			arn := "arn:aws:iot:us-east-1:123456789012:cert/" + d.CertificateID
			must[*iot.DetachThingPrincipalOutput](t)(w.iot.DetachThingPrincipal(t.Context(), &iot.DetachThingPrincipalInput{ThingName: &d.Name, Principal: &arn}))
		}, want: []string{"policy.var.undefined"}, proof: map[string]string{"variable": "iot:Connection.Thing.ThingName"}},
		"another version": {policy: document("iot:Connect", "client/elsewhere"), change: func(t *testing.T, d *gatehousetest.Device, _ *inspect.Device) {
			text := document("iot:Connect", "*")
			must[*iot.CreatePolicyVersionOutput](t)(w.iot.CreatePolicyVersion(t.Context(), &iot.CreatePolicyVersionInput{PolicyName: &d.PolicyName, PolicyDocument: &text}))
		}, want: []string{"authz.connect.client_id", "policy.not_default_version"}},
		"publish":   {policy: document("iot:Connect", "*"), change: func(_ *testing.T, _ *gatehousetest.Device, d *inspect.Device) { d.Publish = "a/b" }, want: []string{"authz.publish"}, proof: map[string]string{"topic": "a/b"}},
		"subscribe": {policy: document("iot:Connect", "*"), change: func(_ *testing.T, _ *gatehousetest.Device, d *inspect.Device) { d.Subscribe = "a/#" }, want: []string{"authz.subscribe"}, proof: map[string]string{"filter": "a/#"}},
		"deny":      {policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"},{"Sid":"Stop","Effect":"Deny","Action":"iot:Connect","Resource":"*"}]}`, want: []string{"policy.explicit_deny"}, proof: map[string]string{"statement": "Stop"}},
	} {
		n++
		id := fmt.Sprintf("fault-%d", n)
		t.Run(name, func(t *testing.T) {
			text := tt.policy
			if text == "" {
				text = document("iot:*", "*")
			}
			made := w.AddDeviceWithPolicy(t, id, text)
			d := w.device(t, made)
			if tt.change != nil {
				tt.change(t, made, &d)
			}
			r := w.look(t, d)
			if diff := cmp.Diff(tt.want, failed(r)); diff != "" {
				t.Fatalf("failed (-want +got):\n%s", diff)
			}
			first := find(r, tt.want[0])
			for key, want := range tt.proof {
				want = strings.ReplaceAll(want, "NAME", id)
				if got := first.Evidence.Get(key); got != want {
					t.Errorf("evidence %s is %q, want %q", key, got, want)
				}
			}
		})
	}
}

// A policy of a group of the thing allows what the certificate's own does not.
func TestGroupPolicy(t *testing.T) {
	w := newWorld(t)
	made := w.AddDeviceWithPolicy(t, "member", document("iot:Publish", "*"))
	group, name, text := "pumps", "pumps-policy", document("iot:Connect", "client/member")
	made1 := must[*iot.CreateThingGroupOutput](t)(w.iot.CreateThingGroup(t.Context(), &iot.CreateThingGroupInput{ThingGroupName: &group}))
	must[*iot.CreatePolicyOutput](t)(w.iot.CreatePolicy(t.Context(), &iot.CreatePolicyInput{PolicyName: &name, PolicyDocument: &text}))
	must[*iot.AttachPolicyOutput](t)(w.iot.AttachPolicy(t.Context(), &iot.AttachPolicyInput{PolicyName: &name, Target: made1.ThingGroupArn}))
	must[*iot.AddThingToThingGroupOutput](t)(w.iot.AddThingToThingGroup(t.Context(), &iot.AddThingToThingGroupInput{ThingGroupName: &group, ThingName: &made.Name}))
	r := w.look(t, w.device(t, made))
	if got := find(r, "authz.connect"); got == nil || got.Outcome != probe.Pass {
		t.Errorf("authz.connect: %+v, want a pass; failed: %v", got, failed(r))
	}
	if len(r.Policies) != 2 || r.Policies[1].Source != "group:pumps" {
		t.Errorf("policies: %+v", r.Policies)
	}
}

// authorizerDevice is one that a custom authorizer decides about.
func (w *world) authorizerDevice(t *testing.T) inspect.Device {
	t.Helper()
	name, function := "fleet", "arn:aws:lambda:us-east-1:123456789012:function:nowhere"
	must[*iot.CreateAuthorizerOutput](t)(w.iot.CreateAuthorizer(t.Context(), &iot.CreateAuthorizerInput{AuthorizerName: &name, AuthorizerFunctionArn: &function, SigningDisabled: aws.Bool(true), Status: types.AuthorizerStatusActive}))
	return inspect.Device{Endpoint: w.Endpoint, ClientID: "a", Custom: true, Authorizer: name, Username: "ann", Password: "secret"}
}

func TestAuthorizer(t *testing.T) {
	w := newWorld(t)
	d := w.authorizerDevice(t)
	if codes := failed(w.look(t, d)); !slices.Contains(codes, "authorizer.function_missing") {
		t.Errorf("failed: %v, want authorizer.function_missing", codes)
	}
	d.Authorizer = "unheard-of"
	if codes := failed(w.look(t, d)); !slices.Equal(codes, []string{"authorizer.unknown"}) {
		t.Errorf("failed: %v, want authorizer.unknown", codes)
	}
	d.Authorizer = ""
	if codes := failed(w.look(t, d)); !slices.Equal(codes, []string{"authorizer.not_selected"}) {
		t.Errorf("failed: %v, want authorizer.not_selected", codes)
	}
}

// TestNoFalseVerdict denies one operation after the other to the caller: each time
// that is said, and nothing is concluded from what was not seen.
func TestNoFalseVerdict(t *testing.T) {
	w := newWorld(t)
	d := w.device(t, w.AddDevice(t, "sensor-1"))
	d.Publish, d.Subscribe = "a/b", "a/#"
	w.look(t, d)
	for _, op := range slices.Sorted(maps.Keys(w.called)) {
		service, name, _ := strings.Cut(op, ":")
		if service != "IoT" || name == "ListPolicyVersions" || name == "GetPolicyVersion" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			w.mu.Lock()
			w.denied = op
			w.mu.Unlock()
			r := w.look(t, d)
			if codes := failed(r); codes != nil {
				t.Errorf("failed: %v", codes)
			}
			i := slices.IndexFunc(r.Results, func(res probe.Result) bool {
				return res.Check.Code == "account.not_permitted" && res.Evidence.Get("action") == "iot:"+name
			})
			if i < 0 || r.Results[i].Outcome != probe.Unknown {
				t.Fatalf("no result says that iot:%s is missing: %+v", name, r.Results)
			}
			if want := "could not look: needs iot:" + name; r.Results[i].Note != want {
				t.Errorf("note %q, want %q", r.Results[i].Note, want)
			}
		})
	}
}

// A denial by what was seen is none while not all was seen.
func TestHalfSeenIsNoDenial(t *testing.T) {
	w := newWorld(t)
	d := w.device(t, w.AddDeviceWithPolicy(t, "half", document("iot:Connect", "client/pump-1")))
	w.denied = "IoT:GetPolicy"
	r := w.look(t, d)
	if got := find(r, "authz.connect"); got != nil && got.Outcome == probe.Pass {
		t.Errorf("it is said to be allowed")
	}
	// TestAuthorization sees all and denies, which counts.
	if codes := failed(r); len(codes) == 0 {
		t.Errorf("TestAuthorization's denial is lost: %+v", r.Results)
	}
}

func TestOnlyReads(t *testing.T) {
	w := newWorld(t)
	d := w.device(t, w.AddDeviceWithPolicy(t, "reader", document("iot:Connect", "client/elsewhere")))
	d.Publish, d.Subscribe, d.Endpoint = "a/b", "a/#", "other.example.com"
	w.look(t, d, "eu-west-1")
	d.Fingerprint = strings.Repeat("cd", 32)
	w.look(t, d, "eu-west-1")
	w.look(t, w.authorizerDevice(t))
	w.look(t, inspect.Device{Custom: true, Username: "a"})
	inspect.New(w.config(), nil, nil).Live(t.Context(), "reader")
	for _, op := range slices.Sorted(maps.Keys(w.called)) {
		if !slices.Contains(operations, op) {
			t.Errorf("the inspector calls %s", op)
		}
	}
	for _, op := range []string{"IoT:DescribeEndpoint", "IoT:TestAuthorization", "IoT:ListPolicyVersions", "Lambda:GetFunctionConfiguration", "CloudWatch Logs:StartQuery", "IoT:GetThingConnectivityData"} {
		if !w.called[op] {
			t.Errorf("%s is not called: the test sees nothing", op)
		}
	}
	if got := must[*lambda.ListFunctionsOutput](t)(lambda.NewFromConfig(w.AWSConfig()).ListFunctions(t.Context(), &lambda.ListFunctionsInput{})); len(got.Functions) != 0 {
		t.Errorf("there are functions now: %v", got.Functions)
	}
}

// TestAccountOutOfReach: an account that throttles, hangs or is not there takes a
// bounded time, is said to, and nothing is concluded.
func TestAccountOutOfReach(t *testing.T) {
	throttling := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Amzn-Errortype", "ThrottlingException")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type":"ThrottlingException","message":"Rate exceeded"}`)
	}
	for name, tt := range map[string]struct {
		answer http.HandlerFunc // nil: nobody listens
		limit  time.Duration
		says   string
	}{
		"throttles": {throttling, 30 * time.Second, "look again in a minute"},
		"hangs": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the caller left
			<-r.Context().Done()
		}, 2 * time.Second, "no answer"},
		"is gone": {nil, 30 * time.Second, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tt.answer)
			if tt.answer == nil {
				server.Close()
			}
			defer server.Close()
			ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
			defer cancel()
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			cfg := aws.Config{Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""), HTTPClient: &http.Client{Transport: transport}}
			began := time.Now()
			r := inspect.New(cfg, nil, nil).Inspect(ctx, inspect.Device{Endpoint: "gw.example.com", ClientID: "sensor-1", Fingerprint: strings.Repeat("ab", 32), Authorizer: "a", Custom: true})
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("it took %v", took)
			}
			said := false
			for _, res := range r.Results {
				if res.Outcome != probe.Unknown || res.Check.Code != "account.not_answered" {
					t.Errorf("%s %s", res.Check.Code, res.Outcome)
				}
				said = said || strings.Contains(res.Evidence.Get("error"), tt.says)
			}
			if !said {
				t.Errorf("nothing says %q: %+v", tt.says, r.Results)
			}
		})
	}
}

func TestNoCredentials(t *testing.T) {
	w := newWorld(t)
	cfg := w.config()
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, fmt.Errorf("no credentials in the environment")
	})
	r := inspect.New(cfg, nil, nil).Inspect(t.Context(), inspect.Device{Endpoint: w.Endpoint})
	if len(r.Results) != 1 || r.Results[0].Check.Code != "account.no_credentials" || r.Results[0].Outcome != probe.Unknown {
		t.Errorf("results: %+v", r.Results)
	}
}
