package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// awsV2 is an AWS CLI of version 2, which alone has "logs tail": the one on the PATH,
// or Debian's. Before 2.13 it does not know AWS_ENDPOINT_URL.
func awsV2(t *testing.T) string {
	t.Helper()
	for _, command := range []string{"aws", "/usr/bin/aws", "/usr/local/bin/aws"} {
		if out, err := exec.Command(command, "--version").CombinedOutput(); err == nil && strings.HasPrefix(string(out), "aws-cli/2") {
			return command
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("there is no AWS CLI v2: make test-deps installs it on Debian")
	}
	t.Skip("SKIPPED: there is no AWS CLI v2; make test-deps installs it on Debian")
	return ""
}

// TestAWSLogsTail: "aws logs tail --follow" shows what devices are refused for, once
// each, with a filter and from before it began.
func TestAWSLogsTail(t *testing.T) {
	aws := awsV2(t)
	gatehouseproc.Need(t, "mosquitto_pub")
	t.Parallel()
	gw := gatehouseproc.Start(t, "--limits", "open")
	d := gw.AddDevice(t, "sensor-1")
	refused := func(topic string) {
		t.Helper()
		_, _, _ = gw.Run(t.Context(), "", "mosquitto_pub", mosquittoArgs(gw, d, "-q", "1", "-t", topic, "-m", "x")...)
	}
	refused("denied/before")
	slowly(t, "the log group is there", func() bool {
		return strings.Contains(gw.MustRun(t, aws, "logs", "describe-log-groups", "--endpoint-url", gw.APIURL), "AWSIotLogsV2")
	})
	tail := follow(t, gw, []string{"AWS_PAGER="}, aws, "logs", "tail", "AWSIotLogsV2", "--endpoint-url", gw.APIURL, "--follow", "--since", "5m", "--format", "short", "--filter-pattern", `{ $.eventType = "Publish-In" }`)
	slowly(t, "tail shows what was before it", func() bool { return tail.has("denied/before") })
	for _, topic := range []string{"denied/one", "denied/two"} {
		refused(topic)
		slowly(t, "tail shows "+topic, func() bool { return tail.has(topic) })
	}
	tail.mu.Lock()
	defer tail.mu.Unlock()
	out := tail.out.String()
	if strings.Contains(out, `"eventType":"Disconnect"`) {
		t.Errorf("what the filter leaves out is shown:\n%s", out)
	}
	for _, topic := range []string{"denied/before", "denied/one", "denied/two"} {
		if n := strings.Count(out, `"topicName":"`+topic+`"`); n != 1 {
			t.Errorf("%s is shown %d times:\n%s", topic, n, out)
		}
	}
}
