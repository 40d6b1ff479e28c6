package diagnose

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/symptom"
	"github.com/gatehouse-iot/gatehouse/test/golden"
)

// notReproduced says why a row has no test but that of its text. What is said not
// to be built is held to that by TestNotBuilt.
var notReproduced = map[string]string{
	"A-11": "note only: the board's radio stays an access point, and no packet leaves it",
	"A-13": "note only: the modem's operator gives it no DNS, which ends inside the modem",
	"B-14": "from outside, a device whose heap is used up closes after the server's certificate as one that distrusts it does; only its own text tells them apart",
	"D-14": "note only: an exception in a Java class of AWS's SDK for Android, before any connection",
	"D-19": "AWS registers the certificate at its first connection by a provisioning template, which is not built",
	"I-05": "no temporary credentials are issued: a session token is refused (sigv4.session_token) before its signature is looked at",
	"I-10": "identities of Amazon Cognito pools are not built",
	"I-11": "a session policy belongs to sts:AssumeRole, which is not built",
	"I-13": "the role of an EC2 instance belongs to sts:AssumeRole, which is not built",
	"I-14": "role aliases are not built",
	"J-16": "note only: a plugin of JMeter without the mode, which sends nothing to a custom authorizer",
	"K-04": "fleet provisioning is not built",
	"K-05": "fleet provisioning is not built",
	"K-07": "fleet provisioning is not built",
	"K-08": "role aliases are not built",
	"K-10": "Greengrass discovery is not built",
	"K-13": "device shadows are not built",
}

// elsewhere are the tests of other packages that have a row's cause, and the words
// in them by which that is seen.
var elsewhere = map[string]struct{ file, has string }{
	"E-23": {"policy/lint_test.go", "policy.lint.self_matching_client_id"},
	"H-10": {"internal/gateway/mqttconn/subscribe_test.go", "session.keepalive_expired"},
	"H-11": {"internal/gateway/mqttconn/subscribe_test.go", "session.keepalive_expired"},
	"H-13": {"internal/gateway/mqttconn/lifecycle_test.go", "session.max_lifetime"},
	"I-01": {"internal/gateway/websocket_test.go", "check.SigV4ScopeRegion"},
	"I-02": {"internal/gateway/websocket_test.go", "check.SigV4SignedHost"},
	"I-04": {"internal/gateway/websocket_test.go", "check.SigV4Expired"},
	"I-08": {"internal/gateway/websocket_test.go", "check.SigV4ScopeService"},
	"J-07": {"internal/gateway/custom_test.go", "check.AuthorizerSigV4Mixed"},
	"K-01": {"internal/gateway/door_test.go", "check.HTTPPortForCertAuth"},
	"K-02": {"policy/sheet_test.go", "thing name over HTTP"},
	"K-14": {"internal/api/authorize_test.go", "AccessDeniedException"},
}

// A problem is a row of the collection, with what proves that it is explained.
type problem struct {
	id, code, text      string
	gateway, device     []string // cases of test/refusals, rows of internal/diagnose/probe
	report, explained   int      // cases here: of `gatehouse diagnose`, of `gatehouse explain`
	place               int      // of the code among the explanations of the text; 0: not there
	byGateway, byDevice string   // the code that was named there
}

// TestProblems keeps docs/problems.md true. What it says of the other tests is read
// in what those tests compare with, so that a row which fails there can't pass here.
func TestProblems(t *testing.T) {
	list := problems(t)
	for _, p := range list {
		proven := p.proven()
		if other, ok := elsewhere[p.id]; ok && !strings.Contains(read(t, "../../"+other.file), other.has) {
			t.Errorf("%s: %s does not have %s", p.id, other.file, other.has)
		}
		if reason := notReproduced[p.id]; proven && reason != "" {
			t.Errorf("%s is proven and needs no reason: %s", p.id, reason)
		} else if !proven && reason == "" {
			t.Errorf("%s is not proven, and no reason says why", p.id)
		}
	}
	golden.File(t, "../../docs/problems.md", string(render(list)))
}

func (p *problem) proven() bool {
	_, other := elsewhere[p.id]
	return other || p.report+p.explained+len(p.gateway)+len(p.device) > 0
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

var (
	refusalRow = regexp.MustCompile(`(?m)^\| ([A-K]-\d\d)(/[a-z0-9-]+)? \|.*?\[([a-z0-9_.]+)\]\(checks/`)
	deviceRow  = regexp.MustCompile(`(?m)^([A-K]-\d\d)([a-z]?) \| .*? \| (?:fail|warn) ([a-z0-9_.]+) \|`)
)

// problems reads the collection and what the tests compare with.
func problems(t *testing.T) []*problem {
	t.Helper()
	var list []*problem
	byID := map[string]*problem{}
	for line := range strings.SplitSeq(strings.TrimSpace(read(t, "../../internal/diagnose/symptom/testdata/problems.txt")), "\n") {
		parts := strings.SplitN(line, "\t", 3)
		if len(parts) != 3 {
			continue
		}
		p := &problem{id: parts[0], code: parts[1], text: parts[2]}
		p.place = placeOf(p)
		list = append(list, p)
		byID[p.id] = p
	}
	for _, m := range refusalRow.FindAllStringSubmatch(read(t, "../../docs/refusals.md"), -1) {
		if p := byID[m[1]]; p != nil {
			p.gateway = append(p.gateway, m[1]+m[2])
			p.byGateway = cmp.Or(p.byGateway, m[3])
		}
	}
	for _, m := range deviceRow.FindAllStringSubmatch(read(t, "../../internal/diagnose/probe/testdata/rows.txt"), -1) {
		if p := byID[m[1]]; p != nil {
			p.device = append(p.device, m[1]+m[2])
			p.byDevice = cmp.Or(p.byDevice, m[3])
		}
	}
	count := func(id string, cases func(*problem) *int) {
		row, _, _ := strings.Cut(id, "/")
		if p := byID[row]; p != nil {
			*cases(p)++
		} else if strings.Contains(row, "-") {
			t.Errorf("there is a test of %s, which the collection does not have", id)
		}
	}
	for _, r := range slices.Concat(rows, tlsRows, versionRows, serverRows, authorizerRows) {
		count(r.id, func(p *problem) *int { return &p.report })
	}
	for _, r := range slices.Concat(seenRows, versionsSeen) {
		count(r.id, func(p *problem) *int { return &p.explained })
	}
	for _, id := range []string{"A-10", "D-04", "E-23", "F-07", "K-14"} { // tests of their own
		cases := func(p *problem) *int { return &p.explained }
		if id == "D-04" {
			cases = func(p *problem) *int { return &p.report }
		}
		count(id, cases)
	}
	if len(list) < 100 {
		t.Fatalf("only %d rows found", len(list))
	}
	return list
}

// placeOf is where the row's code stands among the explanations of its text.
func placeOf(p *problem) int {
	d := symptom.Explain(p.text)
	for i, c := range d.Candidates {
		for want := range strings.FieldsSeq(p.code) {
			prefix, wild := strings.CutSuffix(want, "*")
			if c.Code == want || wild && strings.HasPrefix(c.Code, prefix) {
				return i + 1
			}
		}
	}
	return 0
}

func render(list []*problem) []byte {
	var b bytes.Buffer
	proven, text := 0, 0
	for _, p := range list {
		if p.proven() {
			proven++
		}
		if p.place > 0 && p.place <= 3 {
			text++
		}
	}
	fmt.Fprintf(&b, `# Problems

Real problems of real users, gathered from public threads, and what proves that Gatehouse names their causes. This page is
written by a test (`+"`go test ./test/diagnose -run TestProblems -update`"+`); what it says of other tests is read in what
those compare with.

- **gateway**: `+"`test/refusals`"+` makes a device do it to a real Gatehouse; the attempt names the cause first, quotes
  what was offered and required, and offers the fix.
- **device**: `+"`internal/diagnose/probe`"+` acts as the device against a server that misbehaves so, or with such files.
- **report**: `+"`test/diagnose`"+` runs the real `+"`gatehouse diagnose`"+` with what the row's user has; its first cause is the row's, with
  the offending and the required value, and the command is there. Many commands are run, and repair it.
- **explain**: `+"`test/diagnose`"+` lets a real client do it (mosquitto, OpenSSL, curl, the AWS CLI), and the real `+"`gatehouse explain`"+` names
  the cause: asked for the client, or given what the row's user saw printed.
- **elsewhere**: a test of that package has it.
- **text**: the place of the cause among the explanations of what the user saw printed (`+"`gatehouse explain TEXT`"+`).

%d of %d rows are reproduced; for %d of them the text alone has the cause among the first three.

| row | cause | gateway | device | report | explain | elsewhere | text | not reproduced because |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
`, proven, len(list), text)
	for _, p := range list {
		place := "—"
		if p.place > 0 {
			place = fmt.Sprint(p.place)
		}
		var codes []string
		named := strings.Fields(p.code)
		for _, c := range []string{p.byGateway, p.byDevice} {
			if c != "" && !slices.Contains(named, c) {
				named = append(named, c)
			}
		}
		for _, c := range named {
			if _, ok := check.Lookup(c); ok {
				c = fmt.Sprintf("[%s](checks/%s.md)", c, c)
			} else {
				c = strings.ReplaceAll(c, "*", `\*`)
			}
			codes = append(codes, c)
		}
		other := ""
		if e, ok := elsewhere[p.id]; ok {
			other = "passed: `" + path.Dir(e.file) + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", p.id, strings.Join(codes, ", "), passed(len(p.gateway)), passed(len(p.device)), passed(p.report), passed(p.explained), other, place, notReproduced[p.id])
	}
	return b.Bytes()
}

// passed words how many cases of a test a row has.
func passed(cases int) string {
	switch cases {
	case 0:
		return ""
	case 1:
		return "passed"
	default:
		return fmt.Sprintf("passed (%d cases)", cases)
	}
}
