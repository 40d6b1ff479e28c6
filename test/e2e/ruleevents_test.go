package e2e

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// TestRuleNotFound: messages by Basic Ingest that find no rule are acknowledged, and stand in the
// log and in the metrics, by MQTT and by HTTPS. Source: mqtt sheet 16; logs sheet 3.2; metrics sheet 1.3.
func TestRuleNotFound(t *testing.T) {
	for _, command := range []string{"aws", "mosquitto_pub", "curl"} {
		gatehouseproc.Need(t, command)
	}
	t.Parallel()
	gw := gatehouseproc.Start(t)
	d := gw.AddDevice(t, "boiler-12", "--topic", "$aws/rules/*")
	gw.MustRun(t, "mosquitto_pub", mosquittoArgs(gw, d, "-q", "1", "-t", "$aws/rules/Archve/boiler/12", "-m", "x")...)
	curl := exec.Command("curl", "--cacert", d.CAFile, "--cert", d.CertificateFile, "--key", d.PrivateKeyFile, "-sS", "-d", "over HTTPS",
		fmt.Sprintf("https://localhost:%d/topics/%%24aws%%2Frules%%2FArchve?qos=1", gw.Ports.HTTPS))
	if text, err := curl.CombinedOutput(); err != nil || !strings.Contains(string(text), `"OK"`) {
		t.Fatalf("curl: %v\n%s", err, text)
	}

	// Query 22 of the logs sheet, as a person would ask it.
	var got []string
	slowly(t, "both are in the log", func() bool {
		text := gw.MustRun(t, "aws", "logs", "describe-log-groups")
		if !strings.Contains(text, `"AWSIotLogsV2"`) {
			return false
		}
		got = nil
		for _, row := range queryDeviceLog(t, gw, `filter eventType in ["RuleNotFound", "RuleExecutionThrottled"] | fields @timestamp, ruleName, details, topicName, clientId, principalId, logLevel, reason, gatehouse.check | sort @timestamp desc`) {
			line := ""
			for _, c := range row {
				if !strings.HasPrefix(c.Field, "@") {
					line += c.Field + "=" + c.Value + " "
				}
			}
			got = append(got, line)
		}
		return len(got) == 2
	})
	entry := func(topic, client string) string {
		return "ruleName=Archve details=Rule Archve not found topicName=" + topic + " " + client + "principalId=" + d.CertificateID +
			" logLevel=ERROR reason=RuleNotFound gatehouse.check=topic.service_not_built "
	}
	slices.Sort(got)
	want := []string{entry("$aws/rules/Archve", ""), entry("$aws/rules/Archve/boiler/12", "clientId=boiler-12 ")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the query (-want +got):\n%s", diff)
	}

	sum := strings.Join(strings.Fields(gw.MustRun(t, "aws", "cloudwatch", "get-metric-statistics", "--namespace", "AWS/IoT", "--metric-name", "RuleNotFound", "--dimensions", "Name=RuleName,Value=Archve",
		"--start-time", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), "--end-time", time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
		"--period", "86400", "--statistics", "Sum", "--query", "sum(Datapoints[].Sum)")), "")
	if sum != "2.0" && sum != "2" {
		t.Errorf("the metric RuleNotFound is %s, want 2", sum)
	}
	if line := `gatehouse_rule_events_total{event="RuleNotFound",rule=""} 2`; !strings.Contains(scrape(t, gw), "\n"+line+"\n") {
		t.Errorf("/metrics has no line %s", line)
	}
}
