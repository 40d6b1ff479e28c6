package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
	"github.com/gatehouse-iot/gatehouse/test/golden"
)

// features are the columns of the table of clients, with the words of docs/mqtt.md.
var features = []struct{ name, title string }{
	{"session", "session resumed, with its queue"},
	{"shared", "shared subscription"},
	{"retained", "retained message"},
	{"will", "will"},
	{"request", "request and response"},
	{"websocket", "WebSocket with SigV4"},
}

// clients are the rows. run answers which features worked, one a line, in the order of features.
var clients = []struct {
	name, version string
	run           func(*testing.T, *gatehouseproc.Process, gatehouseproc.Device) string
	without       map[string]string // feature -> why the client does not have it
}{
	{"mosquitto_sub, mosquitto_pub", "3.1.1", mosquittoFeatures("mqttv311"), map[string]string{"request": only5, "websocket": noWebSocket}},
	{"mosquitto_sub, mosquitto_pub, mosquitto_rr", "5", mosquittoFeatures("mqttv5"), map[string]string{"websocket": noWebSocket}},
	{"Eclipse Paho for Go (paho.mqtt.golang)", "3.1.1", goFeatures(newPaho3), map[string]string{"request": only5}},
	{"Eclipse Paho for Go (paho.golang)", "5", goFeatures(newPaho5), nil},
	{"Eclipse Paho for C", "3.1.1", cFeatures, map[string]string{"request": only5}},
	{"Eclipse Paho for C", "5", cFeatures, nil},
	{"MQTT.js", "3.1.1", nodeFeatures("mqttjs3"), map[string]string{"request": only5}},
	{"MQTT.js", "5", nodeFeatures("mqttjs5"), nil},
	{"AWS IoT device SDK v2 for JavaScript", "3.1.1", nodeFeatures("sdk3"), map[string]string{"request": only5}},
	{"AWS IoT device SDK v2 for JavaScript", "5", nodeFeatures("sdk5"), nil},
}

const (
	only5       = "not in MQTT 3.1.1"
	noWebSocket = "the tools have no WebSocket"
)

// TestFeatures has every client do everything that it can.
func TestFeatures(t *testing.T) {
	gw := gatehouseproc.Start(t, "--limits", "open")
	d, _ := gw.AddPermissiveDevice(t, "features")
	for i, c := range clients {
		t.Run(c.name+" "+c.version, func(t *testing.T) {
			d := d
			d.ThingName = "f" + strconv.Itoa(i)
			var want []string
			for _, f := range features {
				if c.without[f.name] == "" {
					want = append(want, f.name)
				}
			}
			if diff := cmp.Diff(want, strings.Fields(c.run(t, gw, d))); diff != "" {
				t.Errorf("what works (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFeaturesPage holds the table of docs/mqtt.md against what TestFeatures runs.
func TestFeaturesPage(t *testing.T) {
	var table strings.Builder
	table.WriteString("| client | MQTT |")
	for _, f := range features {
		table.WriteString(" " + f.title + " |")
	}
	table.WriteString("\n|" + strings.Repeat(" --- |", len(features)+2) + "\n")
	for _, c := range clients {
		fmt.Fprintf(&table, "| %s | %s |", c.name, c.version)
		for _, f := range features {
			cell := "yes"
			if why := c.without[f.name]; why != "" {
				cell = why
			}
			table.WriteString(" " + cell + " |")
		}
		table.WriteString("\n")
	}
	golden.Table(t, "../../docs/mqtt.md", table.String())
}

// output runs a client that prints what works.
func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", cmd.Args[0], err, out)
	}
	return string(out)
}

// nodeFeatures runs js/features.mjs, and js/websocket.mjs for the last column.
func nodeFeatures(client string) func(*testing.T, *gatehouseproc.Process, gatehouseproc.Device) string {
	return func(t *testing.T, gw *gatehouseproc.Process, d gatehouseproc.Device) string {
		gatehouseproc.Need(t, "node")
		if _, err := os.Stat("js/node_modules/mqtt"); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("the npm packages of test/e2e/js are missing: make test-deps installs them")
			}
			t.Skip("SKIPPED: the npm packages of test/e2e/js are missing; make test-deps installs them")
		}
		run := func(script string, what map[string]any) string {
			t.Helper()
			text, err := json.Marshal(what)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("node", script, string(text))
			cmd.Dir = "js"
			return output(t, cmd)
		}
		got := run("features.mjs", map[string]any{
			"client": client, "host": "localhost", "port": gw.Ports.MQTT, "ca": d.CAFile, "cert": d.CertificateFile, "key": d.PrivateKeyFile, "name": d.ThingName,
		})
		over := run("websocket.mjs", map[string]any{
			"client": client, "host": "localhost", "port": gw.Ports.ALPN, "ca": gw.CAFile, "region": gw.Region, "accessKeyId": gw.AccessKeyID, "secretAccessKey": gw.SecretAccessKey,
			"url": gw.MustPresignWebSocket(t, gw.Credentials()), "clientId": d.ThingName + "-w", "topic": d.ThingName + "/w", "timeoutMs": 60_000,
		})
		if strings.Contains(over, `"received","payloads":["with qos 0","with qos 1"]`) {
			got += "websocket\n"
		}
		return got
	}
}

// cFeatures compiles c/features.c with the library of the system and runs it.
func cFeatures(t *testing.T, gw *gatehouseproc.Process, d gatehouseproc.Device) string {
	gatehouseproc.Need(t, "gcc")
	program := filepath.Join(t.TempDir(), "features")
	if out, err := exec.Command("gcc", "-Wall", "-Werror", "-o", program, "c/features.c", "-lpaho-mqtt3cs").CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" || !strings.Contains(string(out), "MQTTClient.h") {
			t.Fatalf("gcc: %v\n%s", err, out)
		}
		t.Skip("SKIPPED: libpaho-mqtt-dev is missing; make test-deps installs it")
	}
	version := t.Name()[strings.LastIndex(t.Name(), "_")+1:]
	run := func(uri string) string {
		t.Helper()
		return output(t, exec.Command(program, version[:1], uri, d.CAFile, d.CertificateFile, d.PrivateKeyFile, d.ThingName))
	}
	return run("ssl://localhost:"+strconv.Itoa(gw.Ports.MQTT)) + run(gw.MustPresignWebSocket(t, gw.Credentials()))
}

// mosquittoFeatures drives the command-line tools.
func mosquittoFeatures(version string) func(*testing.T, *gatehouseproc.Process, gatehouseproc.Device) string {
	return func(t *testing.T, gw *gatehouseproc.Process, d gatehouseproc.Device) (works string) {
		for _, tool := range []string{"mosquitto_sub", "mosquitto_pub", "mosquitto_rr"} {
			gatehouseproc.Need(t, tool)
		}
		as := func(id string) gatehouseproc.Device {
			other := d
			other.ThingName = d.ThingName + "-" + id
			return other
		}
		topic := func(name string) string { return d.ThingName + "/" + name }
		publish := func(args ...string) {
			mosquitto(t, gw, "mosquitto_pub", as("p"), append(args, "-V", version, "-q", "1")...)
		}
		// listen starts a subscriber and answers where its lines come.
		listen := func(id, filter string, more ...string) (*exec.Cmd, *lines) {
			t.Helper()
			cmd := exec.Command("mosquitto_sub", mosquittoArgs(gw, as(id), append(more, "-V", version, "-q", "1", "-t", filter, "-F", "%r %p")...)...)
			got := &lines{}
			cmd.Stdout = got
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }) // it may have ended
			waitSubscribed(t, gw, as(id).ThingName)
			return cmd, got
		}
		expiry := map[string][]string{"mqttv5": {"-x", "600"}}[version]

		subscribe := slices.Concat([]string{"-V", version, "-c", "-q", "1", "-t", topic("session"), "-W", "20"}, expiry)
		mosquitto(t, gw, "mosquitto_sub", as("s"), append(subscribe, "-E")...) // subscribes, and goes
		for i := range 3 {
			publish("-t", topic("session"), "-m", strconv.Itoa(i))
		}
		if mosquitto(t, gw, "mosquitto_sub", as("s"), append(subscribe, "-C", "3")...) == "0\n1\n2\n" {
			works += "session\n"
		}

		_, one := listen("1", "$share/g/"+topic("shared"))
		_, two := listen("2", "$share/g/"+topic("shared"))
		publisher := exec.Command("mosquitto_pub", mosquittoArgs(gw, as("p"), "-V", version, "-q", "1", "-t", topic("shared"), "-l")...)
		publisher.Stdin = strings.NewReader(strings.Repeat("x\n", 30))
		output(t, publisher)
		eventually(t, "both members got 30 together", func() bool { return one.count()+two.count() >= 30 })
		if one.count() > 0 && two.count() > 0 && one.count()+two.count() == 30 {
			works += "shared\n"
		}

		publish("-t", topic("retained"), "-m", "kept", "-r")
		if mosquitto(t, gw, "mosquitto_sub", as("s"), "-V", version, "-t", topic("retained"), "-C", "1", "-W", "20", "-F", "%r %p") == "1 kept\n" {
			works += "retained\n"
		}

		_, wills := listen("3", topic("will"))
		dying, _ := listen("4", topic("other"), "--will-topic", topic("will"), "--will-payload", "gone", "--will-qos", "1")
		_ = dying.Process.Kill()
		eventually(t, "the will", func() bool { return wills.text() == "0 gone\n" })
		works += "will\n"

		if version == "mqttv5" {
			_, requests := listen("5", topic("request"))
			asking := exec.Command("mosquitto_rr", mosquittoArgs(gw, as("6"), "-V", version, "-q", "1", "-t", topic("request"), "-e", topic("response"), "-m", "how much", "-W", "20")...)
			answer := &lines{}
			asking.Stdout = answer
			if err := asking.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the request", func() bool { return requests.text() == "0 how much\n" })
			publish("-t", topic("response"), "-m", "a lot")
			if err := asking.Wait(); err == nil && answer.text() == "a lot\n" {
				works += "request\n"
			}
		}
		return works
	}
}
