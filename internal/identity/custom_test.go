package identity

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/function"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// signingKey is made once: RSA keys are slow.
var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func publicPEM(t testing.TB, key *rsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// sign makes the base64 signature of text with a hash.
func sign(t testing.TB, h crypto.Hash, text string) string {
	t.Helper()
	digest := h.New()
	digest.Write([]byte(text))
	sig, err := rsa.SignPKCS1v15(nil, signingKey(), h, digest.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(sig)
}

// customWorld is a registry of authorizers and a function that answers as a test wants.
type customWorld struct {
	authorizers map[string]registry.Authorizer
	def         string

	mu     sync.Mutex
	reads  int // of authorizers
	events []authorizerEvent
	answer func(authorizerEvent) (function.Result, error)
}

func (w *customWorld) Authorizer(_ context.Context, name string) (registry.Authorizer, error) {
	w.mu.Lock()
	w.reads++
	w.mu.Unlock()
	if a, ok := w.authorizers[name]; ok {
		return a, nil
	}
	return registry.Authorizer{}, registry.Errorf(registry.ResourceNotFound, "no %s", name)
}

func (w *customWorld) DefaultAuthorizer(ctx context.Context) (registry.Authorizer, error) {
	return w.Authorizer(ctx, w.def)
}

func (w *customWorld) ListAuthorizers(_ context.Context, status registry.AuthorizerStatus, _ registry.Page) (l registry.Listing[string], err error) {
	for name, a := range w.authorizers {
		if status == "" || a.Status == status {
			l.Items = append(l.Items, name)
		}
	}
	return l, nil
}

func (w *customWorld) Invoke(_ context.Context, req function.Request) (function.Result, error) {
	var e authorizerEvent
	if err := json.Unmarshal(req.Payload, &e); err != nil {
		return function.Result{}, err
	}
	w.mu.Lock()
	w.events = append(w.events, e)
	answer := w.answer
	w.mu.Unlock()
	if req.Caller.Service != "iot.amazonaws.com" || !strings.Contains(req.Caller.SourceARN, ":authorizer/") || req.Limit != 5*time.Second {
		return function.Result{}, fmt.Errorf("wrong caller or limit: %+v", req)
	}
	return answer(e)
}

const (
	plainAnswer = `{"isAuthenticated":true,"principalId":"P1","refreshAfterInSeconds":300,"disconnectAfterInSeconds":3600,
		"policyDocuments":[{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}]}`
	noAnswer = `{"isAuthenticated":false,"principalId":"","disconnectAfterInSeconds":0,"refreshAfterInSeconds":0,"policyDocuments":null}`
)

func answering(payload string) func(authorizerEvent) (function.Result, error) {
	return func(authorizerEvent) (function.Result, error) {
		return function.Result{Outcome: function.Succeeded, Payload: []byte(payload)}, nil
	}
}

// newCustom makes a world with the authorizers open (no signing), signed, and off (INACTIVE).
func newCustom(t testing.TB) (*customWorld, *Authorizers) {
	t.Helper()
	world := &customWorld{authorizers: map[string]registry.Authorizer{}, answer: answering(plainAnswer)}
	for name, a := range map[string]registry.Authorizer{
		"open":   {SigningDisabled: true, TokenKeyName: "Token"},
		"signed": {TokenKeyName: "Token", SigningKeys: map[string]string{"k": publicPEM(t, signingKey())}},
		"off":    {SigningDisabled: true, Status: registry.AuthorizerInactive},
		"cached": {SigningDisabled: true, HTTPCaching: true},
	} {
		a.Name, a.ARN, a.FunctionARN = name, "arn:aws:iot:us-east-1:123456789012:authorizer/"+name, "arn:aws:lambda:us-east-1:123456789012:function:f"
		if a.Status == "" {
			a.Status = registry.AuthorizerActive
		}
		world.authorizers[name] = a
	}
	s := &Service{
		account: "123456789012", region: "us-east-1", partition: "aws", clock: newClock(),
		documents: newBounded[string, *document](16), sets: newBounded[string, *set](16), joined: newBounded[[2]*set, *set](16),
	}
	a, err := NewAuthorizers(CustomConfig{Registry: world, Identity: s, Functions: world})
	if err != nil {
		t.Fatal(err)
	}
	return world, a
}

func connecting(userName string) *CustomRequest {
	return &CustomRequest{
		ConnectionID: "c1", ServerName: "gw.example.com",
		MQTT: &MQTTCredentials{ClientID: "dev", UserName: userName, HasUserName: true, Password: []byte("hunter2"), HasPassword: true},
	}
}

func user(t testing.TB, name, token, signed string) string {
	t.Helper()
	return "bob?x-amz-customauthorizer-name=" + name + "&Token=" + token + "&x-amz-customauthorizer-signature=" + percentEncode(sign(t, crypto.SHA256, signed))
}

func TestAuthenticate(t *testing.T) {
	fails := func(outcome function.Outcome) func(authorizerEvent) (function.Result, error) {
		return func(authorizerEvent) (function.Result, error) {
			return function.Result{Outcome: outcome, ErrorType: "TypeError", ErrorMessage: "hunter2 is no password", Duration: 5 * time.Second, Limit: 5 * time.Second}, nil
		}
	}
	s256 := func(text string) string { return percentEncode(sign(t, crypto.SHA256, text)) }
	named := func(name, rest string) string { return "bob?x-amz-customauthorizer-name=" + name + rest }
	for name, tt := range map[string]struct {
		user    string
		domain  AuthorizerChoice
		def     string
		answer  func(authorizerEvent) (function.Result, error)
		want    *check.Check // nil: authenticated
		says    string       // part of its evidence
		invoked bool
	}{
		"unsigned":                 {user: named("open", ""), invoked: true},
		"name of another case":     {user: named("Open", ""), want: check.AuthorizerUnknown, says: "nearest=open"},
		"parameter in upper case":  {user: "?X-AMZ-CustomAuthorizer-Name=open", invoked: true},
		"default":                  {user: "bob", def: "open", invoked: true},
		"SDK metrics only":         {user: "?SDK=CPPv2&Version=1", want: check.AuthorizerNotSelected, says: "default authorizer"},
		"inactive":                 {user: named("off", ""), want: check.AuthorizerInactive, says: "status=INACTIVE"},
		"of the domain":            {user: "bob", domain: AuthorizerChoice{"d", "open", false}, invoked: true},
		"the same as the domain's": {user: named("open", ""), domain: AuthorizerChoice{"d", "open", false}, invoked: true},
		"against the domain":       {user: named("open", ""), domain: AuthorizerChoice{"d", "signed", false}, want: check.AuthorizerOverride, says: "domain_configuration=d"},
		"override":                 {user: named("open", ""), domain: AuthorizerChoice{"d", "signed", true}, invoked: true},

		"signed":              {user: user(t, "signed", "tok", "tok"), invoked: true},
		"signed, URL-encoded": {user: user(t, "signed", "t%26k", "t&k"), invoked: true},
		"plus as a space":     {user: strings.ReplaceAll(named("signed", "&Token=tok&x-amz-customauthorizer-signature=")+sign(t, crypto.SHA256, "tok"), "+", " "), invoked: true},
		"no padding":          {user: named("signed", "&Token=tok&x-amz-customauthorizer-signature=") + strings.TrimRight(s256("tok"), "%3D"), invoked: true},
		"token missing":       {user: named("signed", ""), want: check.AuthorizerTokenMissing, says: "token_key=Token"},
		"token of other case": {user: named("signed", "&token=tok"), want: check.AuthorizerTokenKeyName, says: "offered=token"},
		"token of other name": {user: named("signed", "&Jwt=tok"), want: check.AuthorizerTokenKeyName, says: "offered=Jwt"},
		"signature missing":   {user: named("signed", "&Token=tok"), want: check.AuthorizerSignatureMissing},
		"base64url":           {user: named("signed", "&Token=tok&x-amz-customauthorizer-signature=ab-_"), want: check.AuthorizerSignatureEncoding, says: "base64url"},
		"encoded twice":       {user: named("signed", "&Token=tok&x-amz-customauthorizer-signature=ab%252B"), want: check.AuthorizerSignatureEncoding, says: "twice"},
		"bad escape":          {user: named("signed", "&Token=tok&x-amz-customauthorizer-signature=ab%zz"), want: check.AuthorizerSignatureEncoding, says: "URL escape"},
		"not base64":          {user: named("signed", "&Token=tok&x-amz-customauthorizer-signature=ab*d"), want: check.AuthorizerSignatureEncoding, says: "not base64"},
		"another token":       {user: user(t, "signed", "tok", "other"), want: check.AuthorizerSignatureMismatch, says: "count=1"},
		"line break signed":   {user: user(t, "signed", "tok", "tok\n"), want: check.AuthorizerSignatureMismatch, says: "line break"},
		"encoded form signed": {user: user(t, "signed", "a%20b", "a%20b"), want: check.AuthorizerSignatureMismatch, says: "URL-encoded"},
		"user name signed":    {user: user(t, "signed", "tok", "bob"), want: check.AuthorizerSignatureMismatch, says: "the user name"},
		"JWT payload signed":  {user: user(t, "signed", "h.p.s", "h.p"), want: check.AuthorizerSignatureMismatch, says: "JWT"},
		"SHA-1":               {user: named("signed", "&Token=tok&x-amz-customauthorizer-signature=") + percentEncode(sign(t, crypto.SHA1, "tok")), want: check.AuthorizerSignatureMismatch, says: "SHA-1"},
		"SHA-512":             {user: named("signed", "&Token=tok&x-amz-customauthorizer-signature=") + percentEncode(sign(t, crypto.SHA512, "tok")), want: check.AuthorizerSignatureMismatch, says: "SHA-512"},
		"cut short":           {user: named("signed", "&Token=tok&x-amz-customauthorizer-signature=abcd"), want: check.AuthorizerSignatureMismatch, says: "3 bytes"},

		"permission":  {user: named("open", ""), answer: fails(function.PermissionDenied), want: check.AuthorizerInvokeDenied, says: "no statement", invoked: true},
		"missing":     {user: named("open", ""), answer: fails(function.NotFound), want: check.AuthorizerFunctionMissing, invoked: true},
		"throttled":   {user: named("open", ""), answer: fails(function.Throttled), want: check.AuthorizerThrottled, invoked: true},
		"timeout":     {user: named("open", ""), answer: fails(function.TimedOut), want: check.AuthorizerTimeout, says: "required=5s", invoked: true},
		"exception":   {user: named("open", ""), answer: fails(function.HandlerFailed), want: check.AuthorizerFunctionError, says: "redacted", invoked: true},
		"interpreter": {user: named("open", ""), answer: fails(function.NotRunnable), want: check.AuthorizerNotRunnable, invoked: true},
		"no":          {user: named("open", ""), answer: answering(noAnswer), want: check.AuthorizerRejected, invoked: true},
		"null":        {user: named("open", ""), answer: answering("null"), want: check.AuthorizerResponseInvalid, says: "returned nothing", invoked: true},
	} {
		t.Run(name, func(t *testing.T) {
			world, a := newCustom(t)
			world.def = tt.def
			if tt.answer != nil {
				world.answer = tt.answer
			}
			r := connecting(tt.user)
			r.Domain = tt.domain
			l, err := a.Authenticate(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			var got *check.Check
			var text string
			if rung := l.Refusal(); rung != nil {
				got = rung.Check
				for _, f := range rung.Evidence {
					text += f.Key + "=" + f.Value + "\n"
				}
			}
			if got != tt.want || !strings.Contains(text, tt.says) {
				t.Errorf("%s: refused by %v, want %v with %q:\n%s", tt.user, got, tt.want, tt.says, text)
			}
			if (len(world.events) == 1) != tt.invoked {
				t.Errorf("invoked %d times, want it %v", len(world.events), tt.invoked)
			}
			for _, rung := range l.Ladder {
				for _, f := range rung.Evidence {
					if strings.Contains(f.Value, "hunter2") {
						t.Errorf("%v has the password: %s", rung.Check, f.Value)
					}
				}
			}
		})
	}
}

// TestAuthorizerIsKnown: the registry is read again after a change of the
// authorizer, or of which one is the default, and not before.
func TestAuthorizerIsKnown(t *testing.T) {
	world, a := newCustom(t)
	world.def = "open"
	for i, step := range []struct {
		user   string
		change func() registry.Change
		want   *check.Check // nil: authenticated
		reads  int
	}{
		{user: "bob?x-amz-customauthorizer-name=open", reads: 1},
		{user: "bob?x-amz-customauthorizer-name=open", reads: 0},
		{user: "bob", reads: 1},
		{user: "bob", reads: 0},
		{user: "bob?x-amz-customauthorizer-name=none", want: check.AuthorizerUnknown, reads: 1},
		{user: "bob?x-amz-customauthorizer-name=none", want: check.AuthorizerUnknown, reads: 1},
		{user: "bob?x-amz-customauthorizer-name=open", want: check.AuthorizerInactive, reads: 1, change: func() registry.Change {
			off := world.authorizers["open"]
			off.Status = registry.AuthorizerInactive
			world.authorizers["open"] = off
			return registry.Change{Kind: registry.AuthorizerChanged, AuthorizerName: "open"}
		}},
		{user: "bob", want: check.AuthorizerInactive, reads: 1},
		{user: "bob", want: check.AuthorizerNotSelected, reads: 1, change: func() registry.Change {
			world.def = ""
			return registry.Change{Kind: registry.AuthorizerChanged}
		}},
	} {
		world.reads = 0
		if step.change != nil {
			a.identity.changed(step.change())
		}
		l, err := a.Authenticate(t.Context(), connecting(step.user))
		if err != nil {
			t.Fatal(err)
		}
		var got *check.Check
		if rung := l.Refusal(); rung != nil {
			got = rung.Check
		}
		if got != step.want || world.reads != step.reads {
			t.Errorf("step %d, %s: refused by %v after %d reads, want %v after %d", i, step.user, got, world.reads, step.want, step.reads)
		}
	}
}

func TestEvent(t *testing.T) {
	world, a := newCustom(t)
	r := connecting(user(t, "signed", "tok", "tok"))
	r.HTTP = &HTTPCredentials{Host: "gw.example.com", Header: http.Header{"X-A": {"1", "2"}}, Query: "a=b"}
	if l, err := a.Authenticate(t.Context(), r); err != nil || l.Refusal() != nil {
		t.Fatal(l, err)
	}
	password := []byte("hunter2")
	want := authorizerEvent{
		Token: "tok", SignatureVerified: true, Protocols: []string{"tls", "http", "mqtt"},
		ProtocolData: &protocolData{
			TLS:  &tlsData{ServerName: "gw.example.com"},
			HTTP: &httpData{Headers: map[string]string{"host": "gw.example.com", "x-a": "1,2"}, QueryString: "?a=b"},
			MQTT: &mqttData{UserName: &r.MQTT.UserName, Password: &password, ClientID: "dev"},
		},
		ConnectionMetadata: &connectionMetadata{"c1"},
	}
	if diff := cmp.Diff(want, world.events[0], cmp.AllowUnexported()); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	kept, ok := a.Event("c1")
	if !ok || !kept.Redacted || strings.Contains(string(kept.Event), "tok\"") || strings.Contains(string(kept.Event), base64.StdEncoding.EncodeToString(password)) {
		t.Errorf("the kept event has secrets: %s", kept.Event)
	}
}

func TestParseAnswer(t *testing.T) {
	docs := func(n int, doc string) string {
		return `{"isAuthenticated":true,"principalId":"P","policyDocuments":[` + strings.TrimSuffix(strings.Repeat(doc+",", n), ",") + `]}`
	}
	const doc = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}`
	with := func(members string) string {
		return `{"isAuthenticated":true,"principalId":"P","policyDocuments":[],` + members + `}`
	}
	for name, tt := range map[string]struct {
		payload, principal string
		want               *check.Check
		path               string
	}{
		"whole":               {payload: plainAnswer},
		"string document":     {payload: docs(1, fmt.Sprintf("%q", doc))},
		"ten":                 {payload: docs(10, doc)},
		"eleven":              {payload: docs(11, doc), want: check.AuthorizerDocuments, path: "$.policyDocuments"},
		"empty list":          {payload: docs(0, "")},
		"too long":            {payload: docs(1, strings.Replace(doc, "*", strings.Repeat("x", 2048), 1)), want: check.AuthorizerDocuments, path: "$.policyDocuments[0]"},
		"malformed":           {payload: docs(1, `{"Version":"2012-10-17"}`), want: check.AuthorizerDocuments, path: "$.policyDocuments[0]"},
		"null document":       {payload: docs(1, `null`), want: check.AuthorizerDocuments, path: "$.policyDocuments[0]"},
		"no documents":        {payload: `{"isAuthenticated":true,"principalId":"P"}`, want: check.AuthorizerResponseInvalid, path: "$.policyDocuments"},
		"no documents, X.509": {payload: `{"isAuthenticated":true,"principalId":"P"}`, principal: "P"},
		"other principal":     {payload: plainAnswer, principal: "Q", want: check.AuthorizerPrincipalMismatch, path: "$.principalId"},
		"refused Go":          {payload: noAnswer},
		"list":                {payload: `[]`, want: check.AuthorizerResponseInvalid, path: "$"},
		"string boolean":      {payload: `{"isAuthenticated":"true"}`, want: check.AuthorizerResponseInvalid, path: "$.isAuthenticated"},
		"other case":          {payload: `{"IsAuthenticated":true}`, want: check.AuthorizerResponseInvalid, path: "$.isAuthenticated"},
		"API Gateway":         {payload: `{"statusCode":200}`, want: check.AuthorizerResponseInvalid, path: "$.isAuthenticated"},
		"no principal":        {payload: `{"isAuthenticated":true}`, want: check.AuthorizerResponseInvalid, path: "$.principalId"},
		"hyphen":              {payload: strings.Replace(plainAnswer, "P1", "P-1", 1), want: check.AuthorizerPrincipalInvalid, path: "$.principalId"},
		"long principal":      {payload: strings.Replace(plainAnswer, "P1", strings.Repeat("p", 129), 1), want: check.AuthorizerPrincipalInvalid, path: "$.principalId"},
		"empty principal":     {payload: strings.Replace(plainAnswer, "P1", "", 1), want: check.AuthorizerPrincipalInvalid, path: "$.principalId"},
		"299":                 {payload: with(`"refreshAfterInSeconds":299`), want: check.AuthorizerDuration, path: "$.refreshAfterInSeconds"},
		"86401":               {payload: with(`"disconnectAfterInSeconds":86401`), want: check.AuthorizerDuration, path: "$.disconnectAfterInSeconds"},
		"300.0":               {payload: with(`"refreshAfterInSeconds":300.0`)},
		"300.5":               {payload: with(`"refreshAfterInSeconds":300.5`), want: check.AuthorizerDuration, path: "$.refreshAfterInSeconds"},
		"string number":       {payload: with(`"refreshAfterInSeconds":"300"`), want: check.AuthorizerDuration, path: "$.refreshAfterInSeconds"},
	} {
		t.Run(name, func(t *testing.T) {
			_, fault := parseAnswer([]byte(tt.payload), tt.principal)
			if fault == nil {
				if tt.want != nil {
					t.Errorf("%s is taken, want %v", tt.payload, tt.want)
				}
				return
			}
			if fault.check != tt.want || fault.evidence[0].Value != tt.path {
				t.Errorf("%s: %v at %s, want %v at %s", tt.payload, fault.check, fault.evidence[0].Value, tt.want, tt.path)
			}
		})
	}
}

// FuzzAnswer: what is taken keeps every rule.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(plainAnswer))
	f.Add([]byte(noAnswer))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		a, fault := parseAnswer(payload, "")
		if fault != nil || !a.IsAuthenticated {
			return
		}
		if a.PrincipalID == "" || len(a.PrincipalID) > maxPrincipalID || len(a.Documents) > maxDocuments {
			t.Errorf("%q is taken: %+v", payload, a)
		}
		for _, d := range []time.Duration{a.RefreshAfter, a.DisconnectAfter} {
			if d < minInterval*time.Second || d > maxInterval*time.Second {
				t.Errorf("%q is taken with %v", payload, d)
			}
		}
		for _, doc := range a.Documents {
			if _, err := policy.Parse([]byte(doc)); err != nil {
				t.Errorf("document %q is taken: %v", doc, err)
			}
		}
	})
}

// FuzzUserName: a parameter that a client encodes is found again.
func FuzzUserName(f *testing.F) {
	f.Add("bob", "Token", "a+b/c=&?%")
	f.Fuzz(func(t *testing.T, userName, name, value string) {
		parseUserName(userName + "?" + name + "=" + value) // must not fail
		if strings.Contains(userName, "?") || name == "" {
			return
		}
		list := parseUserName(userName + "?" + percentEncode(name) + "=" + percentEncode(value))
		if len(list) != 1 || list[0].name != name || list[0].value != value {
			t.Errorf("%q=%q is read as %+v", name, value, list)
		}
	})
}

func TestCustomX509(t *testing.T) {
	r := connecting("?x-amz-customauthorizer-name=open")
	r.Certificate = &X509Credentials{PEM: "pem", Who: Principal{Kind: KindCertificate, ID: "P1"}}
	world, a := newCustom(t)
	l, err := a.Authenticate(t.Context(), r)
	if err != nil || l.Refusal() != nil || l.Who.Kind != KindCertificate {
		t.Fatalf("%+v %v", l, err)
	}
	if d := world.events[0].ProtocolData.TLS; d.PrincipalID != "P1" || d.X509CertificatePEM != "pem" {
		t.Errorf("event %+v", d)
	}
	if _, err := a.Test(t.Context(), "nobody", r, "", ""); !registry.IsKind(err, registry.ResourceNotFound) {
		t.Errorf("test of an unknown authorizer: %v", err)
	}
	off, err := a.Test(t.Context(), "off", &CustomRequest{}, "", "")
	if err != nil || off.Refusal() != nil {
		t.Errorf("test of an inactive authorizer: %+v %v", off, err)
	}
	if last := world.events[len(world.events)-1]; last.ProtocolData != nil || len(last.Protocols) != 0 {
		t.Errorf("a test without contexts has %+v", last)
	}
}

func TestRedacted(t *testing.T) {
	sum := sha256.Sum256([]byte("secret"))
	if got, want := Redacted("secret"), fmt.Sprintf("6 bytes, SHA-256 %x…", sum[:4]); got != want {
		t.Errorf("Redacted = %q, want %q", got, want)
	}
	if !HasCustomParameters("a?X-Amz-CustomAuthorizer-Name=b") || HasCustomParameters("?SDK=x&Version=1") {
		t.Error("HasCustomParameters")
	}
	if got := ParameterNames("a?b=secret"); got != "b (user name)" {
		t.Error(got)
	}
}

// TestLadder: a client that is let in has climbed every rung, in AWS's order.
// Source: custom-auth sheet 1.
func TestLadder(t *testing.T) {
	_, a := newCustom(t)
	rungs := func(l *Login) (codes []string) {
		for _, r := range l.Ladder {
			codes = append(codes, r.Check.Code)
		}
		return codes
	}
	l, err := a.Authenticate(t.Context(), connecting(user(t, "signed", "tok", "tok")))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"authorizer.selected", "authorizer.active", "authorizer.signature", "authorizer.permitted", "authorizer.invoked",
		"authorizer.response", "authorizer.authenticated",
	}
	if diff := cmp.Diff(want, rungs(l)); diff != "" {
		t.Errorf("ladder (-want +got):\n%s", diff)
	}
	unread, err := a.Authenticate(t.Context(), connecting("?x-amz-customauthorizer-name=open&x-amz-customauthorizer-signature=eA"))
	if err != nil || unread.Refusal() != nil || unread.Ladder[2].Check != check.AuthorizerSigningDisabled {
		t.Errorf("a signature that nobody reads: %v %v", rungs(unread), err)
	}
	s := a.Session()
	request := &CustomRequest{HTTP: &HTTPCredentials{Header: http.Header{}, Query: ParamAuthorizer + "=cached"}}
	for range 2 {
		if l, err = s.Login(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"authorizer.cached"}, rungs(l)); diff != "" {
		t.Errorf("second request (-want +got):\n%s", diff)
	}
}
