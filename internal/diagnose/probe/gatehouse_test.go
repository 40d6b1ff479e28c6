package probe

import (
	"context"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/gatehouse-iot/gatehouse/gatehousetest"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// ofGatehouse makes the files of a device of gw, for the MQTT port.
func ofGatehouse(t *testing.T, gw *gatehousetest.Gatehouse, dev *gatehousetest.Device) *device {
	t.Helper()
	d := &device{dir: t.TempDir()}
	d.opts = Options{
		Endpoint: gw.Endpoint, Port: portOf(gw.MQTTAddr), CAFile: gw.CAFile, ClientID: dev.Name,
		CertFile: d.write(t, "certificate.pem.crt", []byte(dev.CertificatePEM)), KeyFile: d.write(t, "private.pem.key", []byte(dev.PrivateKeyPEM)),
		Env: func(string) string { return "" }, Live: func(context.Context, string) (bool, bool, string) { return false, true, "" },
	}
	return d
}

func portOf(addr string) int { return int(netip.MustParseAddrPort(addr).Port()) }

// TestCleanGatehouse is a device in order: everything passes, in both versions,
// in less than two seconds.
func TestCleanGatehouse(t *testing.T) {
	gw := gatehousetest.Start(t)
	d := ofGatehouse(t, gw, gw.AddDevice(t, "sensor-1"))
	d.opts.Subscribe, d.opts.Publish = "sensors/#", "sensors/sensor-1"
	var stages []string
	p := newRun(d.opts)
	p.lookup = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}, nil
	}
	r := p.walk(t.Context(), func(s string) { stages = append(stages, s) })
	for _, x := range r.Results {
		if x.Outcome != Pass {
			t.Errorf("%s %s %v", x.Check, x.Outcome, x.Evidence)
		}
	}
	if got, want := strings.Join(stages, " "), strings.Join(Stages(), " "); got != want {
		t.Errorf("progress %s, want %s", got, want)
	}
	if find(r, Pass, check.MessageNotReceived) == nil {
		t.Error("its own message did not come back")
	}
	connected := 0
	for _, x := range r.Results {
		if x.Check == check.ConnectRefused {
			connected++
		}
	}
	if connected != 2 {
		t.Errorf("%d CONNECTs, want one of each version", connected)
	}
	if r.Took > 2*time.Second {
		t.Errorf("took %v, want less than 2s", r.Took)
	}
	if r.Facts.TLSVersion != "1.3" || len(r.Facts.ServerChain) == 0 || r.Facts.Fingerprint == "" {
		t.Errorf("facts: %+v", r.Facts)
	}
	t.Logf("took %v\n%s", r.Took, text(r))
}

// TestGatehouseRefusals are devices that a Gatehouse refuses, as the probe sees it.
func TestGatehouseRefusals(t *testing.T) {
	gw := gatehousetest.Start(t, gatehousetest.WithOpenLimits())
	api := iot.NewFromConfig(gw.AWSConfig())
	const allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}`
	without := func(action string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"},{"Effect":"Deny","Action":"` + action + `","Resource":"*"}]}`
	}
	for name, tt := range map[string]struct {
		policy  string
		change  func(t *testing.T, d *device, dev *gatehousetest.Device)
		want    *check.Check
		outcome Outcome
	}{
		"inactive": {allowAll, func(t *testing.T, _ *device, dev *gatehousetest.Device) {
			if _, err := api.UpdateCertificate(t.Context(), &iot.UpdateCertificateInput{CertificateId: &dev.CertificateID, NewStatus: types.CertificateStatusInactive}); err != nil {
				t.Fatal(err)
			}
		}, check.CertRefused, Fail},
		"inactive, TLS 1.2 and MQTT 3.1.1": {allowAll, func(t *testing.T, d *device, dev *gatehousetest.Device) {
			if _, err := api.UpdateCertificate(t.Context(), &iot.UpdateCertificateInput{CertificateId: &dev.CertificateID, NewStatus: types.CertificateStatusInactive}); err != nil {
				t.Fatal(err)
			}
			d.opts.Version = 3
		}, check.CertRefused, Fail},
		"no certificate":        {allowAll, func(_ *testing.T, d *device, _ *gatehousetest.Device) { d.opts.CertFile, d.opts.KeyFile = "", "" }, check.CertNoneSent, Fail},
		"no iot:Connect":        {without("iot:Connect"), nil, check.ConnectRefused, Fail},
		"no iot:Connect, 3.1.1": {without("iot:Connect"), func(_ *testing.T, d *device, _ *gatehousetest.Device) { d.opts.Version = 3 }, check.ConnectClosed, Fail},
		"no iot:Subscribe":      {without("iot:Subscribe"), nil, check.SubscribeRefused, Fail},
		"no iot:Publish":        {without("iot:Publish"), nil, check.PublishRefused, Fail},
		"no iot:Publish, 3.1.1": {without("iot:Publish"), func(_ *testing.T, d *device, _ *gatehousetest.Device) { d.opts.Version = 3 }, check.PublishRefused, Fail},
		"no iot:Receive":        {without("iot:Receive"), nil, check.MessageNotReceived, Fail},
		"wrong server name":     {allowAll, func(_ *testing.T, d *device, _ *gatehousetest.Device) { d.opts.SNI = "gw.exampel.com" }, check.TLSSNIUnknown, Fail},
		"443 without ALPN, PROBLEMS C-07": {allowAll, func(_ *testing.T, d *device, _ *gatehousetest.Device) {
			d.opts.Port, d.opts.ALPN = portOf(gw.ALPNAddr), []string{}
		}, check.TLSALPNMissingOn443, Fail},
		"443 without ALPN, 3.1.1, PROBLEMS C-08": {allowAll, func(_ *testing.T, d *device, _ *gatehousetest.Device) {
			d.opts.Port, d.opts.ALPN, d.opts.Version = portOf(gw.ALPNAddr), []string{}, 3
		}, check.TLSALPNMissingOn443, Fail},
		"custom authorizer without ALPN, PROBLEMS J-13": {allowAll, func(_ *testing.T, d *device, _ *gatehousetest.Device) {
			d.opts.Port, d.opts.ALPN, d.opts.Authorizer, d.opts.CertFile, d.opts.KeyFile = portOf(gw.ALPNAddr), []string{}, "token-check", "", ""
		}, check.TLSALPNMQTTRequired, Fail},
		"custom authorizer that is not there": {allowAll, func(_ *testing.T, d *device, _ *gatehousetest.Device) {
			d.opts.Port, d.opts.Authorizer, d.opts.CertFile, d.opts.KeyFile = portOf(gw.ALPNAddr), "token-check", "", ""
		}, check.ConnectRefused, Fail},
		"the same over WebSocket": {allowAll, func(_ *testing.T, d *device, _ *gatehousetest.Device) {
			d.opts.Port, d.opts.Authorizer, d.opts.CertFile, d.opts.KeyFile, d.opts.WebSocket = portOf(gw.ALPNAddr), "token-check", "", "", true
		}, check.ConnectRefused, Fail},
		"443 with ALPN": {allowAll, func(_ *testing.T, d *device, _ *gatehousetest.Device) {
			d.opts.Port, d.opts.ALPN = portOf(gw.ALPNAddr), []string{"x-amzn-mqtt-ca"}
		}, nil, Pass},
		"a live client ID": {allowAll, func(_ *testing.T, d *device, _ *gatehousetest.Device) {
			d.opts.Live = func(context.Context, string) (bool, bool, string) { return true, true, "192.0.2.40" }
		}, check.SessionHazard, Warn},
		"a live client ID, --force": {allowAll, func(_ *testing.T, d *device, _ *gatehousetest.Device) {
			d.opts.Live, d.opts.Force = func(context.Context, string) (bool, bool, string) { return true, true, "192.0.2.40" }, true
		}, check.SessionHazard, Warn},
		"who knows":     {allowAll, func(_ *testing.T, d *device, _ *gatehousetest.Device) { d.opts.Live = nil }, check.SessionHazard, Unknown},
		"every variant": {allowAll, func(_ *testing.T, d *device, _ *gatehousetest.Device) { d.opts.Variants = true }, nil, Pass},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dev := gw.AddDeviceWithPolicy(t, strings.NewReplacer(" ", "-", ",", "", ":", "", ".", "").Replace(name), tt.policy)
			d := ofGatehouse(t, gw, dev)
			d.opts.Version, d.opts.Subscribe, d.opts.Publish, d.opts.Timeout = 5, "sensors/#", "sensors/a", 2*time.Second
			if tt.change != nil {
				tt.change(t, d, dev)
			}
			r := probe(t, d.opts)
			first := r.First()
			if tt.outcome == Fail {
				if first == nil || first.Check != tt.want {
					t.Errorf("first failure %+v, want %v", first, tt.want)
				}
				return
			}
			if first != nil {
				t.Errorf("%v failed", first)
			}
			if tt.want != nil && find(r, tt.outcome, tt.want) == nil {
				t.Errorf("no %s of %v", tt.outcome, tt.want)
			}
			connected := find(r, Pass, check.ConnectRefused) != nil
			if connected == (name == "a live client ID") {
				t.Errorf("connected: %v", connected)
			}
		})
	}
}

// TestSecretsStaySecret runs the probe with secrets that it sends, and looks for
// them in everything that it tells.
func TestSecretsStaySecret(t *testing.T) {
	const secret = "s3cr3t-t0ken"
	gw := gatehousetest.Start(t)
	d := ofGatehouse(t, gw, gw.AddDevice(t, "sensor-1"))
	key, err := os.ReadFile(d.opts.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, webSocket := range []bool{false, true} {
		o := d.opts
		o.Port, o.Authorizer, o.TokenKey, o.Token, o.Signature, o.Username, o.Password = portOf(gw.ALPNAddr), "token-check", "token", secret, secret, secret, secret
		o.WebSocket, o.Proxy = webSocket, "http://user:"+secret+"@"+answering(t, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
		for _, proxy := range []string{o.Proxy, "", "://" + secret} {
			o.Proxy = proxy
			got := text(probe(t, o))
			if strings.Contains(got, secret) || strings.Contains(got, strings.Split(string(key), "\n")[1]) {
				t.Errorf("a secret was told:\n%s", got)
			}
		}
	}
}
