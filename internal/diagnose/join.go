package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/inspect"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/probe"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// join makes one report of what the sides saw. account is nil when nobody looked.
// madeUp says that the client ID is not the device's own.
func join(device probe.Report, account *inspect.Report, madeUp bool) Report {
	j := &joiner{device: device, account: account, madeUp: madeUp}
	j.general = j.values()
	for _, r := range device.Results {
		j.take(SideDevice, r)
	}
	if account != nil {
		for _, r := range account.Results {
			j.take(SideAccount, r)
		}
		j.takeAttempts()
	}
	j.explain()
	return j.report()
}

// joiner is one join.
type joiner struct {
	device  probe.Report
	account *inspect.Report
	madeUp  bool
	general map[string]string // evidence that every check may use

	found          []*finding // what is wrong, one a code
	contradictions []Cause
}

// finding is what the sides saw of one check that did not pass.
type finding struct {
	check   *check.Check
	failed  bool // else a doubt
	seen    []sighting
	causes  []*check.Check // that can be behind it
	words   *attempt.Finding
	by      *finding // that explains this one
	refuted bool     // another side shows that it is not so
}

// sighting is what one side saw.
type sighting struct {
	side    Side
	check   *check.Check
	outcome probe.Outcome
	stage   string
	fields  attempt.Fields
	text    string
}

// take adds a result of the probe or the inspector.
func (j *joiner) take(side Side, r probe.Result) {
	if r.Outcome != probe.Fail && r.Outcome != probe.Warn {
		return
	}
	j.add(sighting{side, r.Check, r.Outcome, r.Stage, r.Evidence, cmp.Or(r.Note, r.Check.CauseWith(j.with(r.Evidence)))}, r.Causes, nil)
}

// takeAttempts adds what a Gatehouse recorded of the connection that walks from
// TCP to the messages. The probe's other connections fail on purpose.
func (j *joiner) takeAttempts() {
	for _, d := range j.ownAttempts() {
		lists := [][]attempt.Finding{d.Report.Findings}
		if j.acts(d) { // warnings of a record that counts several connections may be of another one
			lists = append(lists, d.Report.Warnings)
		}
		for _, list := range lists {
			for _, f := range list {
				c, ok := check.Lookup(f.Code)
				if !ok {
					continue // a newer server
				}
				if slices.Contains(departures, c) && (j.device.Stopped != nil || j.heldBack()) {
					continue // it was the probe that left
				}
				outcome := probe.Fail
				if f.Outcome == attempt.Warned || c.Severity != check.Refusal {
					outcome = probe.Warn
				}
				fields := attempt.Fields{attempt.F("trace", d.Attempt.ID)}
				for _, s := range d.Attempt.Steps {
					if s.Check == c && s.Outcome != attempt.Passed {
						fields = append(fields, s.Evidence...)
					}
				}
				j.add(sighting{SideGateway, c, outcome, f.Stage, fields, f.Cause}, nil, &f)
			}
		}
	}
}

// ownAttempts are the attempts of the connection that acts as the device. A record
// that counts several identical refusals has the port of the last one, which may
// be another of the probe's: it counts where the connection has no record of its own.
func (j *joiner) ownAttempts() []attempt.Detail {
	recorded := slices.ContainsFunc(j.account.Attempts, j.acts)
	var own []attempt.Detail
	for _, d := range j.account.Attempts {
		others := slices.ContainsFunc(j.device.Facts.Connections, func(c probe.Connection) bool { return c.Local.Port() == d.Attempt.Source.Port() && !c.AsDevice() })
		if !others || d.Attempt.Count > 1 && !recorded {
			own = append(own, d)
		}
	}
	return own
}

// acts says whether an attempt is that of the connection which acts as the device.
func (j *joiner) acts(d attempt.Detail) bool {
	return slices.ContainsFunc(j.device.Facts.Connections, func(c probe.Connection) bool { return c.Local.Port() == d.Attempt.Source.Port() && c.AsDevice() })
}

func (j *joiner) add(s sighting, causes []*check.Check, words *attempt.Finding) {
	for _, f := range j.found {
		if f.check != s.check {
			continue
		}
		if slices.ContainsFunc(f.seen, func(o sighting) bool { return o.side == s.side && o.text == s.text }) {
			return
		}
		f.seen = append(f.seen, s)
		f.causes = append(f.causes, causes...)
		f.failed = f.failed || s.outcome == probe.Fail
		f.words = cmp.Or(f.words, words)
		return
	}
	j.found = append(j.found, &finding{check: s.check, failed: s.outcome == probe.Fail, seen: []sighting{s}, causes: causes, words: words})
}

func (f *finding) sees(sides ...Side) bool {
	return slices.ContainsFunc(f.seen, func(s sighting) bool { return slices.Contains(sides, s.side) })
}

// explain finds out which findings are only consequences of others, and where
// the sides disagree.
func (j *joiner) explain() {
	j.refute()
	for _, f := range j.found {
		for _, other := range j.found {
			if other == f || other.refuted || !other.failed && f.failed || explains(f, other) {
				continue
			}
			if explains(other, f) && (f.by == nil || other.weight() > f.by.weight()) {
				f.by = other
			}
		}
	}
}

// explains says whether f is a consequence of cause. A refusal that one version
// of MQTT words and the other does not is one.
func explains(cause, f *finding) bool {
	return cause.check == check.ConnectRefused && f.check == check.ConnectClosed ||
		slices.Contains(f.check.HiddenBy, cause.check) || slices.Contains(f.causes, cause.check) || cause.isBehind(f) || f.departed(cause)
}

// departures are what a gateway sees of a device that left by itself.
var departures = []*check.Check{check.ProtocolClosedBeforeData, check.TCPClosedBeforeHello, check.TLSHandshakeFailed, check.TLSServerCertRefused}

// departed says whether the gateway saw in f that the device left, where the
// device's side knows why.
func (f *finding) departed(cause *finding) bool {
	if f.sees(SideDevice, SideAccount) || !cause.sees(SideDevice) || cause.isSymptom() {
		return false
	}
	return f.check.Possible || slices.Contains(departures, f.check)
}

func (f *finding) isSymptom() bool {
	return len(f.causes) > 0 || slices.ContainsFunc(symptoms, func(s symptom) bool { return s.seen == f.check })
}

// isBehind says whether the account or the gateway refuses just what the device's
// side saw refused, and did not see why.
func (f *finding) isBehind(other *finding) bool {
	i := slices.IndexFunc(symptoms, func(s symptom) bool { return s.seen == other.check })
	if i < 0 || !f.sees(SideAccount, SideGateway) {
		return false
	}
	if symptoms[i].action == "" {
		return f.check.Stage == check.StageCertificate
	}
	if f.check.Stage == check.StageAuthentication { // who is not authenticated may do nothing
		return f.failed
	}
	return f.seen[0].fields.Get("action") == string(symptoms[i].action)
}

// weight orders explanations: what the gateway recorded, then what names a cause
// and is no symptom itself.
func (f *finding) weight() (n int) {
	if f.sees(SideGateway) {
		n += 4
	}
	if !f.isSymptom() {
		n += 2
	}
	return n + min(len(f.seen), 1)
}

// root is the last explanation of f.
func (f *finding) root() *finding {
	for range 16 { // two findings never explain each other, longer circles are cut
		if f.by == nil {
			break
		}
		f = f.by
	}
	return f
}

// passed returns the result of a side in which c passed.
func (j *joiner) passed(side Side, c *check.Check) *probe.Result {
	results := j.device.Results
	if side == SideAccount {
		if j.account == nil {
			return nil
		}
		results = j.account.Results
	}
	for i := range results {
		if results[i].Check == c && results[i].Outcome == probe.Pass {
			return &results[i]
		}
	}
	return nil
}

// proofs are what the device's side proves by doing it: if it passed, a denial
// of that action in the account is refuted.
var proofs = map[string]*check.Check{
	string(policy.Connect): check.ConnectRefused, string(policy.Publish): check.PublishRefused, string(policy.Subscribe): check.SubscribeRefused, string(policy.Receive): check.MessageNotReceived,
}

// A symptom is what the device's side sees of a refusal without its cause.
type symptom struct {
	seen   *check.Check
	passed *check.Check  // by which the account says that it would not refuse it
	action policy.Action // that the policies refuse; "" for the certificate
}

var symptoms = []symptom{
	{check.CertRefused, check.CertActive, ""},
	{check.ConnectClosed, check.AuthzConnect, policy.Connect},
	{check.ConnectRefused, check.AuthzConnect, policy.Connect},
	{check.WebSocketRefused, check.AuthzConnect, policy.Connect},
	{check.SubscribeRefused, check.AuthzSubscribe, policy.Subscribe},
	{check.PublishRefused, check.AuthzPublish, policy.Publish},
	{check.MessageNotReceived, check.AuthzReceive, policy.Receive},
}

// refute notes where the sides disagree.
func (j *joiner) refute() {
	for _, f := range j.found {
		if !f.failed || f.sees(SideDevice, SideGateway) {
			continue
		}
		proof := proofs[f.seen[0].fields.Get("action")]
		if f.check.Stage == check.StageCertificate || f.check == check.AccountEndpointDiffers {
			proof = check.ConnectRefused
		}
		if proof == nil || j.passed(SideDevice, proof) == nil {
			continue
		}
		f.refuted = true
		j.contradict(proof.Passed+", as the device's side shows", "the account says: "+strings.TrimRight(f.seen[0].text, "."))
	}
	for _, s := range symptoms {
		for _, f := range j.found {
			if f.check != s.seen || !f.failed || !f.sees(SideDevice) || slices.ContainsFunc(j.found, func(o *finding) bool { return o != f && o.failed && explains(o, f) }) {
				continue
			}
			if p := j.passed(SideAccount, s.passed); p != nil {
				j.contradict("The account says: "+lowerFirst(strings.TrimRight(cmp.Or(p.Note, p.Check.Passed, p.Check.Title), ".")), "the device's side sees: "+strings.TrimRight(f.seen[0].text, "."))
			}
		}
	}
}

func (j *joiner) contradict(one, other string) {
	fields := attempt.Fields{attempt.F("offered", one), attempt.F("required", other)}
	c := check.AccountSidesDisagree
	j.contradictions = append(j.contradictions, j.cause(&finding{check: c, seen: []sighting{{side: SideAccount, check: c, fields: fields, text: one + "; but " + other}}}))
}

// report puts everything in its place.
func (j *joiner) report() Report {
	r := Report{Schema: Schema, Verdict: Works, Causes: []Cause{}, Doubts: []Cause{}, Contradictions: j.contradictions, Checks: []Check{}, NotSeen: []string{}}
	if r.Contradictions == nil {
		r.Contradictions = []Cause{}
	}
	var roots []*finding
	for _, f := range j.found {
		if f.refuted {
			continue
		}
		root := f.root()
		if root != f {
			root.seen = append(root.seen, f.seen...)
			continue
		}
		roots = append(roots, f)
	}
	slices.SortStableFunc(roots, func(a, b *finding) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), -cmp.Compare(a.weight(), b.weight()))
	})
	for _, f := range roots {
		switch {
		case f.failed:
			r.Causes = append(r.Causes, j.cause(f))
		case f.check == check.AccountDecisionDiffers:
			r.Contradictions = append(r.Contradictions, j.cause(f))
		default:
			r.Doubts = append(r.Doubts, j.cause(f))
		}
	}
	if len(r.Causes) == 0 { // what is only good to know is for who looks for a cause
		r.Doubts = slices.DeleteFunc(r.Doubts, func(c Cause) bool { known, ok := check.Lookup(c.Code); return ok && known.Severity == check.Note })
	}
	j.about(&r)
	switch {
	case len(r.Causes) > 0:
		r.Verdict = Problem
	case j.device.Stopped != nil, j.heldBack():
		r.Verdict = Interrupted
	}
	r.Summary = j.summary(&r)
	return r
}

// heldBack says whether CONNECT was not sent for the sake of a live device.
func (j *joiner) heldBack() bool {
	return slices.ContainsFunc(j.device.Results, func(r probe.Result) bool { return r.Check == check.ConnectRefused && r.Outcome == probe.Skipped })
}

// rank orders causes: what the device ran into, by the place where it did; then
// what it would run into.
func (f *finding) rank() int {
	best := len(probe.Stages()) + 1 + int(f.check.Stage)
	if f.sees(SideGateway) {
		best = 0 // it saw this very connection
	}
	for _, s := range f.seen {
		if at := slices.Index(probe.Stages(), s.stage); s.side == SideDevice && at >= 0 {
			best = min(best, at)
		}
	}
	return best
}

// cause puts a finding into words.
func (j *joiner) cause(f *finding) Cause {
	c := f.check
	var own attempt.Fields
	for _, s := range f.seen {
		if s.check == c {
			own = append(own, s.fields...)
		}
	}
	v := j.with(own)
	out := Cause{
		Code: c.Code, Stage: c.Stage.String(), Title: c.Title, Possible: c.Possible, Cause: c.CauseWith(v),
		DeviceSees: sees(c), Advice: c.AdviceWith(v), Source: c.Source, Evidence: []Evidence{},
	}
	out.Fix, out.Missing = c.FixWith(v)
	if c.Stage == check.StageAuthorization && own.Get("source") == policy.SourceAuthorizer { // it is repaired in the function
		out.Advice = check.AuthorizerPolicy.AdviceWith(v)
		out.Fix, out.Missing = check.AuthorizerPolicy.FixWith(v)
	}
	if w := f.words; w != nil { // the gateway knows its own record best
		out.Cause, out.DeviceSees, out.Advice = w.Cause, cmp.Or(w.Device, out.DeviceSees), w.Advice
		if len(w.Missing) == 0 {
			out.Fix, out.Missing = w.Fix, nil
		}
	}
	if j.madeUp && dependsOnClientID(f) {
		out.Advice = strings.TrimSpace("The client ID was made up for this run: give the device's own with --client-id. " + out.Advice)
	}
	for _, s := range f.seen {
		out.Evidence = append(out.Evidence, Evidence{Side: s.side, Code: s.check.Code, Text: s.text, Fields: s.fields})
	}
	for _, other := range f.causes {
		if slices.ContainsFunc(out.Candidates, func(o Candidate) bool { return o.Code == other.Code }) {
			continue
		}
		candidate := Candidate{Code: other.Code, Title: other.Title}
		if fix, missing := other.FixWith(v); len(missing) == 0 {
			candidate.Fix = fix
		}
		out.Candidates = append(out.Candidates, candidate)
	}
	return out
}

// dependsOnClientID says whether another client ID could make the difference.
func dependsOnClientID(f *finding) bool {
	return slices.ContainsFunc(f.seen, func(s sighting) bool { return s.fields.Get("action") == string(policy.Connect) }) ||
		slices.Contains([]*check.Check{check.ConnectClosed, check.ConnectRefused}, f.check)
}

// sees is what a device sees of a failed check, in its likeliest form.
func sees(c *check.Check) string {
	if c.Stage <= check.StageCertificate {
		return cmp.Or(c.Device.TLS13, c.Device.TLS12, c.Device.MQTT311)
	}
	return cmp.Or(c.Device.MQTT311, c.Device.MQTT5, c.Device.HTTPS, c.Device.TLS13)
}

// about fills the facts of a report.
func (j *joiner) about(r *Report) {
	f := j.device.Facts
	r.TookMs = j.device.Took.Milliseconds()
	r.Device = Device{
		Endpoint: f.Endpoint, Port: f.Port, ClientID: f.ClientID, CertificateID: f.Fingerprint, TLSVersion: f.TLSVersion, ALPN: f.ALPN,
		ClockOffsetMs: f.ClockOffset.Milliseconds(), Connections: []Connection{},
	}
	for _, a := range f.Addresses {
		r.Device.Addresses = append(r.Device.Addresses, a.String())
	}
	for _, c := range f.Connections {
		if c.Began.IsZero() {
			continue // announced, but not needed
		}
		out := Connection{Purpose: c.Purpose}
		if c.Local.IsValid() {
			out.Local = c.Local.String()
		}
		if c.Remote.IsValid() {
			out.Remote = c.Remote.String()
		}
		r.Device.Connections = append(r.Device.Connections, out)
	}
	j.checks(r, SideDevice, j.device.Results)
	if j.account == nil {
		return
	}
	a := j.account
	r.TookMs += a.Took.Milliseconds()
	r.Account = &Account{
		Account: a.Account, Region: a.Region, Caller: a.Caller, Endpoint: a.Endpoint, PrincipalARN: a.PrincipalARN, Gatehouse: a.Gatehouse,
		Policies: a.Policies, Log: a.Log,
	}
	for _, d := range a.Attempts {
		r.Account.Attempts = append(r.Account.Attempts, d.Attempt.ID)
	}
	j.checks(r, SideAccount, a.Results)
	for _, d := range j.ownAttempts() {
		for _, s := range d.Attempt.Steps {
			outcome := map[attempt.Outcome]probe.Outcome{attempt.Passed: probe.Pass, attempt.Warned: probe.Warn}[s.Outcome]
			text := cmp.Or(s.Check.Passed, s.Check.Title)
			if outcome != probe.Pass {
				outcome, text = cmp.Or(outcome, probe.Fail), s.Check.Title
			}
			r.Checks = append(r.Checks, Check{Side: SideGateway, Stage: s.Check.Stage.String(), Code: s.Check.Code, Outcome: outcome, Text: text, Fields: s.Evidence})
		}
	}
}

// checks adds the checks of one side to the list.
func (j *joiner) checks(r *Report, side Side, results []probe.Result) {
	for _, c := range results {
		text := c.Note
		switch {
		case text != "":
		case c.Outcome == probe.Pass:
			text = cmp.Or(c.Check.Passed, c.Check.Title)
		default:
			text = c.Check.Title
		}
		r.Checks = append(r.Checks, Check{Side: side, Stage: c.Stage, Code: c.Check.Code, Outcome: c.Outcome, Text: text, Fields: c.Evidence, TookMs: float64(c.Took.Microseconds()) / 1000})
		if c.Outcome == probe.Unknown && side == SideAccount { // the device's side says it in its place
			r.NotSeen = append(r.NotSeen, strings.TrimRight(c.Check.CauseWith(j.with(c.Evidence)), "."))
		}
	}
}

// summary is the report in one sentence.
func (j *joiner) summary(r *Report) string {
	where := check.Visible(r.Device.Endpoint)
	if r.Device.Port != 0 {
		where += ":" + strconv.Itoa(r.Device.Port)
	}
	who := where
	if r.Device.ClientID != "" {
		who += ` as "` + check.Visible(r.Device.ClientID) + `"`
	}
	switch r.Verdict {
	case Problem:
		first := r.Causes[0]
		probably := ""
		if first.Possible {
			probably = ", probably"
		}
		text := fmt.Sprintf("PROBLEM%s: %s (%s)", probably, first.Title, first.Code)
		if who != "" { // nothing was dialled where no file says where to
			text += ". " + who
		}
		if more := len(r.Causes) - 1; more == 1 {
			text += "; one more below"
		} else if more > 1 {
			text += fmt.Sprintf("; %d more below", more)
		}
		return text + "."
	case Interrupted:
		if j.heldBack() {
			return "NOT TRIED: " + who + " is connected now, so CONNECT was not sent; nothing wrong was found until then."
		}
		return "INTERRUPTED: " + who + ", after " + (time.Duration(r.TookMs) * time.Millisecond).String() + "; nothing wrong was found until then."
	default:
		with := ""
		if r.Device.TLSVersion != "" {
			with = " over TLS " + r.Device.TLSVersion
		}
		switch n := len(r.Doubts) + len(r.Contradictions); n {
		case 0:
			return "WORKS: " + who + with + ", every check passed."
		case 1:
			return "WORKS: " + who + with + ", with a doubt: see below."
		default:
			return fmt.Sprintf("WORKS: %s%s, with %d doubts: see below.", who, with, n)
		}
	}
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
