package probe

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// defaultTimeout bounds each step that waits for the network. Embedded clients
// give up after as long: connect sheet 3.3.
const defaultTimeout = 5 * time.Second

// run is one walk.
type run struct {
	Options
	lookup      func(ctx context.Context, host string) ([]netip.Addr, error)
	interrupted func() bool // says whether the walk is to end

	report   Report
	stage    string
	material material
	link     *link // the connection that walks from TCP to the messages
	random   bool  // nobody else has the client ID
}

func newRun(o Options) *run {
	if o.Env == nil {
		o.Env = os.Getenv
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	return &run{Options: o, lookup: lookupHost, interrupted: func() bool { return false }}
}

// walk makes the stages one after the other. A stage that returns false makes
// those after it meaningless.
func (p *run) walk(ctx context.Context, progress func(string)) Report {
	began := time.Now()
	p.interrupted = func() bool { return ctx.Err() != nil }
	for _, s := range []struct {
		name string
		walk func(context.Context) bool
	}{
		{StageFiles, p.files},
		{StageEndpoint, p.endpoint},
		{StageDNS, p.dns},
		{StageTCP, p.tcp},
		{StageTLS, p.tls},
		{StageConnect, p.connect},
		{StageMessages, p.messages},
	} {
		p.stage = s.name
		progress(s.name)
		if !s.walk(ctx) || ctx.Err() != nil {
			break
		}
	}
	p.link.leave()
	p.stage = StageConnect
	p.otherVersion(ctx)
	p.stage = StageTLS
	p.variants(ctx)
	order := Stages()
	slices.SortStableFunc(p.report.Results, func(a, b Result) int {
		return cmp.Compare(slices.Index(order, a.Stage), slices.Index(order, b.Stage))
	})
	p.report.Stopped = ctx.Err()
	p.report.Took = time.Since(began)
	return p.report
}

// f is attempt.F: these lines are many.
func f(key, value string) attempt.Field { return attempt.F(key, value) }

// add records a result, without the evidence that has no value. What goes wrong
// after an interruption is the interruption's doing and is not recorded.
func (p *run) add(c *check.Check, o Outcome, ev ...attempt.Field) *Result {
	kept := slices.DeleteFunc(slices.Clone(ev), func(e attempt.Field) bool { return e.Value == "" })
	r := Result{Check: c, Outcome: o, Stage: p.stage, Evidence: attempt.Fields(kept)}
	if (o == Fail || o == Warn) && p.interrupted() {
		return &r
	}
	p.report.Results = append(p.report.Results, r)
	return &p.report.Results[len(p.report.Results)-1]
}

// skip records that c was not made.
func (p *run) skip(c *check.Check, why string) { p.add(c, Skipped).Note = why }

// Values are the facts as evidence of every check: endpoint, port, client_id,
// certificate_id, region, ca_file and the like.
func (r Report) Values() map[string]string {
	v := map[string]string{
		"endpoint": r.Facts.Endpoint, "sni": r.Facts.Endpoint, "region": r.Facts.Region, "client_id": r.Facts.ClientID,
		"certificate_id": r.Facts.Fingerprint, "ca_file": r.Facts.Files.CA, "tls_version": r.Facts.TLSVersion, "alpn": r.Facts.ALPN,
		"mqtt_port": "8883", "https_port": "8443", "alpn_port": "443",
	}
	if r.Facts.Port != 0 {
		v["port"] = strconv.Itoa(r.Facts.Port)
		if r.Facts.Port != 443 && r.Facts.Port != 8443 {
			v["mqtt_port"] = v["port"]
		}
	}
	return v
}

// randomClientID is an ID that no device has.
func randomClientID() string {
	b := make([]byte, 6)
	rand.Read(b)
	return "gatehouse-diagnose-" + hex.EncodeToString(b)
}
