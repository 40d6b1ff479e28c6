package diagnose

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/diagnose"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// A census is a server that takes everybody and counts what reaches it.
type census struct {
	port int
	ca   []byte

	mu          sync.Mutex
	connections int
	packets     map[string]int // by type
}

func newCensus(t *testing.T) *census {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "census"}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, ClientAuth: tls.RequestClientCert}) //nolint:gosec // TLS 1.2 and later, by default
	if err != nil {
		t.Fatal(err)
	}
	c := &census{port: ln.Addr().(*net.TCPAddr).Port, ca: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), packets: map[string]int{}}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			c.connections++
			c.mu.Unlock()
			all.Go(func() { c.serve(nc) })
		}
	})
	t.Cleanup(func() { ln.Close(); all.Wait() })
	return c
}

func (c *census) serve(nc net.Conn) {
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	r := mqtt.NewReader(nc, 0, 1<<20)
	version := mqtt.V311
	for {
		p, err := r.ReadPacket()
		if err != nil {
			return
		}
		c.mu.Lock()
		c.packets[p.Type().String()]++
		c.mu.Unlock()
		switch p := p.(type) {
		case *mqtt.Connect:
			version = p.Version
			err = mqtt.WritePacket(nc, version, &mqtt.Connack{})
		case *mqtt.Subscribe:
			err = mqtt.WritePacket(nc, version, &mqtt.Suback{PacketID: p.PacketID, Codes: []mqtt.ReasonCode{1}})
		case *mqtt.Publish:
			if err = mqtt.WritePacket(nc, version, &mqtt.Puback{PacketID: p.PacketID}); err == nil {
				err = mqtt.WritePacket(nc, version, &mqtt.Publish{Topic: p.Topic, Payload: p.Payload})
			}
		}
		if err != nil {
			return
		}
	}
}

// TestGoodCitizen counts what a run sends: no connection that the report does not
// list, nothing published, subscribed or asked for that was not told to.
func TestGoodCitizen(t *testing.T) {
	gw := gatehouseproc.Start(t)
	for name, tt := range map[string]struct {
		flags   []string
		packets map[string]int
	}{
		"as the device":     {nil, map[string]int{"CONNECT": 2, "DISCONNECT": 2}},
		"one version":       {[]string{"--mqtt-version", "3"}, map[string]int{"CONNECT": 1, "DISCONNECT": 1}},
		"variants":          {[]string{"--variants"}, map[string]int{"CONNECT": 2, "DISCONNECT": 2}},
		"subscribes":        {[]string{"--subscribe", "a/#"}, map[string]int{"CONNECT": 2, "DISCONNECT": 2, "SUBSCRIBE": 1}},
		"told to do it all": {[]string{"--subscribe", "a/#", "--publish", "a/b"}, map[string]int{"CONNECT": 2, "DISCONNECT": 2, "SUBSCRIBE": 1, "PUBLISH": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCensus(t)
			d := newDevice(t, gw, "citizen-"+itoa(c.port))
			d.drop("--mqtt-version")
			d.set("--port", itoa(c.port))
			d.set("--ca", d.file("root.pem", c.ca))
			report, exit := d.diagnose(append(tt.flags, "--no-inspect")...)
			if exit != 0 {
				t.Errorf("exit %d: %s", exit, report.Summary)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.connections != len(report.Device.Connections) {
				t.Errorf("%d connections reached the server, the report lists %d", c.connections, len(report.Device.Connections))
			}
			if diff := cmp.Diff(tt.packets, c.packets); diff != "" {
				t.Errorf("packets (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLiveDevice is the hazard: under the client ID of a live connection nothing
// is sent, unless --force says so.
func TestLiveDevice(t *testing.T) {
	gw := gatehouseproc.Start(t)
	d := newDevice(t, gw, "alive")
	nc, err := (&tls.Dialer{Config: d.TLSConfig(t, gw.Endpoint)}).DialContext(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", itoa(gw.Ports.MQTT)))
	d.must(err)
	defer nc.Close()
	d.must(mqtt.WritePacket(nc, mqtt.V311, &mqtt.Connect{CleanStart: true, KeepAlive: 60, ClientID: []byte("alive")}))
	r := mqtt.NewReader(nc, mqtt.V311, 1<<20)
	lives := func() bool {
		if err := mqtt.WritePacket(nc, mqtt.V311, &mqtt.Pingreq{}); err != nil {
			return false
		}
		_, err := r.ReadPacket()
		return err == nil
	}
	if _, err := r.ReadPacket(); err != nil || !lives() {
		t.Fatalf("the device is not alive: %v", err)
	}
	report, exit := d.diagnose()
	if exit != 2 || report.Verdict != diagnose.Interrupted || !lives() {
		t.Errorf("exit %d, %s: %s; lives: %v", exit, report.Verdict, report.Summary, lives())
	}
	if !slices.ContainsFunc(report.Doubts, func(c diagnose.Cause) bool { return c.Code == "session.client_id_hazard" }) {
		t.Errorf("the hazard is not said: %+v", report.Doubts)
	}
	time.Sleep(connectEvery)
	if report, exit = d.diagnose("--force"); exit != 0 || lives() {
		t.Errorf("--force: exit %d, %s; the live device is still there: %v", exit, report.Summary, lives())
	}
}
