package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// logsSeen is what logs.mjs and logs.py print.
type logsSeen struct {
	Session   string
	Tailed    []int
	Pages     int
	Filtered  []int
	Read      []any
	Status    string
	Rows      []map[string]string
	Matched   float64
	Malformed []any
}

// TestLogsBySDKs: the AWS SDK for JavaScript v3 and boto3 against CloudWatch
// Logs. "aws logs tail" needs the AWS CLI v2, which is no package of pip; what it
// sends is FilterLogEvents, which both call here.
func TestLogsBySDKs(t *testing.T) {
	gw := gatehouseproc.Start(t)
	for name, tt := range map[string]struct{ command, script, dir, need string }{
		"JavaScript": {"node", "logs.mjs", "js", "js/node_modules/@aws-sdk/client-cloudwatch-logs"},
		"Python":     {"python3", "logs.py", ".", ""},
	} {
		t.Run(name, func(t *testing.T) {
			gatehouseproc.Need(t, tt.command)
			missing := ""
			if _, err := os.Stat(tt.need); tt.need != "" && err != nil {
				missing = "the npm packages of test/e2e/js are missing; make test-deps installs them"
			}
			if tt.need == "" && exec.Command(tt.command, "-c", "import boto3").Run() != nil {
				missing = "boto3 is missing"
			}
			if missing != "" && os.Getenv("CI") == "true" {
				t.Fatal(missing)
			} else if missing != "" {
				t.Skip("SKIPPED: " + missing)
			}
			cmd := exec.CommandContext(t.Context(), tt.command, tt.script)
			cmd.Dir, cmd.Env = tt.dir, gw.Environ()
			out, err := cmd.Output()
			if e, ok := err.(*exec.ExitError); ok { //nolint:errorlint // Output returns it as it is
				t.Fatalf("%s: %v\n%s", tt.script, err, e.Stderr)
			}
			var got logsSeen
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("%s printed %s: %v", tt.script, out, err)
			}
			want := logsSeen{
				Session: `{ $.status = "Failure" }`, Tailed: []int{0, 4, 8, 12, 16}, Pages: 3, Filtered: []int{0, 4, 8, 12, 16},
				Read: []any{15.0, 5.0, 0.0, true}, Status: "Complete", Matched: 5,
				Rows:      []map[string]string{{"clientId": "c0", "c": "2", "s": "12"}, {"clientId": "c1", "c": "2", "s": "20"}, {"clientId": "c2", "c": "1", "s": "8"}},
				Malformed: []any{"MalformedQueryException", map[string]any{"startCharOffset": 11.0, "endCharOffset": 17.0}},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
