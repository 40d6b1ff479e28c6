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

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// A deviation is a test of the suite that fails here because AWS IoT Core deviates from the
// standards, or because the test itself looks at something else than the broker.
type deviation struct {
	test   string
	reason string
}

// suites are the tests of the project, with those that have to fail. docs/mqtt.md lists them too.
var suites = []struct {
	script     string
	tests      []string
	deviations []deviation
}{
	{
		script: "client_test.py",
		tests: []string{
			"testBasic", "test_retained_messages", "test_zero_length_clientid", "test_offline_message_queueing",
			"test_overlapping_subscriptions", "test_keepalive", "test_redelivery_on_reconnect", "test_subscribe_failure",
			"test_dollar_topics", "test_unsubscribe",
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
			expected[d.test] = d.reason
		}
		for _, name := range s.tests {
			t.Run(s.script+"/"+name, func(t *testing.T) {
				gw := gatehouseproc.Start(t, "--limits", "open")
				out, err := run(t, suite, s.script, name, tunnel(t, gw))
				switch reason := expected[name]; {
				case err == nil && reason != "":
					t.Errorf("passes, and is listed as a deviation: %s", reason)
				case err != nil && reason == "":
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}

// run runs one test of the suite with QoS 2 lowered to 1.
func run(t *testing.T, suite, script, name string, port int) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "python3", "testdata/driver.py", suite, script, strconv.Itoa(port), name, "1")
	out, err := cmd.CombinedOutput()
	if err == nil && !strings.Contains(string(out), "OK") {
		err = fmt.Errorf("the suite does not say OK")
	}
	return string(out), err
}

// tunnel listens without TLS, which the suite needs, and carries every connection to gw with a
// device's certificate that may do anything.
func tunnel(t *testing.T, gw *gatehouseproc.Process) int {
	t.Helper()
	_, config := gw.AddPermissiveDevice(t, "interop")
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
