package attempt

import (
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// Bounds of one attempt, so that a hostile device can't make it grow. What goes
// beyond is counted in Record.Dropped, never stored.
const (
	maxSteps       = 64       // different steps; a repeated one only counts
	maxFields      = 24       // evidence fields of a step
	maxKey         = 64       // bytes of an evidence key
	maxValue       = 1 << 10  // bytes of an evidence value
	maxEvidence    = 32 << 10 // bytes of all evidence of an attempt
	maxCertificate = 16 << 10 // bytes of the client certificate (DER)
)

// A Door is the listener through which an attempt came.
type Door string

// The doors, by their configuration names.
const (
	DoorMQTT  Door = "mqtt"  // 8883: MQTT, client certificate
	DoorHTTPS Door = "https" // 8443: HTTPS, client certificate
	DoorALPN  Door = "alpn"  // 443: told apart by ALPN
	DoorAPI   Door = "api"   // the AWS APIs: signed requests of the data plane
)

// An Outcome says how a check, or a whole attempt, came out.
type Outcome string

// Outcomes. A step has passed, failed, warned or also; an attempt has live,
// passed or failed.
const (
	Passed Outcome = "passed"
	Failed Outcome = "failed" // this refused the attempt
	Warned Outcome = "warned" // works, but look at it
	Also   Outcome = "also"   // would have failed too, had the attempt come that far
	Live   Outcome = "live"   // an attempt that has not ended
)

// A Field is one piece of evidence: what was offered, what was required. Keys
// are the names in check.Evidence.
type Field struct{ Key, Value string }

// F makes a field.
func F(key, value string) Field { return Field{Key: key, Value: value} }

// A Step is one check on the way of an attempt, with its outcome.
type Step struct {
	Check    *check.Check
	Outcome  Outcome
	Evidence Fields
	At       time.Duration // since the attempt began
	Last     time.Duration // the latest repetition; At if there is none
	Count    int           // how often; 1 or more
}

// An Attempt is one try of a device to do something, from the TCP accept to its
// end. Its methods may be called from several goroutines; they only touch memory
// and never wait. After End they do nothing.
type Attempt struct {
	recorder *Recorder
	began    time.Time // with the monotonic clock

	mu     sync.Mutex
	record Record // its slices change in place: see snapshot
	budget int    // bytes of evidence left
	ended  bool
}

// ID returns the trace ID: a random UUID in lower case.
func (a *Attempt) ID() string { return a.record.ID }

// Pass records that c passed. A check that passes again with the same evidence
// only counts, yet do not call it for every message: once a connection is enough.
func (a *Attempt) Pass(c *check.Check, ev ...Field) { a.add(c, Passed, ev) }

// Fail records that c refused the attempt, or a packet of it.
func (a *Attempt) Fail(c *check.Check, ev ...Field) { a.add(c, Failed, ev) }

// Warn records that c is doubtful but refuses nothing.
func (a *Attempt) Warn(c *check.Check, ev ...Field) { a.add(c, Warned, ev) }

// Also records that c would have failed too, although the attempt was refused
// before: a device has several faults at once, and its owner wants all of them.
func (a *Attempt) Also(c *check.Check, ev ...Field) { a.add(c, Also, ev) }

// SetSNI notes the server name of the ClientHello; empty means that none was sent.
func (a *Attempt) SetSNI(name string) { a.set(func(r *Record) { r.SNI = clip(name, maxValue) }) }

// SetALPN notes the protocols that the device offers, in its order, and the one
// that we chose; empty means none.
func (a *Attempt) SetALPN(offered []string, chosen string) {
	a.set(func(r *Record) { r.ALPNOffered, r.ALPN = clipList(offered), clip(chosen, maxKey) })
}

// SetTLS notes what was agreed, such as "1.3" and "TLS_AES_128_GCM_SHA256".
func (a *Attempt) SetTLS(version, cipher string) {
	a.set(func(r *Record) { r.TLSVersion, r.Cipher = clip(version, maxKey), clip(cipher, maxKey) })
}

// SetCertificate notes the client certificate: its ID (SHA-256 of the DER form
// in lower-case hex) and its DER form, which is kept so that the repair of an
// unregistered certificate can be printed. It is copied.
func (a *Attempt) SetCertificate(id string, der []byte) {
	a.set(func(r *Record) {
		r.CertificateID = clip(id, maxKey)
		if len(der) <= maxCertificate {
			r.Certificate = append([]byte(nil), der...)
		}
	})
}

// SetPrincipal notes who the attempt acts as: a certificate ID, a custom
// authorizer's principal or an access key ID, and its ARN where it has one.
func (a *Attempt) SetPrincipal(id, arn string) {
	a.set(func(r *Record) { r.Principal, r.PrincipalARN = clip(id, maxValue), clip(arn, maxValue) })
}

// SetProtocol notes the application protocol: "MQTT 3.1.1", "MQTT 5", "HTTPS", "WebSocket".
func (a *Attempt) SetProtocol(name string) {
	a.set(func(r *Record) { r.Protocol = clip(name, maxKey) })
}

// SetClientID notes the MQTT client ID.
func (a *Attempt) SetClientID(id string) { a.set(func(r *Record) { r.ClientID = clip(id, maxValue) }) }

// SetThing notes the thing that the connection belongs to.
func (a *Attempt) SetThing(name string) { a.set(func(r *Record) { r.Thing = clip(name, maxValue) }) }

// SetSDK notes the device's software as it names itself: the SDK part of an MQTT
// user name, or an HTTP User-Agent. Never hand over a user name that may hold a
// credential.
func (a *Attempt) SetSDK(name string) { a.set(func(r *Record) { r.SDK = clip(name, maxValue) }) }

// Set notes another fact of the attempt as a whole, which templates of all its
// checks may use, such as "domain_configuration".
func (a *Attempt) Set(key, value string) {
	a.set(func(r *Record) {
		for i := range r.Facts {
			if r.Facts[i].Key == key {
				r.Facts[i].Value = clip(value, maxValue)
				return
			}
		}
		if len(r.Facts) < maxFields {
			r.Facts = append(r.Facts, Field{clip(key, maxKey), clip(value, maxValue)})
		}
	})
}

// Refused says whether a check has failed.
func (a *Attempt) Refused() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.record.Outcome == Failed
}

// Code is the code of the check that refused the attempt, "" if none did.
func (a *Attempt) Code() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.record.Code
}

// Refusal returns the latest step that refused the attempt or a packet of it.
func (a *Attempt) Refusal() (step Step, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.record.Steps {
		if s.Outcome == Failed && (!ok || s.Last >= step.Last) {
			step, ok = s, true
		}
	}
	return step, ok
}

// End closes the attempt and hands it to the store. The second call does nothing.
func (a *Attempt) End() {
	a.mu.Lock()
	if a.ended {
		a.mu.Unlock()
		return
	}
	a.ended = true
	a.record.Ended = a.began.Add(time.Since(a.began))
	a.record.Last = a.record.Ended
	if a.record.Outcome == Live {
		a.record.Outcome = Passed
	}
	rec := a.record // nothing changes it from here on
	a.mu.Unlock()
	a.recorder.ended(rec)
}

// add records one step, or one more repetition of a step that is there.
func (a *Attempt) add(c *check.Check, outcome Outcome, ev []Field) {
	now := time.Since(a.began)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return
	}
	a.record.Last = a.began.Add(now)
	a.recorder.metrics.count(c, outcome)
	if c == check.SessionOpened && outcome == Passed {
		a.recorder.metrics.opened(now)
	}
	a.addLocked(c, outcome, ev, now)
	if c == check.SessionTakeover && outcome == Failed {
		if loop, loopEv := a.recorder.takeovers.note(a.record, ev); loop != nil {
			a.recorder.metrics.count(loop, Failed)
			a.addLocked(loop, Failed, loopEv, now)
			a.record.Code = loop.Code // it says more than the last of many take-overs
		}
	}
}

func (a *Attempt) addLocked(c *check.Check, outcome Outcome, ev []Field, now time.Duration) {
	if outcome == Failed && a.record.Outcome == Live {
		a.record.Outcome, a.record.Code = Failed, c.Code
	}
	for i := range a.record.Steps {
		if s := &a.record.Steps[i]; s.Check == c && s.Outcome == outcome && sameEvidence(s.Evidence, ev) {
			s.Count++
			s.Last = now
			return
		}
	}
	// The last places are for failures: a chatty connection must not hide why it ended.
	if n := len(a.record.Steps); n >= maxSteps || n >= maxSteps-8 && outcome != Failed {
		a.record.Dropped++
		return
	}
	a.record.Steps = append(a.record.Steps, Step{Check: c, Outcome: outcome, Evidence: a.evidenceLocked(ev), At: now, Last: now, Count: 1})
}

// evidenceLocked copies ev within the bounds of the attempt.
func (a *Attempt) evidenceLocked(ev []Field) Fields {
	if len(ev) == 0 {
		return nil
	}
	fields := make(Fields, 0, min(len(ev), maxFields))
	for _, f := range ev {
		f = Field{clip(f.Key, maxKey), clip(f.Value, maxValue)}
		size := len(f.Key) + len(f.Value)
		if len(fields) == maxFields || size > a.budget {
			a.record.Dropped++
			continue
		}
		a.budget -= size
		fields = append(fields, f)
	}
	return fields
}

// sameEvidence compares recorded evidence with what is offered now.
func sameEvidence(recorded Fields, offered []Field) bool {
	if len(recorded) != len(offered) {
		return false
	}
	for i, f := range recorded {
		if f.Key != offered[i].Key || f.Value != clip(offered[i].Value, maxValue) {
			return false
		}
	}
	return true
}

// set changes a fact of the attempt, unless it has ended.
func (a *Attempt) set(change func(*Record)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.ended {
		change(&a.record)
	}
}

// snapshot returns the record as it is now; it shares nothing that changes.
func (a *Attempt) snapshot() Record {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.record.clone()
}

// clip cuts s to at most n bytes at a rune boundary and makes it valid UTF-8, so
// that every value can go into JSON as it is.
func clip(s string, n int) string {
	if len(s) > n {
		cut := n - len(ellipsis)
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + ellipsis
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

const ellipsis = "…"

// clipList copies a list of short names within the bounds of a step.
func clipList(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	out := make([]string, 0, min(len(names), maxFields))
	for _, n := range names[:min(len(names), maxFields)] {
		out = append(out, clip(n, maxKey))
	}
	return out
}
