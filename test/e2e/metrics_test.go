package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// scrape reads /metrics as plain curl does.
func scrape(t *testing.T, gw *gatehouseproc.Process) string {
	t.Helper()
	resp, err := http.Get(gw.APIURL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestAWSCLIMetrics: what devices did is in CloudWatch and in Prometheus, in equal
// numbers; what a client put is there after a kill.
func TestAWSCLIMetrics(t *testing.T) {
	gatehouseproc.Need(t, "aws")
	gatehouseproc.Need(t, "mosquitto_pub")
	t.Parallel()
	dir := t.TempDir()
	gw := gatehouseproc.StartIn(t, dir)
	d := gw.AddDevice(t, "sensor-1")
	for i := range 3 {
		gw.MustRun(t, "mosquitto_pub", mosquittoArgs(gw, d, "-q", "1", "-t", "sensors/sensor-1/temp", "-m", fmt.Sprint(i))...)
		time.Sleep(1100 * time.Millisecond) // a client ID connects once a second: LimitConnectRateClientID
	}
	aws := func(args ...string) string {
		t.Helper()
		return strings.Join(strings.Fields(gw.MustRun(t, "aws", append([]string{"cloudwatch"}, args...)...)), "")
	}
	if out := aws("list-metrics", "--namespace", "AWS/IoT", "--metric-name", "PublishIn.Success", "--dimensions", "Name=Protocol"); !strings.HasPrefix(out, `{"Metrics":[{"Namespace":"AWS/IoT","MetricName":"PublishIn.Success","Dimensions":[{"Name":"Protocol","Value":"MQTT"}]}]`) {
		t.Errorf("list-metrics printed %s", out)
	}
	span := []string{"--start-time", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), "--end-time", time.Now().Add(time.Minute).UTC().Format(time.RFC3339)}
	sum := func(metric string) float64 {
		t.Helper()
		var total []float64
		args := append([]string{
			"cloudwatch", "get-metric-statistics", "--namespace", "AWS/IoT", "--metric-name", metric, "--dimensions", "Name=Protocol,Value=MQTT",
			"--period", "60", "--statistics", "Sum", "--query", "Datapoints[].Sum", "--output", "json",
		}, span...)
		if err := json.Unmarshal([]byte(gw.MustRun(t, "aws", args...)), &total); err != nil {
			t.Fatal(err)
		}
		n := 0.0
		for _, v := range total {
			n += v
		}
		return n
	}
	for _, metric := range []string{"Connect.Success", "PublishIn.Success"} {
		if n := sum(metric); n != 3 {
			t.Errorf("%s: Sum %v, want 3", metric, n)
		}
	}
	metrics := scrape(t, gw)
	for _, line := range []string{
		`gatehouse_connects_total{protocol="mqtt",result="success"} 3`, `gatehouse_publish_in_total{protocol="mqtt",result="success"} 3`,
		"gatehouse_connect_seconds_count 3", "gatehouse_ready 1",
	} {
		if !strings.Contains(metrics, "\n"+line+"\n") {
			t.Errorf("/metrics has no line %s", line)
		}
	}
	aws("put-metric-data", "--namespace", "Mine", "--metric-name", "Depth", "--value", "7", "--unit", "Count", "--dimensions", "Tank=a")
	query := `[{"Id":"m1","MetricStat":{"Metric":{"Namespace":"Mine","MetricName":"Depth","Dimensions":[{"Name":"Tank","Value":"a"}]},"Period":3600,"Stat":"p90"}},{"Id":"e1","Expression":"m1*2","Label":"twice"}]`
	want := `[{"Label":"Depth","Values":[7]},{"Label":"twice","Values":[14]}]`
	data := append([]string{"get-metric-data", "--metric-data-queries", query, "--query", "MetricDataResults[].{Label:Label,Values:Values}"}, span...)
	if out := aws(data...); out != want {
		t.Errorf("get-metric-data printed %s, want %s", out, want)
	}
	if _, stderr, err := gw.Run(t.Context(), "", "aws", "cloudwatch", "describe-alarms"); err == nil || !strings.Contains(stderr, "DescribeAlarms") {
		t.Errorf("describe-alarms: %v, %s", err, stderr)
	}

	gw.Kill() // what was put was on disk before it was acknowledged
	gw = gatehouseproc.StartIn(t, dir)
	if out := aws(data...); out != want {
		t.Errorf("after kill -9 get-metric-data printed %s, want %s", out, want)
	}
}

// TestMetricsByBoto3: see metrics.py.
func TestMetricsByBoto3(t *testing.T) {
	gatehouseproc.Need(t, "mosquitto_pub")
	gatehouseproc.Need(t, "python3")
	if exec.Command("python3", "-c", "import boto3").Run() != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("boto3 is missing: make test-deps installs it")
		}
		t.Skip("SKIPPED: boto3 is missing; make test-deps installs it")
	}
	t.Parallel()
	gw := gatehouseproc.Start(t)
	d := gw.AddDevice(t, "sensor-1")
	gw.MustRun(t, "mosquitto_pub", mosquittoArgs(gw, d, "-t", "sensors/sensor-1/temp", "-m", "1")...)
	if out := gw.MustRun(t, "python3", "metrics.py", gw.APIURL); out != "connects 1\n" {
		t.Errorf("metrics.py printed %q", out)
	}
}

// TestMetricsByJavaScript: see metrics.mjs.
func TestMetricsByJavaScript(t *testing.T) {
	gatehouseproc.Need(t, "mosquitto_pub")
	gatehouseproc.Need(t, "node")
	if _, err := os.Stat("js/node_modules/@aws-sdk/client-cloudwatch"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("the npm packages of test/e2e/js are missing: make test-deps installs them")
		}
		t.Skip("SKIPPED: the npm packages of test/e2e/js are missing; make test-deps installs them")
	}
	t.Parallel()
	gw := gatehouseproc.Start(t)
	d := gw.AddDevice(t, "sensor-1")
	gw.MustRun(t, "mosquitto_pub", mosquittoArgs(gw, d, "-t", "sensors/sensor-1/temp", "-m", "1")...)
	cmd := exec.CommandContext(t.Context(), "node", "metrics.mjs")
	cmd.Dir, cmd.Env = "js", gw.Environ()
	out, err := cmd.Output()
	if e, ok := err.(*exec.ExitError); ok { //nolint:errorlint // Output returns it as it is
		t.Fatalf("metrics.mjs: %v\n%s", err, e.Stderr)
	}
	var got map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("metrics.mjs printed %s: %v", out, err)
	}
	want := map[string]any{
		"wires":    []any{"application/x-amz-json-1.0"},
		"listed":   []any{map[string]any{"Namespace": "AWS/IoT", "MetricName": "Connect.Success", "Dimensions": []any{map[string]any{"Name": "Protocol", "Value": "MQTT"}}}},
		"connects": 1.0, "unit": "Count", "dated": true,
		"data":        map[string]any{"size n": []any{4.0}, "size s": []any{9.0}, "size m": []any{3.0}, "set t": []any{10.0}, "thrice e": []any{6.75}},
		"percentiles": []any{2.0},
		"refused": []any{
			"MissingRequiredParameterException MissingParameter", "InvalidParameterValueException InvalidParameterValue",
			"InvalidParameterValueException InvalidParameterValue", "NotImplementedException NotImplementedException",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestPromtool: Prometheus' own checker takes the rules, the expressions of the
// dashboard, and what /metrics says.
func TestPromtool(t *testing.T) {
	gatehouseproc.Need(t, "promtool")
	t.Parallel()
	deploy := filepath.Join("..", "..", "deploy")
	dashboard, err := os.ReadFile(filepath.Join(deploy, "grafana", "gatehouse.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(dashboard, &d); err != nil {
		t.Fatal(err)
	}
	rules := "groups:\n- name: dashboard\n  rules:\n"
	n := 0
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			n++
			expr, err := json.Marshal(strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*").Replace(target.Expr))
			if err != nil {
				t.Fatal(err)
			}
			rules += fmt.Sprintf("  - record: panel:%d\n    expr: %s\n", n, expr)
		}
	}
	panels := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(panels, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		panels: fmt.Sprintf("SUCCESS: %d rules found", n),
		filepath.Join(deploy, "prometheus", "gatehouse.rules.yml"): "SUCCESS: ",
	} {
		if out, err := exec.Command("promtool", "check", "rules", file).CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("promtool check rules %s: %v\n%s", file, err, out)
		}
	}
	if out, err := exec.Command("promtool", "test", "rules", filepath.Join("testdata", "alerts.yml")).CombinedOutput(); err != nil {
		t.Errorf("promtool test rules: %v\n%s", err, out)
	}
	if out, err := exec.Command("promtool", "check", "config", filepath.Join(deploy, "prometheus", "prometheus.yml")).CombinedOutput(); err != nil {
		t.Errorf("promtool check config: %v\n%s", err, out)
	}
	gw := gatehouseproc.Start(t)
	check := exec.Command("promtool", "check", "metrics")
	check.Stdin = strings.NewReader(scrape(t, gw))
	if out, err := check.CombinedOutput(); err != nil || regexp.MustCompile(`(?m)^gatehouse_`).Match(out) {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}
