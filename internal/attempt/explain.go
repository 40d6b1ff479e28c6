package attempt

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// A Report is an attempt in words: the verdict first, then what stands behind it.
type Report struct {
	Verdict  string    `json:"verdict"`  // one sentence
	Refused  bool      `json:"refused"`  // some check failed
	Findings []Finding `json:"findings"` // what is wrong, the cause of the refusal first
	Warnings []Finding `json:"warnings"` // what works but is doubtful
}

// A Finding is one check that did not pass, in words.
type Finding struct {
	Code     string   `json:"code"`
	Stage    string   `json:"stage"`
	Outcome  Outcome  `json:"outcome"`
	Severity string   `json:"severity"` // refusal, warning or note
	Title    string   `json:"title"`
	Possible bool     `json:"possible,omitempty"` // a guess: another cause is possible
	Cause    string   `json:"cause"`
	Device   string   `json:"deviceSees,omitempty"` // what this device sees, by its TLS version and protocol
	Clients  []Client `json:"clients,omitempty"`    // how widespread clients word that
	Advice   string   `json:"advice,omitempty"`     // what to change on the device
	Fix      string   `json:"fix,omitempty"`        // a shell command
	Missing  []string `json:"fixMissing,omitempty"` // names in capitals in Fix that must be filled in first
	Source   string   `json:"source,omitempty"`
}

// Client is how one client words what it sees.
type Client struct {
	Name string `json:"name"`
	Says string `json:"says"`
}

// Explain turns an attempt into words.
func (r *Recorder) Explain(rec Record) Report {
	steps := slices.Clone(rec.Steps)
	if loop, ev := loopOf(rec, firstFailed(steps)); loop != nil {
		steps = append(steps, Step{Check: loop, Outcome: Warned, Evidence: append(Fields(ev), firstFailed(steps).Evidence...), Count: 1})
	}
	report := Report{Refused: rec.Outcome == Failed, Findings: []Finding{}, Warnings: []Finding{}}
	lead := leadOf(steps)
	if lead != nil {
		first := r.finding(rec, *lead)
		first.Outcome = Failed // it stands for the check that failed
		report.Findings = append(report.Findings, first)
	}
	for _, outcome := range []Outcome{Failed, Also, Warned} {
		for i := range steps {
			s := &steps[i]
			if s.Outcome != outcome || s == lead || explainedBy(*s, steps) != nil {
				continue
			}
			if lead != nil && s.Check == lead.Check && s.Outcome != Failed {
				continue
			}
			finding := r.finding(rec, *s)
			if outcome == Warned {
				report.Warnings = append(report.Warnings, finding)
			} else {
				report.Findings = append(report.Findings, finding)
			}
		}
	}
	report.Verdict = verdict(rec, lead)
	return report
}

// leadOf returns the step that a report begins with: what refused the attempt,
// or what explains it. Nil without a refusal.
func leadOf(steps []Step) *Step {
	lead := firstFailed(steps)
	if lead == nil {
		return nil
	}
	for range steps { // an explanation may be explained in turn
		by := explainedBy(*lead, steps)
		if by == nil {
			break
		}
		lead = by
	}
	return lead
}

// explainedBy returns another finding that s is only a consequence of.
func explainedBy(s Step, steps []Step) *Step {
	for i := range steps {
		other := &steps[i]
		weighs := other.Outcome == Failed || other.Outcome == Also || other.Outcome == Warned && s.Outcome == Warned
		if weighs && other.Check != s.Check && slices.Contains(s.Check.HiddenBy, other.Check) {
			return other
		}
	}
	return nil
}

// finding puts one step into words.
func (r *Recorder) finding(rec Record, s Step) Finding {
	c := s.Check
	v := r.values(rec, s)
	f := Finding{
		Code: c.Code, Stage: c.Stage.String(), Outcome: s.Outcome, Severity: c.Severity.String(), Title: c.Title, Possible: c.Possible,
		Cause: c.CauseWith(v), Device: sees(c, rec), Advice: c.AdviceWith(v), Source: c.Source,
	}
	if s.Outcome != Also { // the device never came that far
		for _, client := range c.Device.Clients {
			f.Clients = append(f.Clients, Client(client))
		}
	}
	f.Fix, f.Missing = c.FixWith(v)
	// Another statement does not help where a Deny matched or a variable has no value.
	if detector, ok := check.Lookup(s.Evidence.Get("detector")); ok && slices.Contains(ownRepair, detector) && detector != c && c != check.AuthorizerPolicy {
		f.Fix, f.Missing = detector.FixWith(v)
		f.Cause += " " + detector.CauseWith(v)
		f.Advice = detector.AdviceWith(v)
	}
	// What an authorizer returned is repaired in its function, not by a policy of
	// the registry; beside a certificate that is what it denies.
	if c.Stage == check.StageAuthorization && rec.Facts.Get("authorizer") != "" && (rec.CertificateID == "" || s.Evidence.Get("source") == "authorizer") {
		f.Fix, f.Missing = check.AuthorizerPolicy.FixWith(v)
		f.Advice = check.AuthorizerPolicy.AdviceWith(v)
	}
	// Nor is what a user may do, whose IAM policy is its own.
	if _, user, ok := strings.Cut(rec.PrincipalARN, ":user/"); ok && c.Stage == check.StageAuthorization {
		f.Fix, f.Missing = "gatehouse user policy '"+user+"' --policy policy.json", nil
		f.Advice = "Allow it in the user's IAM policy: `gatehouse user list -o json` shows the document as it is."
	}
	return f
}

// ownRepair are the causes of a denial that are repaired in their own way.
var ownRepair = []*check.Check{check.PolicyNoneAttached, check.PolicyExplicitDeny, check.PolicyVarUndefined}

// sees chooses what this device sees of a failed check.
func sees(c *check.Check, rec Record) string {
	d := c.Device
	byTLS := d.TLS13
	if rec.TLSVersion == "1.2" || byTLS == "" {
		byTLS = d.TLS12
	}
	byProtocol := ""
	switch {
	case strings.HasPrefix(rec.Protocol, "MQTT 5"):
		byProtocol = d.MQTT5
	case strings.HasPrefix(rec.Protocol, "MQTT"):
		byProtocol = d.MQTT311
	case rec.Protocol != "":
		byProtocol = d.HTTPS
	}
	if c.Stage <= check.StageCertificate && byTLS != "" {
		return byTLS
	}
	for _, text := range []string{byProtocol, d.MQTT311, d.MQTT5, d.HTTPS, byTLS} {
		if text != "" {
			return text
		}
	}
	return ""
}

// values looks up evidence: of the check itself, of the attempt, of the server,
// and at last of the other checks of the attempt.
func (r *Recorder) values(rec Record, s Step) check.Values {
	general := r.general(rec)
	return func(name string) (string, bool) {
		for _, fields := range []Fields{s.Evidence, rec.Facts} {
			if v := fields.Get(name); v != "" {
				return v, true
			}
		}
		if v := general[name]; v != "" {
			return v, true
		}
		if perCheck[name] {
			return "", false
		}
		for _, other := range rec.Steps {
			if v := other.Evidence.Get(name); v != "" {
				return v, true
			}
		}
		return "", false
	}
}

// perCheck are the names that mean something else with every check.
var perCheck = map[string]bool{
	"offered": true, "required": true, "reason": true, "bytes": true, "waited": true, "elapsed": true, "count": true, "period": true,
	"error": true, "used": true, "cause": true, "variable": true, "pattern": true, "statement": true, "action": true, "resource": true,
}

// general is the evidence that every attempt has.
func (r *Recorder) general(rec Record) map[string]string {
	ports := *r.ports.Load()
	m := map[string]string{
		"mqtt_port": strconv.Itoa(ports[DoorMQTT]), "https_port": strconv.Itoa(ports[DoorHTTPS]), "alpn_port": strconv.Itoa(ports[DoorALPN]),
		"trace": rec.ID, "door": string(rec.Door), "sni": rec.SNI, "alpn": rec.ALPN, "alpn_offered": strings.Join(rec.ALPNOffered, ", "),
		"tls_version": rec.TLSVersion, "cipher": rec.Cipher, "protocol": rec.Protocol, "certificate_id": rec.CertificateID,
		"principal": rec.Principal, "principal_arn": rec.PrincipalARN, "client_id": rec.ClientID, "thing": rec.Thing, "sdk": rec.SDK,
		"account": r.cfg.Account, "partition": r.cfg.Partition, "region": r.cfg.Region, "endpoint": r.cfg.Endpoint, "ca_file": r.cfg.CAFile,
	}
	if rec.Source.IsValid() {
		m["source_ip"], m["source_port"] = rec.Source.Addr().String(), strconv.Itoa(int(rec.Source.Port()))
	}
	if rec.Local.IsValid() {
		m["port"] = strconv.Itoa(int(rec.Local.Port()))
	}
	if m["principal"] == "" {
		m["principal"] = rec.CertificateID
	}
	if m["principal_arn"] == "" && rec.CertificateID != "" && r.cfg.Account != "" {
		m["principal_arn"] = fmt.Sprintf("arn:%s:iot:%s:%s:cert/%s", r.cfg.Partition, r.cfg.Region, r.cfg.Account, rec.CertificateID)
	}
	return m
}

// verdict is the attempt in one sentence.
func verdict(rec Record, lead *Step) string {
	who := describe(rec)
	switch {
	case lead != nil:
		v := "REFUSED: " + lead.Check.Title
		if lead.Check.Possible {
			v = "REFUSED, probably: " + lead.Check.Title
		}
		v += " (" + lead.Check.Code + "). " + who
		if rec.Count > 1 {
			v += fmt.Sprintf(", %d times in %s", rec.Count, period(rec.Last.Sub(rec.Began)))
		}
		return v + "."
	case rec.Outcome == Live && rec.Has(check.SessionOpened):
		return "CONNECTED: " + who + ", since " + period(rec.Duration()) + "."
	case rec.Outcome == Live:
		return "UNDER WAY: " + who + "."
	case rec.Has(check.SessionOpened):
		return "CONNECTED: " + who + ", for " + period(rec.Duration()) + "."
	case rec.Has(check.HTTPRequest):
		return "ANSWERED: " + who + "."
	}
	return "ENDED before it asked for anything: " + who + "."
}

// describe names the device of an attempt.
func describe(rec Record) string {
	from := "unknown address"
	if rec.Source.IsValid() {
		from = netip.AddrPort.String(rec.Source)
	}
	port := ""
	if rec.Local.IsValid() {
		port = " to port " + strconv.Itoa(int(rec.Local.Port()))
	}
	name := "A device"
	if rec.ClientID != "" {
		name = `Client "` + check.Visible(rec.ClientID) + `"`
	}
	if rec.Protocol != "" {
		name += " (" + rec.Protocol + ")"
	}
	return name + " from " + from + port + ", " + rec.Last.UTC().Format(time.RFC3339)
}
