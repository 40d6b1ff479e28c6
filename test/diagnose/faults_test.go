package diagnose

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/diagnose/symptom"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// A told is what a real client makes of a fault.
type told struct {
	fault   string
	command string   // {PORT} and {CA} are filled in
	exit    []int    // one of these; nil: not looked at
	says    string   // part of what it prints
	causes  []string // one of which `gatehouse explain` names among its first three for that text
}

const (
	sClient = "openssl s_client -connect localhost:{PORT} -servername localhost -CAfile {CA} -verify_return_error -verify_hostname localhost"
	pub     = "mosquitto_pub -h localhost -p {PORT} --cafile {CA} -i x -t t -m m -q 1"
	curlGet = "curl -sS --max-time 20 --cacert {CA} https://localhost:{PORT}/"
)

var tolds = []told{
	{"none", sClient, []int{0}, "Verify return code: 0 (ok)", nil},
	{"cert-unknown-ca", sClient, []int{1}, "unable to get local issuer certificate", []string{"tls.server_cert.untrusted_by_client"}},
	{"cert-self-signed", sClient, []int{1}, "self-signed certificate", []string{"tls.server_cert.untrusted_by_client"}},
	{"cert-expired", sClient, []int{1}, "certificate has expired", []string{"tls.server_cert.expired_for_client"}},
	{"cert-not-yet-valid", sClient, []int{1}, "certificate is not yet valid", []string{"device.clock.behind"}},
	{"cert-wrong-name", sClient, []int{1}, "hostname mismatch", []string{"tls.server_cert.name_mismatch"}},
	{"version", sClient, []int{1}, "alert protocol version", []string{"tls.version.below_policy"}},
	{"cipher", sClient, []int{1}, "alert handshake failure", []string{"tls.cipher.none_shared"}},
	{"sni", sClient, []int{1}, "unrecognized name", []string{"tls.sni.unknown"}},
	{"alpn", sClient + " -alpn x", []int{1}, "alert no application protocol", []string{"tls.alpn.no_overlap"}},
	{"alert-46-tls12", sClient, []int{1}, "alert certificate unknown", []string{"cert.not_registered"}},
	{"alert-44-tls12", sClient, []int{1}, "alert certificate revoked", []string{"cert.revoked"}},
	{"plaintext-http", sClient, []int{1}, "wrong version number", []string{"tls.server_not_tls"}},
	{"accept-close", sClient, []int{1}, "no peer certificate available", []string{"net.reset_after_clienthello", "tls.server_not_tls"}},

	{"none", pub, []int{0}, "", nil},
	{"connack-5", pub, []int{5}, "Connection Refused: not authorised", []string{"authz.connect.client_id", "policy.none_attached"}},
	{"connack-2", pub, []int{2}, "Connection Refused: identifier rejected", []string{"mqtt.client_id.empty", "authz.connect.client_id", "limit.client_id_length"}},
	{"connect-close", pub, []int{7}, "The connection was lost", []string{"authz.connect.no_statement", "policy.none_attached"}},
	{"cert-unknown-ca", pub, nil, "A TLS error occurred", []string{"tls.server_cert.untrusted_by_client"}},
	{"publish-refuse", pub + " -V mqttv5", nil, "Publish 1 failed: Not authorized", []string{"authz.publish"}},
	{"subscribe-refuse", "mosquitto_sub -h localhost -p {PORT} --cafile {CA} -i x -t t", nil, "All subscription requests were denied", []string{"authz.subscribe"}},

	{"cert-unknown-ca", curlGet, []int{60}, "unable to get local issuer certificate", []string{"tls.server_cert.untrusted_by_client"}},
	{"cert-expired", curlGet, []int{60}, "certificate has expired", []string{"tls.server_cert.expired_for_client"}},
	{"cert-wrong-name", curlGet, []int{60}, "SSL: no alternative certificate subject name", []string{"tls.server_cert.name_mismatch"}},
	{"version", curlGet, []int{35}, "alert protocol version", []string{"tls.version.below_policy"}},
	{"plaintext-http", curlGet, []int{35}, "wrong version number", []string{"tls.server_not_tls"}},
	{"hello-reset", curlGet, []int{35}, "reset by peer", []string{"net.reset_after_clienthello"}},
}

// TestFaults shows faults with `gatehouse faults run` and asks them with real
// clients: they see what the fault is described as, and `explain` knows their words.
func TestFaults(t *testing.T) {
	for _, client := range []string{"openssl", "mosquitto_pub", "mosquitto_sub", "curl"} {
		gatehouseproc.Need(t, client)
	}
	shown := showFaults(t)
	for _, r := range tolds {
		client, _, _ := strings.Cut(r.command, " ")
		t.Run(r.fault+"/"+client, func(t *testing.T) {
			f := shown[r.fault]
			args := strings.Fields(strings.NewReplacer("{PORT}", f.port, "{CA}", f.CAFile).Replace(r.command))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, args[0], args[1:]...)
			cmd.Env = append(os.Environ(), "LC_ALL=C")
			out, err := cmd.CombinedOutput()
			if code := gatehouseproc.ExitCode(err); r.exit != nil && !slices.Contains(r.exit, code) || !strings.Contains(string(out), r.says) {
				t.Errorf("exit %d, want %v and %q\n%s", code, r.exit, r.says, out)
			}
			if r.causes == nil {
				return
			}
			d := symptom.Explain(string(out))
			if !slices.ContainsFunc(d.Candidates[:min(3, len(d.Candidates))], func(c symptom.Candidate) bool { return slices.Contains(r.causes, c.Code) }) {
				t.Errorf("explained as %s: %+v, want one of %v\n%s", d.Summary, d.Candidates, r.causes, out)
			}
		})
	}
}

// shownFault is a line of `gatehouse faults run -o json`.
type shownFault struct {
	Name, Address, CAFile string
	port                  string
}

// showFaults runs the command with all faults of the table until the test ends.
func showFaults(t *testing.T) map[string]shownFault {
	t.Helper()
	bin, err := gatehouseproc.Build()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range tolds {
		if !slices.Contains(names, r.fault) {
			names = append(names, r.fault)
		}
	}
	cmd := exec.Command(bin, append([]string{"-o", "json", "faults", "run", "--ca-dir", t.TempDir()}, names...)...)
	cmd.Dir = filepath.Dir(bin)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("faults run ended with %v after Ctrl-C", err)
		}
	})
	shown := map[string]shownFault{}
	for lines := bufio.NewScanner(out); len(shown) < len(names) && lines.Scan(); {
		var f shownFault
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		f.port = f.Address[strings.LastIndexByte(f.Address, ':')+1:]
		shown[f.Name] = f
	}
	if len(shown) < len(names) {
		t.Fatalf("%d of %d faults are shown", len(shown), len(names))
	}
	return shown
}
