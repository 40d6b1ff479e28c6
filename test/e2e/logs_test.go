package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// follower is a command that goes on printing.
type follower struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (f *follower) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.out.Write(p)
}

func (f *follower) has(text string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Contains(f.out.String(), text)
}

// follow starts a command with the environment of gw, and ends it with the test.
func follow(t *testing.T, gw *gatehouseproc.Process, env []string, name string, args ...string) *follower {
	t.Helper()
	f := &follower{}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(gw.Environ(), env...), f, f
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	return f
}

// putEvent appends one event to stream s of the group.
func putEvent(t *testing.T, gw *gatehouseproc.Process, group, message string) {
	t.Helper()
	gw.MustRun(t, "aws", "logs", "put-log-events", "--log-group-name", group, "--log-stream-name", "s", "--log-events",
		fmt.Sprintf(`[{"timestamp":%d,"message":%q}]`, time.Now().UnixMilli(), message))
}

// slowly is eventually for the AWS CLI, which takes seconds to start where many do.
func slowly(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not after a minute: %s", what)
}

// TestAWSCLILogs: what the AWS CLI and gatehouse logs make of log events.
func TestAWSCLILogs(t *testing.T) {
	gatehouseproc.Need(t, "aws")
	t.Parallel()
	dir := t.TempDir()
	gw := gatehouseproc.StartIn(t, dir)
	aws := func(args ...string) string {
		t.Helper()
		return strings.Join(strings.Fields(gw.MustRun(t, "aws", append([]string{"logs"}, args...)...)), "")
	}
	const group = "AWSIotLogsV2"
	aws("create-log-group", "--log-group-name", group)
	aws("put-retention-policy", "--log-group-name", group, "--retention-in-days", "30")
	aws("create-log-stream", "--log-group-name", group, "--log-stream-name", "s")
	aws("create-log-group", "--log-group-name", "g")
	aws("create-log-stream", "--log-group-name", "g", "--log-stream-name", "s")
	tail := follow(t, gw, nil, "aws", "logs", "start-live-tail",
		"--log-group-identifiers", "arn:aws:logs:us-east-1:123456789012:log-group:g", "--log-event-filter-pattern", "Failure")
	ours := follow(t, gw, nil, gw.Bin, "logs", "tail", "--since", "1m")
	const refused = `{"status":"Failure","eventType":"Connect","clientId":"c1","reason":"AUTHORIZATION_FAILURE"}`
	putEvent(t, gw, group, refused)
	putEvent(t, gw, group, `{"status":"Success","eventType":"Connect","clientId":"c2"}`)
	if out := aws("describe-log-groups"); !strings.Contains(out, `"logGroupName":"AWSIotLogsV2"`) || !strings.Contains(out, `"retentionInDays":30`) {
		t.Errorf("describe-log-groups printed %s", out)
	}
	if out := aws("filter-log-events", "--log-group-name", group, "--filter-pattern", `{ $.status = "Failure" }`, "--query", "events[].message"); out != `["{\"status\":\"Failure\",\"eventType\":\"Connect\",\"clientId\":\"c1\",\"reason\":\"AUTHORIZATION_FAILURE\"}"]` {
		t.Errorf("filter-log-events printed %s", out)
	}
	if out := aws("test-metric-filter", "--filter-pattern", "[ip, ..., code = 4*]", "--log-event-messages", "10.0.0.1 GET 404", "10.0.0.1 GET 200", "--query", "matches[].extractedValues"); out != `[{"$2":"GET","$code":"404","$ip":"10.0.0.1"}]` {
		t.Errorf("test-metric-filter printed %s", out)
	}
	now := time.Now().Unix()
	id := aws("start-query", "--log-group-name", group, "--start-time", fmt.Sprint(now-600), "--end-time", fmt.Sprint(now+60), "--output", "text", "--query", "queryId",
		"--query-string", `display clientId, eventType, status, @timestamp | sort @timestamp desc | filter status = "Failure"`)
	var result string
	slowly(t, "the query is complete", func() bool {
		result = aws("get-query-results", "--query-id", id)
		return strings.Contains(result, `"status":"Complete"`)
	})
	if !strings.Contains(result, `{"field":"clientId","value":"c1"}`) || strings.Contains(result, "c2") || !strings.Contains(result, `"recordsMatched":1`) {
		t.Errorf("get-query-results printed %s", result)
	}
	if out := gw.MustRun(t, "gatehouse", "logs", "query", "-o", "csv", "stats count(*) as n by clientId | sort clientId asc"); out != "clientId,n\nc1,1\nc2,1\n" {
		t.Errorf("gatehouse logs query printed %q", out)
	}
	_, stderr, err := gw.Run(t.Context(), "", "gatehouse", "logs", "query", "felds a")
	if gatehouseproc.ExitCode(err) != 1 || !strings.Contains(stderr, "did you mean fields?") || !strings.Contains(stderr, "\n  ^^^^^\n") {
		t.Errorf("a malformed query: %v, %s", err, stderr)
	}
	slowly(t, "start-live-tail prints a failure", func() bool { // it may take its time to begin
		putEvent(t, gw, "g", `{"status":"Failure","clientId":"c3"}`)
		putEvent(t, gw, "g", `{"status":"Success","clientId":"c4"}`)
		return tail.has("c3")
	})
	slowly(t, "gatehouse logs tail prints both", func() bool { return ours.has("client=c1") && ours.has("client=c2") })
	if tail.has("c4") {
		t.Error("start-live-tail printed what its filter leaves out")
	}

	gw.Kill() // what was acknowledged is there, and the tail goes on
	gw = gatehouseproc.StartIn(t, dir)
	if out := strings.Join(strings.Fields(gw.MustRun(t, "aws", "logs", "filter-log-events", "--log-group-name", group, "--query", "length(events)")), ""); out != "2" {
		t.Errorf("%s events after kill -9, want 2", out)
	}
	putEvent(t, gw, group, "after the restart")
	slowly(t, "gatehouse logs tail follows the restart", func() bool { return ours.has("after the restart") })
}
