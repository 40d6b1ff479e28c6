// Package e2e drives the real gatehouse binary with software that we did not
// write: the AWS CLI, openssl, mosquitto's clients, Eclipse paho and the AWS IoT
// device SDK. A missing client is a loud skip on a laptop and a failure in CI.
package e2e

import (
	"context"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// tlsFlags are mosquitto's and openssl-like flags of a device.
func tlsFlags(d gatehouseproc.Device) []string {
	return []string{"--cafile", d.CAFile, "--cert", d.CertificateFile, "--key", d.PrivateKeyFile}
}

// mosquittoArgs is the command line of mosquitto_pub or mosquitto_sub for d.
func mosquittoArgs(gw *gatehouseproc.Process, d gatehouseproc.Device, more ...string) []string {
	return append(append(tlsFlags(d), "-h", "localhost", "-p", strconv.Itoa(gw.Ports.MQTT), "-i", d.ThingName), more...)
}

// explainText is what `gatehouse explain` prints, and its exit code: 2 when
// nothing is recorded yet.
func explainText(t *testing.T, gw *gatehouseproc.Process, flags ...string) (string, int) {
	t.Helper()
	out, _, err := gw.Run(context.Background(), "", "gatehouse", append([]string{"explain"}, flags...)...)
	return out, gatehouseproc.ExitCode(err)
}

var subscribedLine = regexp.MustCompile(`(?m)^ +ok +[0-9.]+ m?s +authz\.subscribe\b`)

// waitSubscribed waits until the gateway has granted a subscription to clientID.
func waitSubscribed(t *testing.T, gw *gatehouseproc.Process, clientID string) {
	t.Helper()
	eventually(t, clientID+" has subscribed", func() bool {
		text, _ := explainText(t, gw, "--client-id", clientID)
		return subscribedLine.MatchString(text)
	})
}

// eventually polls until ok answers true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not after 10 s: %s", what)
}

// The main job, with the commands of the README and nothing else.
func TestADeviceConnectsAndIsExplained(t *testing.T) {
	gatehouseproc.Need(t, "mosquitto_pub")
	gw := gatehouseproc.Start(t)
	d := gw.AddDevice(t, "sensor-1")
	out, err := exec.Command("mosquitto_pub", mosquittoArgs(gw, d, "-t", "sensors/sensor-1/temp", "-m", "21", "-q", "1")...).CombinedOutput()
	if err != nil {
		t.Fatalf("mosquitto_pub: %v\n%s", err, out)
	}
	text, code := explainText(t, gw, "--client-id", "sensor-1")
	if code != 0 {
		t.Errorf("explain of a device that connected: exit %d, want 0", code)
	}
	for _, want := range []string{"cert.registered", "cert.active", "authz.connect", "delivery.published", "sensors/sensor-1/temp"} {
		if !strings.Contains(text, want) {
			t.Errorf("explain does not say %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "FAIL") {
		t.Errorf("explain shows a failure of a device that connected:\n%s", text)
	}
}

// A certificate that stops being ACTIVE, or is deleted, cuts its live connections at once.
func TestDeactivationCutsLiveConnections(t *testing.T) {
	gatehouseproc.Need(t, "mosquitto_sub")
	gatehouseproc.Need(t, "aws")
	gw := gatehouseproc.Start(t)
	for _, version := range []string{"mqttv311", "mqttv5"} {
		d := gw.AddDevice(t, "cut-"+version)
		topic := "sensors/" + d.ThingName + "/x"
		sub := exec.Command("mosquitto_sub", mosquittoArgs(gw, d, "-V", version, "-t", topic)...)
		if err := sub.Start(); err != nil {
			t.Fatal(err)
		}
		waitSubscribed(t, gw, d.ThingName)
		gw.MustRun(t, "aws", "iot", "update-certificate", "--certificate-id", d.CertificateID, "--new-status", "INACTIVE")
		eventually(t, "the cut connection is explained", func() bool {
			text, _ := explainText(t, gw, "--client-id", d.ThingName)
			return strings.Contains(text, "connection.principal_cut")
		})
		_ = sub.Process.Kill()
		_ = sub.Wait()
	}
}
