package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/function"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// authorizerTimeout is how long the function of an authorizer may take.
// Source: custom-auth sheet 1.
const authorizerTimeout = 5 * time.Second

// authorizers is the part of the registry that custom authentication reads.
type authorizers interface {
	// Authorizer returns an authorizer, or a ResourceNotFound *registry.Error.
	Authorizer(ctx context.Context, name string) (registry.Authorizer, error)
	// DefaultAuthorizer returns the account's default authorizer, or a
	// ResourceNotFound *registry.Error.
	DefaultAuthorizer(ctx context.Context) (registry.Authorizer, error)
	ListAuthorizers(ctx context.Context, status registry.AuthorizerStatus, page registry.Page) (registry.Listing[string], error)
}

// CustomConfig is what an Authorizers needs.
type CustomConfig struct {
	Registry  authorizers      // a *registry.Registry, required
	Identity  *Service         // required
	Functions function.Invoker // required
	Log       *slog.Logger     // broken machinery only; default: none

	// Cached is told of each request for an authorizer with enableCachingForHttp whether an earlier
	// answer served it. Default: nobody.
	Cached func(authorizer string, hit bool)

	// Record keeps the events that functions were invoked with as they were,
	// with tokens and passwords, for a replay. Default: redacted.
	Record bool
}

// An Authorizers authenticates clients by custom authorizers: it chooses the
// authorizer, verifies the token's signature, invokes the function and checks
// its answer. It is safe for concurrent use.
// Source: custom-auth sheet 1 to 9.
type Authorizers struct {
	registry  authorizers
	identity  *Service
	functions function.Invoker
	log       *slog.Logger
	cached    func(authorizer string, hit bool)
	events    *eventBook
	known     *bounded[string, knownAuthorizer] // by name; "" is the default one
}

// NewAuthorizers checks cfg and builds an Authorizers. It starts nothing.
func NewAuthorizers(cfg CustomConfig) (*Authorizers, error) {
	if cfg.Registry == nil || cfg.Identity == nil || cfg.Functions == nil {
		return nil, errors.New("identity: Registry, Identity and Functions are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Cached == nil {
		cfg.Cached = func(string, bool) {}
	}
	return &Authorizers{
		registry: cfg.Registry, identity: cfg.Identity, functions: cfg.Functions, log: cfg.Log, cached: cfg.Cached, events: newEventBook(cfg.Record),
		known: newBounded[string, knownAuthorizer](2 * maxNearest), // a bounded keeps half of it for certain
	}, nil
}

// A knownAuthorizer was read from the registry when the clock showed stamp. It is shared.
type knownAuthorizer struct {
	authorizer registry.Authorizer
	stamp      uint64
}

// lookup returns an authorizer, the account's default one for "", or a
// ResourceNotFound *registry.Error. An answer from memory is as fresh as the registry.
func (s *Authorizers) lookup(ctx context.Context, name string) (registry.Authorizer, error) {
	slot := []uint16{s.identity.clock.slot(input{inputAuthorizer, name})}
	stamp, _ := s.identity.clock.read(slot) // from before the look: a change meanwhile makes it old
	if k, ok := s.known.get(name); ok && k.stamp == stamp {
		return k.authorizer, nil
	}
	var a registry.Authorizer
	var err error
	if name == "" {
		a, err = s.registry.DefaultAuthorizer(ctx)
	} else {
		a, err = s.registry.Authorizer(ctx, name)
	}
	if err == nil { // what is not there is not remembered: hostile peers have many names
		s.known.put(name, knownAuthorizer{a, stamp}, nil)
	}
	return a, err
}

// A Rung is one step of the ladder that an authentication climbs: a check with
// its outcome (passed, failed or warned) and its evidence, which holds no secret.
type Rung struct {
	Check    *check.Check
	Outcome  attempt.Outcome
	Evidence []attempt.Field
}

// A Login is what came of one custom authentication.
type Login struct {
	Authorizer registry.Authorizer // the one that was chosen; zero when none was
	Ladder     []Rung              // every step, in order; the last one failed if the client was refused
	Who        Principal           // zero when refused
	Answer     CustomAnswer        // zero when refused
	Result     *function.Result    // of the invocation; nil when there was none

	service   *Authorizers
	request   *CustomRequest
	documents *set // nil without documents
}

// Refusal returns the step that refused the client; nil when it is authenticated.
func (l *Login) Refusal() *Rung {
	if n := len(l.Ladder); n > 0 && l.Ladder[n-1].Outcome == attempt.Failed {
		return &l.Ladder[n-1]
	}
	return nil
}

// Record notes the ladder in an attempt, up to what refused the client: that
// one is for the caller, who knows how the device is answered.
func (l *Login) Record(at *attempt.Attempt) {
	if l.Authorizer.Name != "" {
		at.Set("authorizer", l.Authorizer.Name)
		at.Set("authorizer_arn", l.Authorizer.ARN)
		at.Set("function", functionName(l.Authorizer.FunctionARN))
		at.Set("function_arn", l.Authorizer.FunctionARN)
	}
	for _, r := range l.Ladder {
		switch r.Outcome {
		case attempt.Failed:
		case attempt.Warned:
			at.Warn(r.Check, r.Evidence...)
		default:
			at.Pass(r.Check, r.Evidence...)
		}
	}
	if l.Refusal() == nil {
		at.SetPrincipal(l.Who.ID, l.Who.ARN)
	}
}

func (l *Login) pass(c *check.Check, evidence ...attempt.Field) {
	l.Ladder = append(l.Ladder, Rung{c, attempt.Passed, evidence})
}

func (l *Login) fail(c *check.Check, evidence ...attempt.Field) *Login {
	l.Ladder = append(l.Ladder, Rung{c, attempt.Failed, evidence})
	return l
}

// Authenticate lets the authorizer of a request decide who the client is. A
// refusal is a Login whose Refusal says why; an error is broken machinery, and
// of a ctx that ended. Source: custom-auth sheet 1.
func (s *Authorizers) Authenticate(ctx context.Context, r *CustomRequest) (*Login, error) {
	l := &Login{service: s, request: r}
	p := r.parameters()
	a, ok, err := s.choose(ctx, l, r, &p)
	if err != nil || !ok {
		return l, err
	}
	l.Authorizer = a
	if a.Status != registry.AuthorizerActive {
		return l.fail(check.AuthorizerInactive, attempt.F("authorizer", a.Name), attempt.F("status", string(a.Status))), nil
	}
	l.pass(check.AuthorizerActive, attempt.F("authorizer", a.Name))
	token, verified := s.checkToken(l, a, r, &p)
	if l.Refusal() != nil {
		return l, nil
	}
	return l, s.ask(ctx, l, r, r.event(token, verified), token)
}

// Test invokes an authorizer with what TestInvokeAuthorizer was given: its name
// chooses it whatever its status, and token and signature stand beside the
// contexts. Source: custom-auth sheet 11.
func (s *Authorizers) Test(ctx context.Context, name string, r *CustomRequest, token, signature string) (*Login, error) {
	a, err := s.registry.Authorizer(ctx, name)
	if err != nil {
		return nil, err
	}
	l := &Login{service: s, request: r, Authorizer: a}
	verified := false
	if !a.SigningDisabled {
		p := r.parameters()
		tokenParam := parameter{name: a.TokenKeyName, value: token, raw: token}
		switch {
		case token == "":
			return l.fail(check.AuthorizerTokenMissing, attempt.F("authorizer", a.Name), attempt.F("token_key", a.TokenKeyName), attempt.F("sent", "no token")), nil
		case signature == "":
			return l.fail(check.AuthorizerSignatureMissing, attempt.F("authorizer", a.Name), attempt.F("sent", "no signature")), nil
		}
		c, evidence := verifySignature(a.SigningKeys, tokenParam, parameter{value: signature, raw: signature}, "request", &p, r)
		if c != nil {
			return l.fail(c, append(evidence, attempt.F("authorizer", a.Name))...), nil
		}
		verified = true
		l.pass(check.AuthorizerSignature, attempt.F("authorizer", a.Name))
	}
	return l, s.ask(ctx, l, r, r.event(token, verified), token)
}

// choose finds the authorizer of a request. ok is false when the ladder ended.
// Source: custom-auth sheet 3.
func (s *Authorizers) choose(ctx context.Context, l *Login, r *CustomRequest, p *parameters) (a registry.Authorizer, ok bool, err error) {
	named, where, isNamed := p.find(ParamAuthorizer, false)
	if named.value == "" {
		isNamed = false
	}
	name, source := named.value, where
	switch d := r.Domain; {
	case isNamed && d.Authorizer != "" && !d.AllowOverride && name != d.Authorizer:
		l.fail(check.AuthorizerOverride, attempt.F("offered", name), attempt.F("source", where),
			attempt.F("domain_configuration", d.Configuration), attempt.F("authorizer", d.Authorizer))
		return a, false, nil
	case !isNamed && d.Authorizer != "":
		name, source = d.Authorizer, "domain configuration "+d.Configuration
	case !isNamed:
		a, err = s.lookup(ctx, "")
		if registry.IsKind(err, registry.ResourceNotFound) {
			return a, false, s.notSelected(ctx, l, r, p)
		} else if err != nil {
			return a, false, fmt.Errorf("read the default authorizer: %w", err)
		}
		name, source = a.Name, "default of the account"
	}
	if a.Name == "" {
		a, err = s.lookup(ctx, name)
		if registry.IsKind(err, registry.ResourceNotFound) {
			return a, false, s.unknown(ctx, l, name, source)
		} else if err != nil {
			return a, false, fmt.Errorf("read authorizer %s: %w", name, err)
		}
	}
	l.pass(check.AuthorizerSelected, attempt.F("authorizer", a.Name), attempt.F("source", source))
	return a, true, nil
}

// maxNearest bounds how many authorizers are looked at for a similar name, or for
// what they invoke; an account has at most 100.
const maxNearest = 100

// notSelected refuses a client that names none where no default helps.
func (s *Authorizers) notSelected(ctx context.Context, l *Login, r *CustomRequest, p *parameters) error {
	reason := "the account has no default authorizer"
	evidence := []attempt.Field{attempt.F("sent", p.names())}
	if r.Domain.Configuration != "" {
		reason = "neither the domain configuration " + r.Domain.Configuration + " nor the account has a default one"
		evidence = append(evidence, attempt.F("domain_configuration", r.Domain.Configuration))
	}
	active, err := s.registry.ListAuthorizers(ctx, registry.AuthorizerActive, registry.Page{Size: 2})
	if err != nil {
		return fmt.Errorf("list authorizers: %w", err)
	}
	switch len(active.Items) {
	case 0:
		reason += "; there is no active authorizer at all"
	case 1: // which one is meant is plain
		evidence = append(evidence, attempt.F("nearest", active.Items[0]))
	}
	l.fail(check.AuthorizerNotSelected, append(evidence, attempt.F("reason", reason))...)
	return nil
}

// unknown refuses a name that no authorizer has.
func (s *Authorizers) unknown(ctx context.Context, l *Login, name, source string) error {
	all, err := s.registry.ListAuthorizers(ctx, "", registry.Page{Size: maxNearest})
	if err != nil {
		return fmt.Errorf("list authorizers: %w", err)
	}
	evidence := []attempt.Field{attempt.F("offered", name), attempt.F("source", source)}
	if near := nearestName(name, all.Items); near != "" {
		evidence = append(evidence, attempt.F("nearest", near))
	}
	l.fail(check.AuthorizerUnknown, evidence...)
	return nil
}

// checkToken finds the token and verifies its signature, and refuses in l when
// that fails. Source: custom-auth sheet 4, 5.
func (s *Authorizers) checkToken(l *Login, a registry.Authorizer, r *CustomRequest, p *parameters) (token string, verified bool) {
	about := attempt.F("authorizer", a.Name)
	var t parameter
	found := false
	if a.TokenKeyName != "" {
		t, _, found = p.find(a.TokenKeyName, true)
	}
	signature, where, signed := p.find(ParamSignature, false)
	if a.SigningDisabled {
		if signed {
			l.Ladder = append(l.Ladder, Rung{check.AuthorizerSigningDisabled, attempt.Warned, []attempt.Field{about}})
		}
		return t.value, false
	}
	key := attempt.F("token_key", a.TokenKeyName)
	switch {
	case !found || t.value == "":
		if other, ok := p.looksLikeToken(a.TokenKeyName); ok {
			l.fail(check.AuthorizerTokenKeyName, about, key, attempt.F("offered", other), attempt.F("sent", p.names()))
			return "", false
		}
		l.fail(check.AuthorizerTokenMissing, about, key, attempt.F("sent", p.names()))
		return "", false
	case !signed || signature.value == "":
		l.fail(check.AuthorizerSignatureMissing, about, key, attempt.F("sent", p.names()))
		return "", false
	}
	if c, evidence := verifySignature(a.SigningKeys, t, signature, where, p, r); c != nil {
		l.fail(c, append(evidence, about)...)
		return "", false
	}
	l.pass(check.AuthorizerSignature, about, attempt.F("offered", Redacted(t.value)))
	return t.value, true
}

// ask invokes the authorizer's function and judges its answer.
// Source: custom-auth sheet 1, 7, 14.
func (s *Authorizers) ask(ctx context.Context, l *Login, r *CustomRequest, event *authorizerEvent, token string) error {
	a := l.Authorizer
	secrets := r.secrets(token)
	payload := event.payload()
	s.events.add(r.ConnectionID, a, event, payload, secrets)

	// The invoker keeps the limit itself; this one is for an invoker that hangs.
	wait, cancel := context.WithTimeout(ctx, authorizerTimeout+authorizerTimeout/5)
	defer cancel()
	began := time.Now()
	invocation := s.invocation(&a)
	invocation.Payload = payload
	result, err := s.functions.Invoke(wait, invocation)
	switch {
	case err != nil && ctx.Err() == nil && errors.Is(wait.Err(), context.DeadlineExceeded):
		result = function.Result{Outcome: function.TimedOut, Duration: time.Since(began), Limit: authorizerTimeout}
	case err != nil:
		return fmt.Errorf("invoke the function of authorizer %s: %w", a.Name, err)
	}
	l.Result = &result
	if !s.judgeInvocation(l, &result, secrets) {
		return nil
	}

	principal := ""
	if r.Certificate != nil {
		principal = r.Certificate.Who.ID
	}
	answer, fault := parseAnswer(result.Payload, principal)
	fn := attempt.F("function", functionName(a.FunctionARN))
	if fault != nil {
		for i, f := range fault.evidence {
			if f.Key == "offered" || fault.check == check.AuthorizerDocuments { // the rest is our own text
				fault.evidence[i].Value = scrub(f.Value, secrets)
			}
		}
		l.fail(fault.check, append(fault.evidence, attempt.F("authorizer", a.Name), fn)...)
		return nil
	}
	if !answer.IsAuthenticated {
		l.pass(check.AuthorizerResponse)
		l.fail(check.AuthorizerRejected, attempt.F("authorizer", a.Name), fn, logTail(&result, secrets))
		return nil
	}
	if len(answer.Documents) > 0 {
		if l.documents, err = s.identity.compileReturned(a.Name, answer.Documents); err != nil {
			return err
		}
	}
	l.pass(check.AuthorizerResponse, attempt.F("count", strconv.Itoa(len(answer.Documents))))
	l.Answer = answer
	l.Who = Principal{Kind: KindAuthorizer, ID: answer.PrincipalID, AccountID: s.identity.account}
	if r.Certificate != nil {
		l.Who = r.Certificate.Who
	}
	l.pass(check.AuthorizerAuthenticated, attempt.F("principal", l.Who.ID),
		attempt.F("refresh_after", answer.RefreshAfter.String()), attempt.F("disconnect_after", answer.DisconnectAfter.String()))
	return nil
}

// invocation is how an authorizer invokes its function; the event is missing.
func (s *Authorizers) invocation(a *registry.Authorizer) function.Request {
	return function.Request{
		FunctionARN: a.FunctionARN, Limit: authorizerTimeout, Tail: true,
		Caller: function.Caller{Service: "iot.amazonaws.com", SourceARN: a.ARN, SourceAccount: s.identity.account},
	}
}

// Invocations returns how the ACTIVE authorizers invoke their functions: clients
// may come at any time, and the start of a function counts in their five seconds.
func (s *Authorizers) Invocations(ctx context.Context) ([]function.Request, error) {
	active, err := s.registry.ListAuthorizers(ctx, registry.AuthorizerActive, registry.Page{Size: maxNearest})
	if err != nil {
		return nil, fmt.Errorf("list authorizers: %w", err)
	}
	var list []function.Request
	for _, name := range active.Items {
		a, err := s.registry.Authorizer(ctx, name)
		if registry.IsKind(err, registry.ResourceNotFound) {
			continue // deleted meanwhile
		} else if err != nil {
			return nil, fmt.Errorf("read authorizer %s: %w", name, err)
		}
		list = append(list, s.invocation(&a))
	}
	return list, nil
}

// judgeInvocation notes what came of an invocation, and tells whether there is
// an answer to judge.
func (s *Authorizers) judgeInvocation(l *Login, res *function.Result, secrets []string) bool {
	a := l.Authorizer
	name, qualifier := splitFunction(a.FunctionARN)
	about := []attempt.Field{attempt.F("authorizer", a.Name), attempt.F("function", name), attempt.F("function_arn", a.FunctionARN)}
	if qualifier != "" {
		about = append(about, attempt.F("qualifier", qualifier))
	}
	fail := func(c *check.Check, evidence ...attempt.Field) { l.fail(c, append(about, evidence...)...) }
	if res.Outcome == function.PermissionDenied {
		evidence := []attempt.Field{attempt.F("authorizer_arn", a.ARN), attempt.F("reason", permissionReason(&res.Permission))}
		fail(check.AuthorizerInvokeDenied, evidence...)
		return false
	}
	if res.Outcome == function.NotFound {
		fail(check.AuthorizerFunctionMissing)
		return false
	}
	l.pass(check.AuthorizerPermitted, about...)
	message := scrub(res.Message, secrets)
	switch res.Outcome {
	case function.Succeeded:
		evidence := []attempt.Field{attempt.F("elapsed", res.Duration.Round(time.Microsecond).String())}
		if res.Init > 0 {
			evidence = append(evidence, attempt.F("waited", res.Waited.Round(time.Millisecond).String())) // for the start of its process
		}
		l.pass(check.AuthorizerInvoked, evidence...)
		return true
	case function.Throttled:
		reason := message
		if c := res.Concurrency; c.Limit > 0 || c.Scope != "" {
			reason = fmt.Sprintf("%d of %d concurrent executions of the %s are in use", c.InUse, c.Limit, c.Scope)
		}
		fail(check.AuthorizerThrottled, attempt.F("reason", reason))
	case function.TimedOut:
		limit := res.Limit
		if limit == 0 {
			limit = authorizerTimeout
		}
		fail(check.AuthorizerTimeout, attempt.F("elapsed", res.Duration.Round(time.Millisecond).String()), attempt.F("required", limit.Round(time.Millisecond).String()), logTail(res, secrets))
	case function.NotRunnable, function.Unreachable:
		fail(check.AuthorizerNotRunnable, attempt.F("reason", message))
	default: // the function's fault
		kind, text := res.ErrorType, res.ErrorMessage
		if kind == "" {
			kind = string(res.Outcome)
		}
		if text == "" {
			text = res.Message
		}
		fail(check.AuthorizerFunctionError, attempt.F("error_type", scrub(kind, secrets)), attempt.F("error_message", scrub(text, secrets)),
			attempt.F("elapsed", res.Duration.Round(time.Millisecond).String()), logTail(res, secrets))
	}
	return false
}

// logTail is the end of the function's log, which holds what it wrote itself.
func logTail(res *function.Result, secrets []string) attempt.Field {
	const most = 900 // an attempt keeps 1 KiB of a value
	text := scrub(string(res.Log), secrets)
	if len(text) > most {
		text = strings.ToValidUTF8(text[len(text)-most:], "")
	}
	return attempt.F("log_tail", text)
}

// permissionReason says which statement came closest, and what it lacks.
func permissionReason(p *function.Permission) string {
	if len(p.Near) == 0 {
		return "the policy has no statement"
	}
	n := p.Near[0]
	reason := fmt.Sprintf("the statement %s has %s %s, and the request has %s", n.Sid, n.Element, n.Want, n.Have)
	if strings.EqualFold(n.Element, "AWS:SourceArn") && strings.Contains(n.Want, ":function:") {
		reason += " (the source ARN must be that of the authorizer, not of the function)"
	}
	return reason
}

// functionName is the name of a function in its ARN, without qualifier.
func functionName(arn string) string {
	name, _ := splitFunction(arn)
	return name
}

// splitFunction takes name and qualifier out of the ARN of a function.
func splitFunction(arn string) (name, qualifier string) {
	a, ok := registry.ParseARN(arn)
	if !ok {
		return arn, ""
	}
	name, qualifier, _ = strings.Cut(strings.TrimPrefix(a.Resource, "function:"), ":")
	return name, qualifier
}

// nearestName returns the name that is most like name, or "" when none is.
func nearestName(name string, names []string) string {
	best, least := "", len(name)/3+1
	for _, other := range names {
		if strings.EqualFold(other, name) {
			return other
		}
		if d := editDistance(strings.ToLower(name), strings.ToLower(other), least); d < least {
			best, least = other, d
		}
	}
	return best
}

// editDistance counts the changes that make b of a, up to most.
func editDistance(a, b string, most int) int {
	if len(a)-len(b) >= most || len(b)-len(a) >= most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return min(row[len(b)], most)
}
