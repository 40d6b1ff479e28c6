// Package refusals is the table of what a refused device sees and what we say
// about it: every row makes a real device do something to a real gatehouse and
// compares the wire, byte by byte where that can be told, and the explanation
// with its evidence and its fix. Rows are named after the problem sheet (C-06,
// E-01) or, where that has none, after the group and the code.
//
// Each device has a loopback address of its own, by which its attempts are
// found: the tests need Linux, where all of 127.0.0.0/8 is there.
package refusals

import (
	"cmp"
	"crypto/tls"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/mqtt"
	"github.com/gatehouse-iot/gatehouse/test/rawmqtt"
)

// A refusal is one row.
type refusal struct {
	id   string // row of the problem sheet, "/" and a word where it has several cases
	does string // what the device does, for the table in the documentation
	mode *mode  // nil: likeAWS

	setup   func(*device)             // nil: an active certificate that may do everything
	act     func(*device) rawmqtt.End // nil: connect
	sees    wire                      // how the wire looks to the device
	code    string                    // of the first finding, or of the warning that is the point of the row
	refused string                    // code of the check that refused, where another one explains it; empty: code
	also    []string                  // further codes that the report has to name
	proof   map[string]string         // evidence of the check that code names, $name filled in; a value that begins with ~ is contained
	fix     string                    // whole command, $name filled in; "" is not compared
	says    string                    // part of the first finding's cause, $name filled in
	after   string                    // for a row that the printed command repairs: what the device sees then
}

// wire is how one refusal looks. Either the TLS version or the MQTT version
// makes the difference, or none; an empty version does not have the refusal.
type wire struct{ tls12, tls13, v311, v5 string }

// closed is how AWS ends a connection in silence.
const closed = "close_notify, then FIN"

func byTLS(tls12, tls13 string) wire { return wire{tls12: tls12, tls13: tls13} }
func byMQTT(v311, v5 string) wire    { return wire{v311: v311, v5: v5} }

// silent is a refusal that no version tells apart.
var silent = byMQTT(closed, closed)

// denied is a CONNECT that is refused.
var denied = byMQTT(closed, "CONNACK 0x87, "+closed)

// alert is a refusal of the certificate: in TLS 1.2 with the number that AWS
// has, in TLS 1.3 with the one that crypto/tls has for all of them.
func alert(tls12 string) wire {
	return byTLS("alert "+tls12+" in the handshake, then FIN", "alert 42 bad_certificate (encrypted), then FIN")
}

// variants are the protocol versions that a row is run with.
func (w wire) variants() (list []variant) {
	tlsVersions := map[uint16]string{tls.VersionTLS12: w.tls12, tls.VersionTLS13: w.tls13}
	mqttVersions := map[mqtt.Version]string{mqtt.V311: w.v311, mqtt.V5: w.v5}
	for _, t := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, v := range []mqtt.Version{mqtt.V311, mqtt.V5} {
			want := mqttVersions[v]
			if w.v311 == "" && w.v5 == "" && v == mqtt.V311 {
				want = tlsVersions[t]
			}
			if want != "" {
				list = append(list, variant{t, v, want})
			}
		}
	}
	return list
}

type variant struct {
	tls  uint16
	mqtt mqtt.Version
	want string
}

func (v variant) String() string { return tls.VersionName(v.tls) + ", " + v.mqtt.String() }

// table is all rows, in the order of their files.
var table = slices.Concat(tlsRows, certificateRows, connectRows, takeoverRows, publishRows, limitRows, authorizerRows)

// places bounds how many devices are at work at once: the gateway looks for
// further faults of so many refusals at a time, and leaves them out of others.
var places = make(chan struct{}, 4)

func TestRefusals(t *testing.T) {
	for i := range table {
		row := &table[i]
		for _, v := range row.sees.variants() {
			t.Run(row.id+" "+v.String(), func(t *testing.T) {
				t.Parallel()
				places <- struct{}{}
				defer func() { <-places }()
				d := row.prepare(t, v)
				if got := row.run(d); got != v.want {
					t.Errorf("%s: the device sees %q, want %q", row.does, got, v.want)
				}
				row.check(d, d.record(row.code))
			})
		}
	}
}

// prepare makes the device of a row.
func (row *refusal) prepare(t *testing.T, v variant) *device {
	t.Helper()
	m := likeAWS
	if row.mode != nil {
		m = *row.mode
	}
	d := newDevice(t, m.start(), row.id, v.tls, v.mqtt)
	if row.setup != nil {
		row.setup(d)
	} else {
		d.issued(true)
		d.allow("iot:* *")
	}
	return d
}

// run lets the device do what it does and says what it sees.
func (row *refusal) run(d *device) string {
	d.t.Helper()
	if row.act == nil {
		return d.connect(nil).String()
	}
	end := row.act(d)
	return end.String()
}

// check compares the explanation with the row.
func (row *refusal) check(d *device, got attempt.Detail) {
	t := d.t
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("explanation:\n%s", text(got))
		}
	}()
	d.vars["trace"] = got.Attempt.ID
	d.vars["port"] = ""
	findings := slices.Concat(got.Report.Findings, got.Report.Warnings)
	lead := slices.IndexFunc(findings, func(f attempt.Finding) bool { return f.Code == row.code })
	switch {
	case lead < 0:
		t.Errorf("the report does not name %s", row.code)
		return
	case lead > 0 && got.Report.Refused:
		t.Errorf("the first finding is %s, want %s", findings[0].Code, row.code)
	}
	if refused := cmp.Or(row.refused, row.code); got.Report.Refused && got.Attempt.Code != refused {
		t.Errorf("the attempt has the code %s, want %s", got.Attempt.Code, refused)
	}
	f := findings[lead]
	for _, code := range row.also {
		if !slices.ContainsFunc(findings, func(f attempt.Finding) bool { return f.Code == code }) {
			t.Errorf("the report does not name %s", code)
		}
	}
	if f.Cause == "" || strings.Contains(f.Cause, "(unknown ") {
		t.Errorf("the cause lacks evidence: %s", f.Cause)
	}
	if want := d.fill(row.says); !strings.Contains(f.Cause, want) {
		t.Errorf("the cause is %q, want in it %q", f.Cause, want)
	}
	if f.Device == "" {
		t.Errorf("it is not said what the device sees")
	}
	if want := d.fill(row.fix); row.fix != "" && f.Fix != want {
		t.Errorf("fix:\n%s\nwant:\n%s", f.Fix, want)
	}
	step := slices.IndexFunc(got.Attempt.Steps, func(s attempt.Step) bool { return s.Check.Code == row.code && s.Outcome != attempt.Passed })
	if step < 0 {
		t.Errorf("no check of the attempt has the code %s", row.code)
		return
	}
	evidence := got.Attempt.Steps[step].Evidence
	for _, name := range slices.Sorted(maps.Keys(row.proof)) {
		want, value := d.fill(row.proof[name]), evidence.Get(name)
		if part, ok := strings.CutPrefix(want, "~"); ok && strings.Contains(value, part) || value == want {
			continue
		}
		t.Errorf("evidence %s is %q, want %q", name, value, want)
	}
}
