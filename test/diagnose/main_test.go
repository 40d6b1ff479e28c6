// Package diagnose runs the real `gatehouse diagnose` against a real Gatehouse:
// rows of the collection of real problems, each with nothing but what its user
// has. It also writes docs/problems.md, the table of all rows.
package diagnose

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/gatehouse-iot/gatehouse/internal/diagnose"
	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// A device is one device in front of one Gatehouse.
type device struct {
	t  *testing.T
	gw *gatehouseproc.Process
	gatehouseproc.Device
	flags []string          // of diagnose, changed by the case
	vars  map[string]string // $name in what a case wants
}

// newDevice makes a thing with an active certificate and the policy of `device add`.
func newDevice(t *testing.T, gw *gatehouseproc.Process, name string) *device {
	t.Helper()
	d := &device{t: t, gw: gw, Device: gw.AddDevice(t, name)}
	d.flags = []string{
		"--endpoint", gw.Endpoint, "--port", itoa(gw.Ports.MQTT), "--cert", d.CertificateFile, "--key", d.PrivateKeyFile, "--ca", d.CAFile,
		"--client-id", name, "--mqtt-version", "3",
	}
	d.vars = map[string]string{
		"client": name, "cert": d.CertificateID, "certarn": d.CertificateARN, "account": gw.AccountID, "region": gw.Region, "endpoint": gw.Endpoint,
		"certfile": d.CertificateFile, "keyfile": d.PrivateKeyFile, "cafile": d.CAFile,
	}
	return d
}

// set changes the value of a flag, or adds the flag. A switch has the value "".
func (d *device) set(flag, value string) {
	if slices.Contains([]string{"--websocket", "--no-sni", "--no-inspect"}, flag) {
		d.flags = append(d.flags, flag)
		return
	}
	if i := slices.Index(d.flags, flag); i >= 0 {
		d.flags[i+1] = value
		return
	}
	d.flags = append(d.flags, flag, value)
}

// drop takes a flag away, with its value.
func (d *device) drop(flag string) {
	if i := slices.Index(d.flags, flag); i >= 0 {
		d.flags = slices.Delete(d.flags, i, i+2)
	}
}

// fill replaces $name by what is known of the device.
func (d *device) fill(text string) string {
	return os.Expand(text, func(name string) string { return d.vars[name] })
}

func (d *device) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// policy gives the device this policy in the place of the one it was made with.
// The resource is written without the begin of its ARN.
func (d *device) policy(statements ...string) {
	d.t.Helper()
	d.detach()
	type statement struct{ Effect, Action, Resource string }
	doc := struct {
		Version   string
		Statement []statement
	}{Version: "2012-10-17"}
	for _, s := range statements {
		action, resource, _ := strings.Cut(d.fillOnce(s), " ")
		if resource != "*" && !strings.HasPrefix(resource, "arn:") {
			resource = "arn:aws:iot:" + d.gw.Region + ":" + d.gw.AccountID + ":" + resource
		}
		doc.Statement = append(doc.Statement, statement{"Allow", action, resource})
	}
	raw, err := json.Marshal(doc)
	d.must(err)
	name, text := d.ThingName+"-own", string(raw)
	d.vars["policy"] = name
	api := d.gw.IoT()
	_, err = api.CreatePolicy(d.t.Context(), &iot.CreatePolicyInput{PolicyName: &name, PolicyDocument: &text})
	d.must(err)
	_, err = api.AttachPolicy(d.t.Context(), &iot.AttachPolicyInput{PolicyName: &name, Target: &d.CertificateARN})
	d.must(err)
}

// fillOnce puts the client ID in the place of CLIENT; policy variables stay.
func (d *device) fillOnce(s string) string { return strings.ReplaceAll(s, "CLIENT", d.ThingName) }

func (d *device) detach() {
	d.t.Helper()
	_, err := d.gw.IoT().DetachPolicy(d.t.Context(), &iot.DetachPolicyInput{PolicyName: &d.PolicyName, Target: &d.CertificateARN})
	d.must(err)
}

// file writes a file of the device.
func (d *device) file(name string, content []byte) string {
	d.t.Helper()
	path := filepath.Join(d.t.TempDir(), name)
	d.must(os.WriteFile(path, content, 0o600))
	return path
}

// diagnose runs the command and reads its report.
func (d *device) diagnose(more ...string) (report diagnose.Report, exit int) {
	d.t.Helper()
	out, stderr, err := d.gw.Run(d.t.Context(), d.t.TempDir(), "gatehouse", slices.Concat([]string{"-o", "json", "diagnose"}, d.flags, more)...)
	exit = gatehouseproc.ExitCode(err)
	if err := json.NewDecoder(bytes.NewReader([]byte(out))).Decode(&report); err != nil {
		d.t.Fatalf("exit %d: %v\n%s%s", exit, err, out, stderr)
	}
	return report, exit
}
