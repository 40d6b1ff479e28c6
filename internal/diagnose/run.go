package diagnose

import (
	"context"
	"io"
	"net/netip"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/diagnose/inspect"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/probe"
)

// A Diagnosis is one run: its report and what it was made from.
type Diagnosis struct {
	Report  Report
	device  probe.Report
	account *inspect.Report
	secrets []string
}

// Run acts as the device that o describes and, unless look is nil, looks into the
// account. progress, which may be nil, is told each stage as it begins.
func Run(ctx context.Context, o probe.Options, look *inspect.Inspector, progress func(stage string)) Diagnosis {
	if progress == nil {
		progress = func(string) {}
	}
	if look != nil && o.Live == nil {
		o.Live = look.Live
	}
	began := time.Now()
	d := Diagnosis{device: probe.Run(ctx, o, progress), secrets: []string{o.Token, o.Signature, o.Username, o.Password, o.Proxy}}
	if look != nil && ctx.Err() == nil {
		progress(inspect.Stage)
		account := look.Inspect(ctx, device(o, d.device.Facts, began))
		d.account = &account
	}
	d.Report = join(d.device, d.account, o.ClientID == "" && o.Thing == "")
	d.Report.Began = began.UTC().Truncate(time.Millisecond)
	d.Report.TookMs = time.Since(began).Milliseconds()
	return d
}

// Bundle writes the support archive of the run. secrets are further texts that
// must not be in it, such as the caller's credentials.
func (d Diagnosis) Bundle(w io.Writer, secrets ...string) error {
	return bundle(w, d.Report, d.device, d.account, append(secrets, d.secrets...))
}

// device is what the inspector looks for.
func device(o probe.Options, f probe.Facts, began time.Time) inspect.Device {
	d := inspect.Device{
		Endpoint: f.Endpoint, SNI: o.SNI, ClientID: f.ClientID, Certificate: f.Certificate, Fingerprint: f.Fingerprint, Publish: o.Publish, Subscribe: o.Subscribe,
		Authorizer: o.Authorizer, Custom: o.Authorizer != "" || f.Fingerprint == "" && (o.Token != "" || o.Username != "" || o.Password != ""),
		Token: o.Token, TokenKey: o.TokenKey, Signature: o.Signature, Username: o.Username, Password: o.Password, Since: began,
	}
	for _, c := range f.Connections {
		if !c.Local.IsValid() {
			continue
		}
		list := &d.Others
		if c.AsDevice() {
			list = &d.Connections
		}
		*list = append(*list, netip.AddrPortFrom(c.Local.Addr().Unmap(), c.Local.Port()))
	}
	return d
}
