package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	paho3 "github.com/eclipse/paho.mqtt.golang"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// tlsConfig is what a Go client needs to be device d.
func tlsConfig(t *testing.T, d gatehouseproc.Device) *tls.Config {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(d.CertificateFile, d.PrivateKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(d.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: roots, ServerName: "localhost"}
}

// dialPaho5 connects for paho.golang, whose goroutines write at once: its first PINGREQ otherwise lands
// inside of another packet.
func dialPaho5(t *testing.T, gw *gatehouseproc.Process, config *tls.Config) net.Conn {
	t.Helper()
	nc, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", net.JoinHostPort("localhost", strconv.Itoa(gw.Ports.MQTT)))
	if err != nil {
		t.Fatal(err)
	}
	return packets.NewThreadSafeConn(nc)
}

func TestMosquittoClients(t *testing.T) {
	gatehouseproc.Need(t, "mosquitto_sub")
	gatehouseproc.Need(t, "mosquitto_pub")
	gw := gatehouseproc.Start(t)
	for _, version := range []string{"mqttv311", "mqttv5"} {
		for _, tlsVersion := range []string{"tlsv1.2", "tlsv1.3"} {
			t.Run(version+" "+tlsVersion, func(t *testing.T) {
				name := "m-" + version + "-" + strings.ReplaceAll(tlsVersion, ".", "")
				in, out := gw.AddDevice(t, name+"-in", "--topic", "e2e/*"), gw.AddDevice(t, name+"-out", "--topic", "e2e/*")
				topic := "e2e/" + name
				sub := exec.Command("mosquitto_sub", mosquittoArgs(gw, in, "-V", version, "--tls-version", tlsVersion, "-q", "1", "-t", "e2e/+", "-t", topic+"/#", "-F", "%t %q %p", "-C", "3", "-W", "15")...)
				received, err := sub.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := sub.Start(); err != nil {
					t.Fatal(err)
				}
				waitSubscribed(t, gw, in.ThingName)
				for _, m := range [][]string{{topic, "0"}, {topic, "1"}, {topic + "/deep/er", "1"}} {
					args := mosquittoArgs(gw, out, "-V", version, "--tls-version", tlsVersion, "-t", m[0], "-q", m[1], "-m", "payload")
					time.Sleep(1100 * time.Millisecond) // AWS allows a client ID one CONNECT a second
					if text, err := exec.Command("mosquitto_pub", args...).CombinedOutput(); err != nil {
						t.Fatalf("mosquitto_pub: %v\n%s", err, text)
					}
				}
				var got []string
				for lines := bufio.NewScanner(received); lines.Scan(); {
					got = append(got, lines.Text())
				}
				if err := sub.Wait(); err != nil {
					t.Errorf("mosquitto_sub: %v", err)
				}
				want := []string{topic + " 0 payload", topic + " 1 payload", topic + "/deep/er 1 payload"}
				if !slices.Equal(got, want) {
					t.Errorf("received %q, want %q", got, want)
				}
			})
		}
	}
}

func TestPahoGo311(t *testing.T) {
	gw := gatehouseproc.Start(t)
	d := gw.AddDevice(t, "paho-3")
	opts := paho3.NewClientOptions().AddBroker(fmt.Sprintf("ssl://localhost:%d", gw.Ports.MQTT)).
		SetClientID("paho-3").SetTLSConfig(tlsConfig(t, d)).SetAutoReconnect(false).SetConnectTimeout(10 * time.Second)
	c := paho3.NewClient(opts)
	done := func(what string, token paho3.Token) {
		t.Helper()
		if !token.WaitTimeout(10*time.Second) || token.Error() != nil {
			t.Fatalf("%s: %v", what, token.Error())
		}
	}
	done("connect", c.Connect())
	defer c.Disconnect(100)
	got := make(chan string, 10)
	done("subscribe", c.Subscribe("sensors/paho-3/#", 1, func(_ paho3.Client, m paho3.Message) {
		got <- fmt.Sprintf("%s %d %s", m.Topic(), m.Qos(), m.Payload())
	}))
	for qos := range byte(2) {
		done("publish", c.Publish("sensors/paho-3/t", qos, false, "hello"))
		if m := receive(t, got); m != fmt.Sprintf("sensors/paho-3/t %d hello", qos) {
			t.Errorf("QoS %d: received %q", qos, m)
		}
	}
	done("unsubscribe", c.Unsubscribe("sensors/paho-3/#"))
}

func TestPahoGo5(t *testing.T) {
	gw := gatehouseproc.Start(t)
	d := gw.AddDevice(t, "paho-5")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got := make(chan *paho.Publish, 10)
	c := paho.NewClient(paho.ClientConfig{Conn: dialPaho5(t, gw, tlsConfig(t, d)), OnPublishReceived: []func(paho.PublishReceived) (bool, error){
		func(p paho.PublishReceived) (bool, error) { got <- p.Packet; return true, nil },
	}})
	ack, err := c.Connect(ctx, &paho.Connect{ClientID: "paho-5", KeepAlive: 60, CleanStart: true})
	if err != nil {
		t.Fatalf("connect: %v (%+v)", err, ack)
	}
	if p := ack.Properties; *p.MaximumQoS != 1 || p.SubIDAvailable || *p.TopicAliasMaximum != 8 || *p.ReceiveMaximum != 100 || *p.MaximumPacketSize != 149504 {
		t.Errorf("CONNACK properties differ from AWS's: %+v", p)
	}
	if _, err := c.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "sensors/paho-5/+", QoS: 1}}}); err != nil {
		t.Fatal(err)
	}
	for qos := range byte(2) {
		_, err := c.Publish(ctx, &paho.Publish{Topic: "sensors/paho-5/t", QoS: qos, Payload: []byte("hello"), Properties: &paho.PublishProperties{
			ContentType: "text/plain", ResponseTopic: "sensors/paho-5/r", CorrelationData: []byte{1, 2}, User: paho.UserProperties{{Key: "k", Value: "v"}, {Key: "k", Value: "w"}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		m := receive(t, got)
		if string(m.Payload) != "hello" || m.QoS != qos || m.Properties.ContentType != "text/plain" || m.Properties.ResponseTopic != "sensors/paho-5/r" || len(m.Properties.User) != 2 || m.Properties.User[1].Value != "w" {
			t.Errorf("QoS %d: received %+v", qos, m)
		}
	}
	// Denied: MQTT 5 says so, and the connection stays.
	resp, err := c.Publish(ctx, &paho.Publish{Topic: "elsewhere", QoS: 1, Payload: []byte("x")})
	if err == nil || resp == nil || resp.ReasonCode != 0x87 {
		t.Errorf("denied publish: %v %+v, want PUBACK 0x87", err, resp)
	}
	if _, err := c.Publish(ctx, &paho.Publish{Topic: "sensors/paho-5/t", QoS: 1, Payload: []byte("still here")}); err != nil {
		t.Errorf("after a denied publish: %v", err)
	}
	if err := c.Disconnect(&paho.Disconnect{}); err != nil {
		t.Error(err)
	}
}

func receive[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal("nothing received in 10 s")
		panic("unreachable")
	}
}

// The AWS IoT device SDK v2 for JavaScript offers ALPN x-amzn-mqtt-ca on every port.
func TestDeviceSDKForJavaScript(t *testing.T) {
	gatehouseproc.Need(t, "node")
	if _, err := os.Stat("js/node_modules/aws-iot-device-sdk-v2"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("the npm packages of test/e2e/js are missing: make test-deps installs them")
		}
		t.Skip("SKIPPED: the npm packages of test/e2e/js are missing; make test-deps installs them")
	}
	gw := gatehouseproc.Start(t)
	for _, version := range []int{3, 5} {
		for door, port := range map[string]int{"mqtt": gw.Ports.MQTT, "alpn": gw.Ports.ALPN} {
			t.Run(fmt.Sprintf("MQTT %d on the %s door", version, door), func(t *testing.T) {
				name := fmt.Sprintf("sdk-%d-%s", version, door)
				d := gw.AddDevice(t, name)
				want, err := json.Marshal(map[string]any{
					"version": version, "host": "localhost", "port": port, "ca": d.CAFile, "cert": d.CertificateFile,
					"key": d.PrivateKeyFile, "clientId": name, "topic": "sensors/" + name + "/t",
				})
				if err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command("node", "device.mjs", string(want))
				cmd.Dir = "js"
				out, err := cmd.CombinedOutput()
				if err != nil || !strings.Contains(string(out), `"received","payloads":["with qos 0","with qos 1"]`) {
					t.Errorf("device.mjs: %v\n%s", err, out)
				}
			})
		}
	}
}

func TestOpenSSL(t *testing.T) {
	gatehouseproc.Need(t, "openssl")
	gw := gatehouseproc.Start(t)
	d := gw.AddDevice(t, "openssl-1")
	sClient := func(port int, more ...string) string {
		cmd := exec.Command("openssl", append([]string{
			"s_client", "-connect", "localhost:" + strconv.Itoa(port), "-CAfile", d.CAFile, "-cert", d.CertificateFile, "-key", d.PrivateKeyFile,
		}, more...)...)
		cmd.Stdin = strings.NewReader("")
		out, _ := cmd.CombinedOutput() // the text says more than the exit code
		return string(out)
	}
	for name, tt := range map[string]struct {
		port int
		args []string
		want []string
	}{
		"TLS 1.3":                       {gw.Ports.MQTT, []string{"-tls1_3"}, []string{"Verify return code: 0 (ok)", "No client certificate CA names sent"}},
		"TLS 1.2":                       {gw.Ports.MQTT, []string{"-tls1_2"}, []string{"Verify return code: 0 (ok)", "No client certificate CA names sent"}},
		"an RSA-only client":            {gw.Ports.MQTT, []string{"-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"}, []string{"Verify return code: 0 (ok)", "ECDHE-RSA-AES128-GCM-SHA256"}},
		"ALPN of AWS is echoed":         {gw.Ports.ALPN, []string{"-alpn", "x-amzn-mqtt-ca"}, []string{"ALPN protocol: x-amzn-mqtt-ca"}},
		"unknown ALPN is no fault":      {gw.Ports.MQTT, []string{"-alpn", "h2"}, []string{"Verify return code: 0 (ok)", "No ALPN negotiated"}},
		"unknown server name":           {gw.Ports.MQTT, []string{"-servername", "other.example.com"}, []string{"SSL alert number 112"}},
		"TLS 1.1":                       {gw.Ports.MQTT, []string{"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"}, []string{"SSL alert number 70"}},
		"no certificate asked for here": {gw.Ports.ALPN, nil, []string{"Verify return code: 0 (ok)"}},
	} {
		t.Run(name, func(t *testing.T) {
			out := sClient(tt.port, tt.args...)
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("openssl s_client %v does not say %q:\n%s", tt.args, want, out)
				}
			}
		})
	}
}
