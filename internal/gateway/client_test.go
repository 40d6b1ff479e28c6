package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// tool returns the path of a program, or skips loudly.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("SKIPPED: %s is not installed, so what real devices see is not tested", name)
	}
	return path
}

// files writes a device's certificate and key, and the root CA, as PEM.
func (d device) files(t *testing.T) (cert, key, ca string) {
	t.Helper()
	dir := t.TempDir()
	cert, key, ca = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), world.authority.RootFile()
	der, err := x509.MarshalPKCS8PrivateKey(d.cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{cert: d.pem, key: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, ca
}

// run runs a client and returns all that it printed, and its exit code.
func runClient(t *testing.T, stdin string, name string, args ...string) (output string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if ee, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(out), ee.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return string(out), 0
}

// TestOpenSSL shows what OpenSSL devices read: the alert arrives, by number.
func TestOpenSSL(t *testing.T) {
	openssl := tool(t, "openssl")
	stranger, _, _ := selfSigned(t, newKey(t), func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }).files(t)
	for name, tt := range map[string]struct {
		device func(*testing.T) device
		args   []string
		setup  func(*Config)
		want12 string
		want13 string
		code   *check.Check
		skip13 bool
	}{
		"inactive":   {device: func(t *testing.T) device { return issued(t, registry.StatusInactive) }, want12: "alert number 46", want13: "alert number 42", code: check.CertInactive},
		"no cert":    {device: nil, want12: "alert number 40", want13: "alert number 116", code: check.CertNoneSent},
		"unknown ca": {device: func(t *testing.T) device { return issued(t, registry.StatusActive) }, args: []string{"-CAfile", stranger, "-verify_return_error"}, want12: "unable to get local issuer certificate", want13: "unable to get local issuer certificate", code: check.TLSServerCertUntrusted},
		"clock far ahead": {
			device: func(t *testing.T) device { return issued(t, registry.StatusActive) }, args: []string{"-CAfile", world.authority.RootFile(), "-verify_return_error", "-attime", "4102444800"},
			want12: "certificate has expired", want13: "certificate has expired", code: check.DeviceClockBehind,
		},
		"wrong name": {device: func(t *testing.T) device { return issued(t, registry.StatusActive) }, args: []string{"-servername", "nobody.example"}, want12: "alert number 112", want13: "alert number 112", code: check.TLSSNIUnknown},
		"old version": {device: func(t *testing.T) device { return issued(t, registry.StatusActive) }, setup: func(c *Config) {
			c.Endpoints, _ = NewEndpoints(Endpoint{Name: "iot:Data-ATS", Host: endpointHost, SecurityPolicy: "IoTSecurityPolicy_TLS13_1_3_2022_10"})
		}, want12: "alert number 70", skip13: true, code: check.TLSVersionBelowPolicy},
		"RSA key exchange only": {device: func(t *testing.T) device { return issued(t, registry.StatusActive) }, args: []string{"-cipher", "AES128-SHA256"}, want12: "Cipher is AES128-SHA256", skip13: true},
		"RSA server cert":       {device: func(t *testing.T) device { return issued(t, registry.StatusActive) }, args: []string{"-cipher", "ECDHE-RSA-AES128-GCM-SHA256"}, want12: "Cipher is ECDHE-RSA-AES128-GCM-SHA256", skip13: true},
		"connects":              {device: func(t *testing.T) device { return issued(t, registry.StatusActive) }, want12: "No client certificate CA names sent", want13: "No client certificate CA names sent"},
	} {
		for _, version := range []string{"-tls1_2", "-tls1_3"} {
			if version == "-tls1_3" && tt.skip13 {
				continue
			}
			t.Run(name+version, func(t *testing.T) {
				r := newRig(t, tt.setup)
				args := []string{"s_client", version, "-connect", r.addr[DoorMQTT]}
				if !strings.Contains(strings.Join(tt.args, " "), "-servername") {
					args = append(args, "-servername", endpointHost)
				}
				if tt.device != nil {
					cert, key, _ := tt.device(t).files(t)
					args = append(args, "-cert", cert, "-key", key)
				}
				if tt.code != nil {
					args = append(args, "-ign_eof") // stay, until the alert is there
				}
				out, _ := runClient(t, "", openssl, append(args, tt.args...)...)
				want := tt.want13
				if version == "-tls1_2" {
					want = tt.want12
				}
				if !strings.Contains(strings.ToLower(out), strings.ToLower(want)) {
					t.Errorf("openssl printed no %q:\n%s", want, out)
				}
				rec := r.record()
				if tt.code != nil && rec.Code != tt.code.Code {
					t.Errorf("record failed by %q, want %q: %v", rec.Code, tt.code.Code, rec.Steps)
				}
			})
		}
	}
}

// TestMosquitto shows exit codes and words of the mosquitto clients: connect sheet 8.1.
func TestMosquitto(t *testing.T) {
	pub := tool(t, "mosquitto_pub")
	for name, tt := range map[string]struct {
		status registry.CertificateStatus
		args   []string
		exit   []int
		prints string
		code   string
	}{
		"connects": {registry.StatusActive, nil, []int{0}, "", ""},
		// The two tables disagree about TLS 1.2: 8 (connect sheet 8.1) and 7
		// (PROBLEMS 1.1), which 2.0.11 shows here.
		"inactive, TLS 1.2": {registry.StatusInactive, []string{"--tls-version", "tlsv1.2"}, []int{7, 8}, "Error: ", "cert.inactive"},
		"inactive, TLS 1.3": {registry.StatusInactive, []string{"--tls-version", "tlsv1.3"}, []int{7}, "The connection was lost", "cert.inactive"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			cert, key, ca := issued(t, tt.status).files(t)
			_, port, err := net.SplitHostPort(r.addr[DoorMQTT])
			if err != nil {
				t.Fatal(err)
			}
			// By name, so that SNI is sent: localhost is an endpoint of the rig.
			args := append([]string{"-h", "localhost", "-p", port, "--cafile", ca, "--cert", cert, "--key", key, "-i", "dev", "-t", "a", "-m", "b"}, tt.args...)
			out, exit := runClient(t, "", pub, args...)
			if !slices.Contains(tt.exit, exit) || !strings.Contains(out, tt.prints) {
				t.Errorf("mosquitto_pub: exit %d, want %v with %q:\n%s", exit, tt.exit, tt.prints, out)
			}
			if rec := r.record(); rec.Code != tt.code {
				t.Errorf("record failed by %q, want %q", rec.Code, tt.code)
			}
		})
	}
}

// TestClientRefusesUs is row 6 of connect sheet 5.1 with Go's client, whose
// alert is encrypted in TLS 1.3.
func TestClientRefusesUs(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			r := newRig(t, nil)
			cfg := clientConfig(version, endpointHost, issued(t, registry.StatusActive).cert)
			cfg.RootCAs = x509.NewCertPool()
			if got := r.talk(DoorMQTT, cfg, nil); got.handshake == nil {
				t.Error("the client trusts an unknown root")
			}
			rec := r.record()
			if rec.Code != check.TLSServerCertRefused.Code && rec.Code != check.TLSServerCertUntrusted.Code {
				t.Errorf("record failed by %q: %v", rec.Code, rec.Steps)
			}
			if got := evidenceOf(rec, check.TLSServerCertRefused)["alert"]; rec.Code == check.TLSServerCertRefused.Code && got != "42 bad_certificate" {
				t.Errorf("alert %q, want 42 bad_certificate", got)
			}
		})
	}
	t.Run("silently", func(t *testing.T) {
		r := newRig(t, nil)
		nc, err := net.Dial("tcp", r.addr[DoorMQTT])
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(10 * time.Second))
		cfg := clientConfig(tls.VersionTLS12, endpointHost)
		cfg.VerifyConnection = func(tls.ConnectionState) error { nc.Close(); return errors.New("no") }
		if err := tls.Client(nc, cfg).Handshake(); err == nil {
			t.Error("handshake succeeded")
		}
		rec := r.record()
		if rec.Code != check.TLSServerCertRefused.Code || evidenceOf(rec, check.TLSServerCertRefused)["alert"] != "none" {
			t.Errorf("record failed by %q: %v", rec.Code, rec.Steps)
		}
	})
}

// TestAfterConnect is the other way to refuse a certificate: connect sheet 5.
func TestAfterConnect(t *testing.T) {
	for name, tt := range map[string]struct {
		endpoint Endpoint
		status   registry.CertificateStatus
		want     *check.Check
		also     []string
	}{
		"inactive": {Endpoint{CertificateRejection: RejectAfterConnect}, registry.StatusInactive, check.CertInactive, []string{"policy.none_attached"}},
		"disabled": {Endpoint{Disabled: true}, registry.StatusActive, check.DomainDisabled, nil},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(name+"/"+tls.VersionName(version), func(t *testing.T) {
				e := tt.endpoint
				e.Name, e.Host = "iot:Data-ATS", endpointHost
				r := newRig(t, func(c *Config) { c.Endpoints, _ = NewEndpoints(e) })
				got := r.talk(DoorMQTT, clientConfig(version, endpointHost, issued(t, tt.status).cert), connect)
				if got.handshake != nil || got.alert != none || len(got.answer) > 0 || !got.clean {
					t.Errorf("the client saw %+v, want a handshake and then close_notify", got)
				}
				rec := r.record()
				if rec.Code != tt.want.Code || rec.ClientID != "dev" {
					t.Errorf("record failed by %q for client %q", rec.Code, rec.ClientID)
				}
				if diff := cmp.Diff(tt.also, codesOf(rec, attempt.Also)); diff != "" {
					t.Errorf("also (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestMachineryBreaks: a registry that can't be read refuses, and says so.
func TestMachineryBreaks(t *testing.T) {
	r := newRig(t, nil)
	d := issued(t, registry.StatusActive)
	setErr := func(err error) {
		world.registry.mu.Lock()
		defer world.registry.mu.Unlock()
		world.registry.err = err
	}
	setErr(errors.New("disk I/O error"))
	defer setErr(nil)
	if got := r.talk(DoorMQTT, clientConfig(tls.VersionTLS12, endpointHost, d.cert), nil); got.alert != alertInternalError {
		t.Errorf("the client saw alert %d, want 80", got.alert)
	}
	rec := r.record()
	if rec.Code != check.TLSHandshakeFailed.Code || !strings.Contains(evidenceOf(rec, check.TLSHandshakeFailed)["error"], "disk I/O error") {
		t.Errorf("record: %s %v", rec.Code, rec.Steps)
	}
}
