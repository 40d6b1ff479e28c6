package check

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestText(t *testing.T) {
	values := Map(map[string]string{"a": "one", "evil": "x\x1b[31m\u202ey\n"})
	for template, want := range map[string]string{
		"plain":                    "plain",
		"{a} and {b}":              "one and (unknown b)",
		"begin<< with {a}>> end":   "begin with one end",
		"begin<< with {b}>> end":   "begin end",
		"<<{a}{b}>>x<<{a}>>":       "xone",
		"<<{b}||{a}>>":             "one",
		"<<{a}||{b}>>":             "one",
		"<<{b}||still {b}>>":       "still (unknown b)",
		`{"Version":"{a}"}`:        `{"Version":"one"}`,
		"${iot:ClientId} {evil}":   `${iot:ClientId} x\x1b[31m\u{202e}y\x0a`,
		"{Not_a_name} {1} { a }{}": "{Not_a_name} {1} { a }{}",
	} {
		if got := text(template, values); got != want {
			t.Errorf("text(%q) = %q, want %q", template, got, want)
		}
	}
}

// hostile values must come out of a shell exactly as they went in, in every place
// of a command where a value can stand.
var hostile = []string{
	"sensor-1", "it's", `a"b`, "$(touch pwned)", "`id`", "a;b|c&d", "back\\slash", "two words", "*", "~root", "tab\tnew\nline", "\x1b[2J",
	"ümlaut", "${iot:ClientId}", "-rf", "a'b\"c$d`e\\f", "#comment", "!history", "{a}", "<<x>>", "%s%n",
}

func TestCommandIsSafeInAShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh on this machine")
	}
	for _, value := range hostile {
		values := Map(map[string]string{"client_id": value})
		command, missing := shellCommand(`printf '%s\0' {client_id} '{"id":"{client_id}"}' {client_id}-x`, values)
		if len(missing) > 0 {
			t.Fatal(missing)
		}
		out, err := exec.CommandContext(t.Context(), sh, "-c", command).CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v: %s\n%s", value, err, out, command)
			continue
		}
		got := strings.Split(string(out), "\x00")
		var document struct{ ID string }
		if err := json.Unmarshal([]byte(got[1]), &document); err != nil {
			t.Errorf("%q in JSON: %v: %s", value, err, got[1])
		}
		if diff := cmp.Diff([]string{value, value, value + "-x"}, []string{got[0], document.ID, got[2]}); diff != "" {
			t.Errorf("%q became (-want +got):\n%s\n%s", value, diff, command)
		}
		if strings.ContainsRune(command, '\x1b') {
			t.Errorf("%q: the printed command acts on a terminal: %q", value, command)
		}
	}
}

// TestCommandInDoubleQuotes: there only what is visible is promised.
func TestCommandInDoubleQuotes(t *testing.T) {
	got, _ := shellCommand(`echo "$(gatehouse explain --trace {trace})" "{a}"`, Map(map[string]string{"trace": "x", "a": "$(id)`id`\"\\"}))
	want := `echo "$(gatehouse explain --trace x)" "\$(id)\` + "`id\\`" + `\"\\"`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCommandNamesWhatIsMissing(t *testing.T) {
	got, missing := shellCommand("aws iot attach-policy --policy-name {policy}<< --x {a}>> --target {principal_arn}", Map(map[string]string{"policy": "p"}))
	if got != "aws iot attach-policy --policy-name p --target PRINCIPAL_ARN" || !cmp.Equal(missing, []string{"principal_arn"}) {
		t.Errorf("got %q, missing %v", got, missing)
	}
}

func TestForms(t *testing.T) {
	for _, tt := range []struct{ value, form, want string }{
		{"sensor-1", "slug", "sensor-1"},
		{"sensors/1", "slug", "sensors-1-22a656ac"},
		{"a*b?c${d}$aws", "arn", "a${*}b${?}c${$}{d}$aws"},
		{"0123456789abcdef", "short", "0123456789ab"},
	} {
		if got := form(tt.value, tt.form); got != tt.want {
			t.Errorf("form(%q, %q) = %q, want %q", tt.value, tt.form, got, tt.want)
		}
	}
	if a, b := slug("a/b"), slug("a b"); a == b {
		t.Errorf("two values have one slug: %s", a)
	}
	if long := slug(strings.Repeat("x", 500)); len(long) > 60 {
		t.Errorf("slug of %d bytes", len(long))
	}
}
