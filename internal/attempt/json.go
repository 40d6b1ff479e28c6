package attempt

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/netip"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// Fields is evidence in the order in which it was recorded. In JSON it is an
// object with its names in that order.
type Fields []Field

// Get returns the value of key, "" without one.
func (f Fields) Get(key string) string {
	for _, field := range f {
		if field.Key == key {
			return field.Value
		}
	}
	return ""
}

// MarshalJSON implements [json.Marshaler].
func (f Fields) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, field := range f {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(field.Key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(field.Value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (f *Fields) UnmarshalJSON(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("evidence: want an object, got %.20q", raw)
	}
	*f = nil
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var value string
		if err := d.Decode(&value); err != nil {
			return err
		}
		*f = append(*f, Field{Key: key.(string), Value: value})
	}
	return nil
}

// stepJSON is the JSON form of a Step: docs/attempts.md.
type stepJSON struct {
	Code     string  `json:"code"`
	Stage    string  `json:"stage"`
	Outcome  Outcome `json:"outcome"`
	Title    string  `json:"title"`
	Evidence Fields  `json:"evidence,omitempty"`
	AtMs     float64 `json:"atMs"`
	LastMs   float64 `json:"lastMs,omitempty"`
	Count    int     `json:"count"`
}

// MarshalJSON implements [json.Marshaler].
func (s Step) MarshalJSON() ([]byte, error) {
	j := stepJSON{
		Code: s.Check.Code, Stage: s.Check.Stage.String(), Outcome: s.Outcome, Title: s.title(),
		Evidence: s.Evidence, AtMs: milliseconds(s.At), Count: s.Count,
	}
	if s.Last != s.At {
		j.LastMs = milliseconds(s.Last)
	}
	return json.Marshal(j)
}

// UnmarshalJSON implements [json.Unmarshaler]. A code that this version no longer
// has becomes a check with nothing but its code and title.
func (s *Step) UnmarshalJSON(raw []byte) error {
	var j stepJSON
	if err := json.Unmarshal(raw, &j); err != nil {
		return err
	}
	c, ok := check.Lookup(j.Code)
	if !ok {
		c = &check.Check{Code: j.Code, Title: j.Title, Passed: j.Title}
	}
	*s = Step{Check: c, Outcome: j.Outcome, Evidence: j.Evidence, At: duration(j.AtMs), Last: duration(max(j.LastMs, j.AtMs)), Count: j.Count}
	return nil
}

// title is what the step says in a few words, given how it came out.
func (s Step) title() string {
	if s.Outcome == Passed && s.Check.Passed != "" {
		return s.Check.Passed
	}
	return s.Check.Title
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
func duration(ms float64) time.Duration    { return time.Duration(ms*1000) * time.Microsecond }

// recordJSON is the JSON form of a Record: docs/attempts.md.
type recordJSON struct {
	ID              string     `json:"id"`
	Outcome         Outcome    `json:"outcome"`
	Code            string     `json:"code,omitempty"`
	Count           int        `json:"count"`
	Began           time.Time  `json:"began"`
	Last            time.Time  `json:"last"`
	Ended           *time.Time `json:"ended,omitempty"`
	Door            Door       `json:"door"`
	SourceIP        string     `json:"sourceIp,omitempty"`
	SourcePort      uint16     `json:"sourcePort,omitempty"`
	LocalIP         string     `json:"localIp,omitempty"`
	LocalPort       uint16     `json:"localPort,omitempty"`
	SNI             string     `json:"sni,omitempty"`
	ALPNOffered     []string   `json:"alpnOffered,omitempty"`
	ALPN            string     `json:"alpn,omitempty"`
	TLSVersion      string     `json:"tlsVersion,omitempty"`
	Cipher          string     `json:"cipherSuite,omitempty"`
	CertificateID   string     `json:"certificateId,omitempty"`
	CertificatePEM  string     `json:"certificatePem,omitempty"`
	Principal       string     `json:"principal,omitempty"`
	PrincipalARN    string     `json:"principalArn,omitempty"`
	Protocol        string     `json:"protocol,omitempty"`
	ClientID        string     `json:"clientId,omitempty"`
	Thing           string     `json:"thingName,omitempty"`
	SDK             string     `json:"sdk,omitempty"`
	Facts           Fields     `json:"facts,omitempty"`
	Checks          []Step     `json:"checks,omitempty"`
	DroppedEvidence int        `json:"droppedEvidence,omitempty"`
}

const timeForm = time.Millisecond // what a reader needs, and what the store keeps

// MarshalJSON implements [json.Marshaler].
func (r Record) MarshalJSON() ([]byte, error) {
	j := recordJSON{
		ID: r.ID, Outcome: r.Outcome, Code: r.Code, Count: r.Count,
		Began: r.Began.UTC().Truncate(timeForm), Last: r.Last.UTC().Truncate(timeForm),
		Door: r.Door, SNI: r.SNI, ALPNOffered: r.ALPNOffered, ALPN: r.ALPN, TLSVersion: r.TLSVersion, Cipher: r.Cipher,
		CertificateID: r.CertificateID, Principal: r.Principal, PrincipalARN: r.PrincipalARN,
		Protocol: r.Protocol, ClientID: r.ClientID, Thing: r.Thing, SDK: r.SDK, Facts: r.Facts, Checks: r.Steps, DroppedEvidence: r.Dropped,
	}
	if !r.Ended.IsZero() {
		ended := r.Ended.UTC().Truncate(timeForm)
		j.Ended = &ended
	}
	if r.Source.IsValid() {
		j.SourceIP, j.SourcePort = r.Source.Addr().String(), r.Source.Port()
	}
	if r.Local.IsValid() {
		j.LocalIP, j.LocalPort = r.Local.Addr().String(), r.Local.Port()
	}
	if r.Certificate != nil {
		j.CertificatePEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate}))
	}
	return json.Marshal(j)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (r *Record) UnmarshalJSON(raw []byte) error {
	var j recordJSON
	if err := json.Unmarshal(raw, &j); err != nil {
		return err
	}
	*r = Record{
		ID: j.ID, Outcome: j.Outcome, Code: j.Code, Count: j.Count, Began: j.Began, Last: j.Last,
		Door: j.Door, SNI: j.SNI, ALPNOffered: j.ALPNOffered, ALPN: j.ALPN, TLSVersion: j.TLSVersion, Cipher: j.Cipher,
		CertificateID: j.CertificateID, Principal: j.Principal, PrincipalARN: j.PrincipalARN,
		Protocol: j.Protocol, ClientID: j.ClientID, Thing: j.Thing, SDK: j.SDK, Facts: j.Facts, Steps: j.Checks, Dropped: j.DroppedEvidence,
	}
	if j.Ended != nil {
		r.Ended = *j.Ended
	}
	if addr, err := netip.ParseAddr(j.SourceIP); err == nil {
		r.Source = netip.AddrPortFrom(addr, j.SourcePort)
	}
	if addr, err := netip.ParseAddr(j.LocalIP); err == nil {
		r.Local = netip.AddrPortFrom(addr, j.LocalPort)
	}
	if block, _ := pem.Decode([]byte(j.CertificatePEM)); block != nil {
		r.Certificate = block.Bytes
	}
	return nil
}
