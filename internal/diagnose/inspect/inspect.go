// Package inspect reads in an AWS account, or in a Gatehouse, what AWS's pages
// tell people to look up when a device does not connect: the endpoint, the
// certificate, its policies and things, the authorizer, the logs. It only reads:
// the interfaces that it calls have no other operations.
//
// What the caller may not see is said, and nothing is concluded from it.
package inspect

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/probe"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// Stage is the stage of the inspector's results.
const Stage = "account"

// A Device is what to look for. Zero fields are unknown, and what depends on
// them is not looked at.
type Device struct {
	Endpoint    string // host name that it uses
	SNI         string // server name that it sends; empty: Endpoint
	ClientID    string
	Certificate *x509.Certificate
	Fingerprint string // SHA-256 of the certificate in lower-case hex
	Publish     string // topic
	Subscribe   string // filter

	Authorizer                 string           // name; empty: the default one, if Custom
	Custom                     bool             // a custom authorizer decides, not a certificate
	Token, TokenKey, Signature string           // never shown
	Username, Password         string           // never shown
	Since                      time.Time        // when the probe began
	Connections                []netip.AddrPort // the probe's own ends of those connections that act as the device
	Others                     []netip.AddrPort // and of those that try something else
}

// A Report is what was found.
type Report struct {
	Results []probe.Result

	Account, Region, Partition string // of who looks; empty where that is not known
	Caller                     string // ARN of who looks
	PrincipalARN               string // of the device's certificate
	Endpoint                   string // the data endpoint of the account
	Gatehouse                  bool   // the account is played by a Gatehouse
	Server                     Server // of a Gatehouse

	Policies []Policy         // that count for the device
	Attempts []attempt.Detail // of the probe, as a Gatehouse recorded them, the latest first
	Log      []LogLine        // failures of the device in AWSIotLogsV2, the latest first
	Took     time.Duration
}

// A Policy is a document that counts for the device.
type Policy struct {
	Name     string          `json:"name"`
	Version  string          `json:"version"`
	Source   string          `json:"source"` // certificate, or group: and its name
	Document json.RawMessage `json:"document"`
}

// A LogLine is one event of AWSIotLogsV2.
type LogLine struct {
	Time, Event, Status, Reason, ClientID string
}

// Bounds of time: of one question to the account, and of all that follow one another.
const (
	timeout    = 6 * time.Second
	inspection = 20 * time.Second
)

// Inspect looks at everything that concerns d, in parallel. It returns when all
// is answered, refused or timed out.
func (i *Inspector) Inspect(ctx context.Context, d Device) Report {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, inspection)
	defer cancel()
	l := &look{Inspector: i, device: d, report: Report{Region: i.region, Partition: registry.PartitionOf(i.region)}}
	l.server = sync.OnceValues(func() (Server, bool) { return l.askServer(ctx) })
	if failed := l.caller(ctx); failed != nil {
		l.report.Results = []probe.Result{*failed}
		l.report.Took = time.Since(began)
		return l.report
	}
	tasks := []func(context.Context) []probe.Result{l.endpoint, l.certificate, l.authorizer, l.logging, l.log, l.attempts}
	found := make([][]probe.Result, len(tasks))
	var g errgroup.Group
	for n, task := range tasks {
		g.Go(func() error {
			start := time.Now()
			found[n] = task(ctx)
			for k := range found[n] {
				if found[n][k].Took == 0 {
					found[n][k].Took = time.Since(start)
				}
			}
			return nil
		})
	}
	_ = g.Wait() // the tasks report instead of failing
	for _, results := range found {
		l.report.Results = append(l.report.Results, results...)
	}
	l.report.Took = time.Since(began)
	return l.report
}

// look is one inspection. Each task writes its own fields of the report.
type look struct {
	*Inspector
	device Device
	report Report

	documents documents
	server    func() (Server, bool) // askServer, once
}

// documents are the policies that were read, by ARN.
type documents struct {
	mu    sync.Mutex
	byARN map[string]json.RawMessage
}

func (d *documents) put(arn string, text json.RawMessage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byARN == nil {
		d.byARN = map[string]json.RawMessage{}
	}
	d.byARN[arn] = text
}

func (d *documents) get(arn string) json.RawMessage {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.byARN[arn]
}

// result makes a result of the inspector.
func result(c *check.Check, outcome probe.Outcome, evidence ...attempt.Field) probe.Result {
	kept := evidence[:0]
	for _, f := range evidence {
		if f.Value != "" {
			kept = append(kept, f)
		}
	}
	return probe.Result{Check: c, Outcome: outcome, Stage: Stage, Evidence: kept}
}
