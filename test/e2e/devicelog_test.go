package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// shape is what an entry is made of: its members in their order, and what else
// than a text they hold. "gatehouse" ends it: what it holds depends on the check.
func shape(t *testing.T, entry string) (eventType, members string) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(entry))
	if _, err := dec.Token(); err != nil {
		t.Fatalf("%v: %s", err, entry)
	}
	var names []string
	values := map[string]any{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			t.Fatalf("%v: %s", err, entry)
		}
		var value any
		if err := dec.Decode(&value); err != nil {
			t.Fatalf("%v: %s", err, entry)
		}
		text := name.(string)
		values[text] = value
		switch value.(type) {
		case float64:
			text += "(number)"
		case bool:
			text += "(boolean)"
		case []any:
			text += "(list)"
		}
		if slices.Contains(names, text) {
			t.Errorf("%s is there twice: %s", text, entry)
		}
		names = append(names, text)
	}
	kind := fmt.Sprintf("%s %s %s", values["eventType"], values["status"], values["logLevel"])
	if r, ok := values["reason"]; ok {
		kind += " " + r.(string)
	}
	if r, ok := values["disconnectReason"]; ok {
		kind += " " + r.(string)
	}
	return kind, strings.Join(names, " ")
}

// shapes are those of the entries that real clients bring about. Source: logs sheet 3.
func shapes() map[string]string {
	const (
		head    = "timestamp logLevel traceId accountId status eventType protocol "
		device  = "clientId principalId sourceIp sourcePort(number)"
		failure = " reason details"
		ours    = " gatehouse"
	)
	return map[string]string{
		"Connect Success INFO":                                            head + device,
		"Connect Failure ERROR AUTHORIZATION_FAILURE":                     head + device + failure + ours,
		"Disconnect Success INFO CLIENT_INITIATED_DISCONNECT":             head + device + " disconnectReason",
		"Disconnect Success INFO API_INITIATED_DISCONNECT":                head + device + " disconnectReason",
		"Disconnect Failure ERROR AUTHORIZATION_FAILURE AUTH_ERROR":       head + device + failure + " disconnectReason" + ours,
		"Disconnect Failure ERROR DUPLICATE_CLIENT_ID DUPLICATE_CLIENTID": head + device + failure + " disconnectReason" + ours,
		"Ping Success DEBUG":                                              head + "latency(number) requestTimestamp responseTimestamp " + device,
		"Publish-In Success INFO":                                         head + "topicName " + device,
		"Publish-In Failure ERROR AUTHORIZATION_FAILURE":                  head + "topicName " + device + failure + ours,
		"Publish-Out Success INFO":                                        head + "topicName " + device,
		"Queued Success INFO":                                             "timestamp logLevel traceId accountId topicName clientId qos protocol eventType status",
		"Subscribe Success INFO":                                          head + "topicName " + device,
		"Subscribe Failure ERROR AUTHORIZATION_FAILURE":                   head + "topicName subscriptions(list) " + device + failure + ours,
		"Unsubscribe Success INFO":                                        head + device,
		"GetRetainedMessage Success INFO":                                 head + "topicName qos lastModifiedDate",
		"ListRetainedMessage Success INFO":                                head[:len(head)-1],
		"DeleteConnection Success INFO":                                   head + device,
		"GetConnection Success INFO":                                      head + device,
		"ListSubscriptions Success INFO":                                  head + device + " maxResults(number)",
		"SendDirectMessage Success INFO":                                  head + "topicName clientId principalId confirmation(boolean) sourceIp sourcePort(number)",
		"SendDirectMessage Failure ERROR TARGET_CLIENT_ID_NOT_FOUND":      head + "topicName clientId principalId confirmation(boolean) sourceIp sourcePort(number)" + failure + " timeout(number)",
		"RuleNotFound Failure ERROR RuleNotFound":                         head[:len(head)-len("protocol ")] + "clientId topicName ruleName principalId" + failure + ours,
		"Connection.AuthNError Failure ERROR DEVICE_CERTIFICATE_INACTIVE": head + "authenticationType principalId sourceIp sourcePort(number) targetIp targetPort(number) serverNameIndication" + failure + ours,
		"Connection.AuthNError Failure ERROR NOT_AUTHENTICATED":           head + "authenticationType clientId sourceIp sourcePort(number) targetIp targetPort(number) serverNameIndication" + failure + ours,
		"Connection.AuthNError Failure ERROR CUSTOM_AUTHORIZER_NOT_FOUND": head + "authenticationType clientId sourceIp sourcePort(number) targetIp targetPort(number) serverNameIndication" + failure + ours,
		"Gatehouse.ConnectionRefused Failure ERROR CLIENT_ERROR":          head + "sourceIp sourcePort(number) targetIp targetPort(number) serverNameIndication" + failure + ours,
	}
}

// TestDeviceLog: what real clients do stands in AWSIotLogsV2, as AWS writes it.
func TestDeviceLog(t *testing.T) {
	for _, command := range []string{"aws", "node", "mosquitto_pub", "mosquitto_sub", "curl", "openssl"} {
		gatehouseproc.Need(t, command)
	}
	gw := gatehouseproc.Start(t, "--limits", "open")
	gw.MustRun(t, "aws", "iot", "set-v2-logging-options", "--role-arn", "arn:aws:iam::123456789012:role/logs", "--default-log-level", "INFO",
		"--event-configurations", "eventType=Ping,logLevel=DEBUG", "eventType=Connection.AuthNError,logLevel=ERROR")
	in, out, away, off := gw.AddDevice(t, "log-in", "--topic", "e2e/*", "--topic", "$aws/rules/*"), gw.AddDevice(t, "log-out", "--topic", "e2e/*"), gw.AddDevice(t, "log-away", "--topic", "e2e/*"), gw.AddDevice(t, "log-off")
	run := func(program string, d gatehouseproc.Device, more ...string) {
		t.Helper()
		_, _ = exec.Command(program, mosquittoArgs(gw, d, more...)...).CombinedOutput() // the log says what became of it
	}
	// One that stays, and pings.
	follow(t, gw, nil, "mosquitto_sub", mosquittoArgs(gw, out, "-t", "e2e/live", "-k", "5")...)
	waitSubscribed(t, gw, "log-out")
	run("mosquitto_sub", away, "-c", "-q", "1", "-t", "e2e/q", "-U", "e2e/other", "-E")
	run("mosquitto_pub", in, "-i", "log-stranger", "-t", "e2e/q", "-m", "x")
	run("mosquitto_sub", in, "-V", "mqttv5", "-t", "denied/#", "-E")
	run("mosquitto_pub", in, "-t", "denied", "-q", "1", "-m", "x")
	run("mosquitto_pub", in, "-t", "$aws/rules/Archve/e2e", "-q", "1", "-m", "x")
	curl := exec.Command("curl", append([]string{"--cacert", in.CAFile, "--cert", in.CertificateFile, "--key", in.PrivateKeyFile}, "-sS", "-d", "over HTTPS", fmt.Sprintf("https://localhost:%d/topics/e2e%%2Fq?qos=1&retain=true", gw.Ports.HTTPS))...)
	if text, err := curl.CombinedOutput(); err != nil || !strings.Contains(string(text), `"OK"`) {
		t.Fatalf("curl: %v\n%s", err, text)
	}
	run("mosquitto_sub", away, "-c", "-q", "1", "-t", "e2e/q", "-C", "1", "-W", "20")
	gw.MustRun(t, "aws", "iot", "update-certificate", "--certificate-id", off.CertificateID, "--new-status", "INACTIVE")
	run("mosquitto_pub", off, "-t", "e2e/q", "-m", "x")
	_, _ = exec.Command("openssl", "s_client", "-connect", fmt.Sprintf("localhost:%d", gw.Ports.MQTT), "-servername", "elsewhere.example.com").CombinedOutput()

	gw.MustRun(t, "aws", "iot-data", "get-retained-message", "--endpoint-url", gw.APIURL, "--topic", "e2e/q")
	gw.MustRun(t, "aws", "iot-data", "list-retained-messages", "--endpoint-url", gw.APIURL)
	data := dataClient(gw)
	id, nobody, topic, ten := "log-out", "log-nobody", "e2e/live", int32(10)
	ok2(data.GetConnection(t.Context(), &iotdataplane.GetConnectionInput{ClientId: &id}))(t)
	ok2(data.ListSubscriptions(t.Context(), &iotdataplane.ListSubscriptionsInput{ClientId: &id, MaxResults: &ten}))(t)
	ok2(data.SendDirectMessage(t.Context(), &iotdataplane.SendDirectMessageInput{ClientId: &id, Topic: &topic, Payload: []byte("x")}))(t)
	if err := fail(data.SendDirectMessage(t.Context(), &iotdataplane.SendDirectMessageInput{ClientId: &nobody, Topic: &topic, Confirmation: true})); err == nil {
		t.Error("a direct message to nobody is sent")
	}

	addAuthorizer(t, gw, "node", addFunction(t, gw, "node-auth", "nodejs20.x", "auth.handler", "authorizers/auth.mjs", "auth.mjs"), "--signing-disabled")
	_, _ = customPublish(gw, "log-custom", "bob?x-amz-customauthorizer-name=node", "guess")
	_, _ = customPublish(gw, "log-custom", "bob?x-amz-customauthorizer-name=missing", "secret")

	slowly(t, "the client pings", func() bool {
		return slices.ContainsFunc(logLines(t, gw, "AWSIotLogsV2"), func(e string) bool { return strings.Contains(e, `"eventType":"Ping"`) })
	})
	run("mosquitto_pub", out, "-t", "e2e/q", "-m", "x") // takes its client ID over
	follow(t, gw, nil, "mosquitto_sub", mosquittoArgs(gw, in, "-t", "e2e/live")...)
	waitSubscribed(t, gw, "log-in")
	gw.MustRun(t, "aws", "iot-data", "delete-connection", "--endpoint-url", gw.APIURL, "--client-id", "log-in")

	want, got := shapes(), map[string]string{}
	for deadline := time.Now().Add(20 * time.Second); len(got) < len(want) && time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		for _, entry := range logLines(t, gw, "AWSIotLogsV2") {
			kind, members := shape(t, entry)
			if _, known := got[kind]; known && strings.HasPrefix(kind, "Subscribe Success") && strings.Contains(members, "subscriptions") {
				continue // of MQTT 5
			}
			if strings.HasPrefix(kind, "Publish-In Success") && strings.Contains(entry, `"protocol":"HTTP"`) {
				kind += " over HTTPS"
			}
			got[kind] = members
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(want)) {
		if got[kind] != want[kind] {
			t.Errorf("%s\ngot  %s\nwant %s", kind, got[kind], want[kind])
		}
	}
	if g, w := got["Publish-In Success INFO over HTTPS"], "timestamp logLevel traceId accountId status eventType protocol topicName principalId sourceIp sourcePort(number) retain"; g != w {
		t.Errorf("Publish-In over HTTPS: %s, want %s", g, w)
	}
	for kind, members := range got {
		if want[kind] == "" {
			t.Logf("also: %s: %s", kind, members)
		}
	}
	failuresByInsights(t, gw)
}

// A cell is a field of a row that a query of Logs Insights answers.
type cell struct{ Field, Value string }

// queryDeviceLog runs a query of Logs Insights over the last hour of the device log with the AWS CLI, and
// returns its rows.
func queryDeviceLog(t *testing.T, gw *gatehouseproc.Process, query string) [][]cell {
	t.Helper()
	now := time.Now().Unix()
	var started struct{ QueryID string }
	gw.JSON(t, &started, "aws", "logs", "start-query", "--log-group-name", "AWSIotLogsV2", "--start-time", strconv.FormatInt(now-3600, 10), "--end-time", strconv.FormatInt(now+60, 10),
		"--query-string", query)
	var result struct {
		Status  string
		Results [][]cell
	}
	slowly(t, "the query is complete", func() bool {
		gw.JSON(t, &result, "aws", "logs", "get-query-results", "--query-id", started.QueryID)
		return result.Status == "Complete"
	})
	return result.Results
}

// failuresByInsights runs the query of the page on troubleshooting authorizers.
func failuresByInsights(t *testing.T, gw *gatehouseproc.Process) {
	t.Helper()
	kinds, last := map[string]bool{}, "9"
	for _, row := range queryDeviceLog(t, gw, `display clientId, eventType, status, @timestamp | sort @timestamp desc | filter status = "Failure"`) {
		cells := map[string]string{}
		for _, c := range row {
			cells[c.Field] = c.Value
		}
		if cells["status"] != "Failure" || cells["@timestamp"] > last {
			t.Errorf("row %v after %s", cells, last)
		}
		last = cells["@timestamp"]
		kinds[cells["eventType"]] = true
	}
	for _, kind := range []string{"Connect", "Disconnect", "Publish-In", "Subscribe", "Connection.AuthNError", "SendDirectMessage"} {
		if !kinds[kind] {
			t.Errorf("the query finds no failed %s", kind)
		}
	}
}

// TestLogLevels: levels of targets count at once, for live connections too; a
// temporary one ends by itself, also over a restart.
func TestLogLevels(t *testing.T) {
	gatehouseproc.Need(t, "aws")
	gatehouseproc.Need(t, "mosquitto_sub")
	dir := filepath.Join(t.TempDir(), "data")
	gw := gatehouseproc.StartIn(t, dir, "--limits", "open")
	if text := awsFails(t, gw, "iot", "get-v2-logging-options"); !strings.Contains(text, "NotConfiguredException") {
		t.Errorf("get-v2-logging-options before all else: %s", text)
	}
	if text := awsFails(t, gw, "iot", "set-v2-logging-level", "--log-target", "targetType=CLIENT_ID,targetName=c", "--log-level", "INFO"); !strings.Contains(text, "NotConfiguredException") {
		t.Errorf("set-v2-logging-level before all else: %s", text)
	}
	d := gw.AddDevice(t, "level-1", "--topic", "e2e/*")
	follow(t, gw, nil, "mosquitto_sub", mosquittoArgs(gw, d, "-t", "e2e/#")...)
	waitSubscribed(t, gw, "level-1")
	publish := func(payload string) {
		topic := "e2e/" + payload
		ok2(dataClient(gw).Publish(t.Context(), &iotdataplane.PublishInput{Topic: &topic, Payload: []byte("x")}))(t)
	}
	count := func(eventType, topic string) (n int) {
		for _, e := range logLines(t, gw, "AWSIotLogsV2") {
			if strings.Contains(e, `"eventType":"`+eventType+`"`) && strings.Contains(e, `"topicName":"e2e/`+topic+`"`) {
				n++
			}
		}
		return n
	}
	publish("before")
	gw.MustRun(t, "gatehouse", "logs", "level", "set", "DEBUG", "--client-id", "level-1")
	publish("after")
	slowly(t, "the log group is there", func() bool {
		return strings.Contains(gw.MustRun(t, "aws", "logs", "describe-log-groups"), `"AWSIotLogsV2"`)
	})
	slowly(t, "the delivery is logged", func() bool { return count("Publish-Out", "after") == 1 })
	if n := count("Publish-Out", "before"); n != 0 {
		t.Errorf("%d deliveries were logged before the level was set", n)
	}
	if n := count("Publish-In", "after"); n != 0 {
		t.Errorf("%d publishes of a client without level were logged", n)
	}
	var levels struct {
		LogTargetConfigurations []struct {
			LogLevel  string
			LogTarget struct{ TargetType, TargetName string }
		}
	}
	gw.JSON(t, &levels, "aws", "iot", "list-v2-logging-levels")
	if text := fmt.Sprint(levels.LogTargetConfigurations); text != "[{ERROR {DEFAULT }} {DEBUG {CLIENT_ID level-1}}]" {
		t.Errorf("list-v2-logging-levels: %s", text)
	}
	gw.MustRun(t, "aws", "iot", "delete-v2-logging-level", "--target-type", "CLIENT_ID", "--target-name", "level-1")
	gw.MustRun(t, "gatehouse", "logs", "level", "set", "INFO", "--for", "20s")
	if text := gw.MustRun(t, "gatehouse", "logs", "level", "list"); !strings.Contains(text, "all devices  INFO   until") {
		t.Errorf("gatehouse logs level list printed %s", text)
	}
	publish("meanwhile")
	slowly(t, "the publish is logged", func() bool { return count("Publish-In", "meanwhile") == 1 })
	gw.Stop()
	gw = gatehouseproc.StartIn(t, dir, "--limits", "open")
	slowly(t, "the temporary level has ended", func() bool {
		return !strings.Contains(gw.MustRun(t, "gatehouse", "logs", "level", "list"), "INFO")
	})
	publish("late")
	gw.Stop() // writes what is buffered
	gw = gatehouseproc.StartIn(t, dir, "--limits", "open")
	if n := count("Publish-In", "late"); n != 0 {
		t.Errorf("%d publishes were logged after the level had ended", n)
	}
}
