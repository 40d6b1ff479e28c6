// Package interop runs the interoperability tests of the Eclipse Paho project against the real
// binary. They are not in this repository: clone https://github.com/eclipse/paho.mqtt.testing and
// name its folder.
//
//	PAHO_TESTING=~/paho.mqtt.testing go test ./test/interop
package interop

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// A deviation is a test of the suite that fails here because AWS IoT Core deviates from the
// standards, or because the test itself looks at something else than the broker.
type deviation struct {
	test  string
	wants string   // what fails
	aws   string   // what AWS says about it, with the section of the mqtt sheet
	rows  []string // of test/conformance, which show the rest of what the test looks at
}

const (
	wildcardRetained = "retained messages for a filter with a wildcard"
	awsRetained      = "sent when the filter is the topic itself (8)"
	awsKeepAlive     = "the minimum is 30 s (14)"
	awsQoS2          = "QoS 0 and 1 only (1)"
)

// suites are the tests of the project, with those that have to fail, and the flags of `gatehouse up`
// that a test asks of its broker. docs/mqtt.md lists them too.
var suites = []struct {
	script     string
	tests      []string
	flags      map[string][]string
	deviations []deviation
}{
	{
		script: "client_test.py",
		tests: []string{
			"testBasic", "test_retained_messages", "test_zero_length_clientid", "test_offline_message_queueing",
			"test_overlapping_subscriptions", "test_keepalive", "test_redelivery_on_reconnect", "test_subscribe_failure",
			"test_dollar_topics", "test_unsubscribe",
		},
		flags: map[string][]string{"test_subscribe_failure": {"--refusals", "explain"}}, // SUBACK 0x80
		deviations: []deviation{
			{test: "test_retained_messages", wants: wildcardRetained, aws: awsRetained, rows: []string{"8 identity", "8 delete", "8 sent on SUBSCRIBE", "8 QoS of the copy"}},
			{test: "test_overlapping_subscriptions", wants: "the copy at QoS 2", aws: awsQoS2, rows: []string{"6.1 overlapping filters of one client"}},
			{test: "test_keepalive", wants: "a keep-alive of 5 s", aws: awsKeepAlive, rows: []string{"13 keep-alive x 1.5 exceeded", "14 1..29", "9 published when the connection is lost"}},
			{test: "test_dollar_topics", wants: "a publish to $TopicA/B", aws: "topics that begin with $ are reserved (15.2)", rows: []string{"1 wildcards in front match no $ topics", "15.2 $local/a"}},
		},
	},
	{
		script: "client_test5.py",
		tests: []string{
			"test_basic", "test_retained_message", "test_will_message", "test_zero_length_clientid", "test_offline_message_queueing",
			"test_overlapping_subscriptions", "test_keepalive", "test_redelivery_on_reconnect", "test_subscribe_failure",
			"test_dollar_topics", "test_unsubscribe", "test_session_expiry", "test_user_properties", "test_payload_format",
			"test_publication_expiry", "test_subscribe_options", "test_assigned_clientid", "test_subscribe_identifiers",
			"test_request_response", "test_client_topic_alias", "test_server_topic_alias", "test_maximum_packet_size",
			"test_server_keep_alive", "test_flow_control1", "test_flow_control2", "test_will_delay", "test_shared_subscriptions",
		},
		deviations: []deviation{
			{test: "test_retained_message", wants: wildcardRetained, aws: awsRetained, rows: []string{"8 identity", "8 QoS of the copy", "11.1 0x26 User Property: order kept"}},
			{test: "test_will_message", wants: "a keep-alive of 2 s", aws: awsKeepAlive, rows: []string{"9 properties of a will", "13 keep-alive x 1.5 exceeded"}},
			{test: "test_overlapping_subscriptions", wants: "the copy at QoS 2", aws: awsQoS2, rows: []string{"6.1 overlapping filters of one client"}},
			{test: "test_keepalive", wants: "a keep-alive of 5 s", aws: awsKeepAlive, rows: []string{"13 keep-alive x 1.5 exceeded", "14 1..29"}},
			{test: "test_subscribe_failure", wants: "SUBACK 0x80 for a filter that is not allowed", aws: "0x87, not authorized (6.2)", rows: []string{"6.3 unauthorized SUBSCRIBE"}},
			{test: "test_user_properties", wants: "a copy at QoS 2", aws: awsQoS2, rows: []string{"11.1 0x26 User Property: order kept"}},
			{test: "test_payload_format", wants: "a copy at QoS 2", aws: awsQoS2, rows: []string{"11.1 0x01 Payload Format Indicator", "11.1 0x03 Content Type"}},
			{test: "test_subscribe_options", wants: wildcardRetained, aws: awsRetained, rows: []string{"6.1 No Local", "6.1 Retain As Published", "6.1 Retain Handling"}},
			{test: "test_subscribe_identifiers", wants: "subscription identifiers", aws: "not supported: 0xA1 (6.1, 11.1)", rows: []string{"6.1 Subscription Identifier", "3 0x29 Subscription Identifier Available"}},
			{test: "test_server_topic_alias", wants: "topic aliases from the server", aws: "unverified (3); none is used", rows: []string{"3 no outbound topic aliases"}},
			{test: "test_maximum_packet_size", wants: "a Maximum Packet Size of 64 bytes", aws: "1,024 bytes at least (11.1, 19)", rows: []string{"3 the client's Maximum Packet Size is obeyed", "11.1 0x27 Maximum Packet Size: below 1,024"}},
			{test: "test_server_keep_alive", wants: "the 60 s of the suite's own broker", aws: "30 to 1,200 s as the client asked (14)", rows: []string{"3 0x13 Server Keep Alive", "14 > 1200"}},
			{test: "test_flow_control2", wants: "DISCONNECT 0x93 for QoS 2 that is never released", aws: awsQoS2, rows: []string{"5.1 more than 100 unacknowledged"}},
		},
	},
}

func TestPahoInteroperability(t *testing.T) {
	suite := os.Getenv("PAHO_TESTING")
	if suite == "" {
		t.Skip("SKIPPED: PAHO_TESTING does not name a clone of https://github.com/eclipse/paho.mqtt.testing")
	}
	gatehouseproc.Need(t, "python3")
	suite = filepath.Join(suite, "interoperability")
	for _, s := range suites {
		expected := map[string]string{}
		for _, d := range s.deviations {
			expected[d.test] = d.wants
		}
		for _, name := range s.tests {
			t.Run(s.script+"/"+name, func(t *testing.T) {
				gw := gatehouseproc.Start(t, append([]string{"--limits", "open"}, s.flags[name]...)...)
				out, err := run(t, suite, s.script, name, tunnel(t, gw))
				switch wants := expected[name]; {
				case err == nil && wants != "":
					t.Errorf("passes, and is listed as one that fails for %s", wants)
				case err != nil && wants == "":
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}

// run runs one test of the suite with QoS 2 lowered to 1.
func run(t *testing.T, suite, script, name string, port int) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "python3", "testdata/driver.py", suite, script, strconv.Itoa(port), name, "1")
	out, err := cmd.CombinedOutput()
	if err == nil && !strings.Contains(string(out), "OK") {
		err = fmt.Errorf("the suite does not say OK")
	}
	return string(out), err
}

// nosubscribe is the filter that the suite expects its broker to refuse.
const nosubscribe = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iot:Subscribe","Resource":"arn:aws:iot:us-east-1:123456789012:topicfilter/test/nosubscribe"}]}`

// tunnel listens without TLS, which the suite needs, and carries every connection to gw with a
// device's certificate that may do anything but subscribe to [nosubscribe].
func tunnel(t *testing.T, gw *gatehouseproc.Process) int {
	t.Helper()
	d, config := gw.AddPermissiveDevice(t, "interop")
	name, document := "nosubscribe", nosubscribe
	if _, err := gw.IoT().CreatePolicy(t.Context(), &iot.CreatePolicyInput{PolicyName: &name, PolicyDocument: &document}); err != nil {
		t.Fatal(err)
	}
	if _, err := gw.IoT().AttachPolicy(t.Context(), &iot.AttachPolicyInput{PolicyName: &name, Target: &d.CertificateARN}); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			plain, err := ln.Accept()
			if err != nil {
				return
			}
			go carry(plain, net.JoinHostPort("localhost", strconv.Itoa(gw.Ports.MQTT)), config)
		}
	}()
	return ln.Addr().(*net.TCPAddr).Port
}

func carry(plain net.Conn, to string, config *tls.Config) {
	defer plain.Close()
	secure, err := tls.Dial("tcp", to, config)
	if err != nil {
		return
	}
	defer secure.Close()
	go func() {
		_, _ = io.Copy(secure, plain)
		secure.Close() // without close_notify of ours first: as the client's own end came
		plain.Close()
	}()
	_, _ = io.Copy(plain, secure)
}
