package probe

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// TestDiscover reads folders as people have them: names say nothing, content does.
func TestDiscover(t *testing.T) {
	const sdkconfig = `
# CONFIG_AWS_IOT_MQTT_HOST="old.example.com"
CONFIG_IDF_TARGET="esp32"
CONFIG_AWS_IOT_MQTT_HOST="gw.test"
CONFIG_AWS_IOT_MQTT_PORT=18883
CONFIG_AWS_EXAMPLE_CLIENT_ID="sensor-7"
CONFIG_ESP_WIFI_SSID="home"
`
	for name, tt := range map[string]struct {
		cert, key, ca string
		settings      map[string]string // file -> content
		want          settings
	}{
		"AWS's names": {"3f2a-certificate.pem.crt", "3f2a-private.pem.key", "AmazonRootCA1.pem", map[string]string{"start.sh": "# run\nnode index.js --endpoint gw.test --thing-name sensor-7 --port 18883\n"}, settings{"gw.test", "18883", "", "sensor-7"}},
		"misleading":  {"private.txt", "root-ca.bin", "client.key", nil, settings{}},
		"ESP-IDF":     {"main/certs/client.crt", "main/certs/client.key", "main/certs/aws-root-ca.pem", map[string]string{"sdkconfig": sdkconfig, "build/sdkconfig": `CONFIG_AWS_IOT_MQTT_HOST="wrong.test"`}, settings{"gw.test", "18883", "sensor-7", ""}},
		"C header": {
			"a/cert.pem", "a/key.pem", "a/ca.pem",
			map[string]string{"main/demo_config.h": "#define AWS_IOT_ENDPOINT \"gw.test\"\n#define AWS_MQTT_PORT ( 8883 )\n#define CLIENT_IDENTIFIER \"sensor-7\"\n"},
			settings{"gw.test", "", "sensor-7", ""},
		},
		"JSON":       {"c", "k", "r", map[string]string{"config.json": `{"endpoint": "gw.test", "port": 18883, "thing-name": "sensor-7", "cert": "c"}`}, settings{"gw.test", "18883", "", "sensor-7"}},
		"broker URI": {"c", "k", "r", map[string]string{"sdkconfig": `CONFIG_BROKER_URI="mqtts://gw.test:8883"`}, settings{"gw.test", "", "", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t)
			folder := t.TempDir()
			put := func(name string, content []byte) string {
				path := filepath.Join(folder, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			caKey := newKey(t)
			ca := issue(t, &x509.Certificate{Subject: pkix.Name{CommonName: "Root"}, IsCA: true, BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}, &caKey.PublicKey, nil, caKey)
			want := Files{put(tt.cert, pemOf("CERTIFICATE", d.cert.Raw)), put(tt.key, pemOf("PRIVATE KEY", pkcs8(t, d.key))), put(tt.ca, pemOf("CERTIFICATE", ca.Raw))}
			put("another-key.pem", pemOf("PRIVATE KEY", pkcs8(t, newKey(t))))
			for file, content := range tt.settings {
				put(file, []byte(content))
			}
			p := newRun(Options{From: folder})
			if !p.discover() {
				t.Fatal(text(p.report))
			}
			if got := (Files{p.CertFile, p.KeyFile, p.CAFile}); got != want {
				t.Errorf("files %+v\nwant %+v", got, want)
			}
			port := ""
			if p.Port != 0 {
				port = tt.want.port
				if portText := strconv.Itoa(p.Port); portText != port {
					t.Errorf("port %s, want %s", portText, port)
				}
			}
			if got := (settings{p.Endpoint, port, p.ClientID, p.Thing}); got != tt.want {
				t.Errorf("settings %+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestDiscoverNothing are folders without a device.
func TestDiscoverNothing(t *testing.T) {
	empty := t.TempDir()
	for _, from := range []string{empty, filepath.Join(empty, "missing")} {
		r := probe(t, Options{From: from})
		if first := r.First(); first == nil || first.Check != check.FileMissing || first.Evidence.Get("path") != from {
			t.Errorf("%s: %+v", from, first)
		}
	}
}

// FuzzParse: whatever a file holds, it is told what it is, or that it is nothing.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "-----BEGIN CERTIFICATE-----\n", "\xff\xfe-\x00-\x00", "\xef\xbb\xbf-----BEGIN PRIVATE KEY-----", "{}", "-----BEGIN EC PRIVATE KEY-----\\nAA==\\n-----END EC PRIVATE KEY-----"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := parse(raw)
		if got.kind == kindCertificates && len(got.certs) == 0 {
			t.Error("certificates without a certificate")
		}
		if got.kind == kindNothing && got.problem == nil {
			t.Error("nothing, and no reason")
		}
		if got.kind == kindKey && got.key == nil && got.odd == "" && got.problem == nil {
			t.Error("a key that is none, and no reason")
		}
		var s settings
		s.read(string(raw))
		notHostname(string(raw))
	})
}
