// Package simulate answers policy questions that are written as JSON: documents,
// facts about a connection, an action and a resource in, a decision with its
// reasons out. It does no I/O. It is what `gatehouse policy simulate` speaks.
package simulate

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/gatehouse-iot/gatehouse/policy"
)

// MaxLine is the size of the longest request line, in bytes.
const MaxLine = 1 << 20

// A Request is one question. Documents are JSON objects, or strings that hold
// the text of one. What is absent in Context is unknown to the policy.
type Request struct {
	Policies      []jsontext.Value `json:"policies"`
	GroupPolicies []jsontext.Value `json:"groupPolicies"` // of the thing's groups and their ancestors
	Context       Context          `json:"context"`
	Action        string           `json:"action"`
	Resource      string           `json:"resource"` // ARN, or "*"

	Unknown map[string]jsontext.Value `json:",embed"`
}

// Context holds the facts of the connection.
type Context struct {
	Protocol                 string       `json:"protocol"` // mqtt (also when absent), wss, http
	ClientID                 string       `json:"clientId"`
	Thing                    *Thing       `json:"thing"`
	Certificate              *Certificate `json:"certificate"`
	ConnectAttributes        []string     `json:"connectAttributes"` // absent is unknown, [] is a clean session without will
	LastWillTopic            string       `json:"lastWillTopic"`     // topic, or ARN of the topic
	SourceIP                 string       `json:"sourceIp"`
	DomainName               string       `json:"domainName"`
	SourceVPC                string       `json:"sourceVpc"`
	SourceVPCE               string       `json:"sourceVpce"`
	VPCSourceIP              string       `json:"vpcSourceIp"`
	IncludeSocketInformation *bool        `json:"includeSocketInformation"`

	Topic             string `json:"topic"`             // iot:Topic of SendDirectMessage
	CognitoIdentityID string `json:"cognitoIdentityId"` // cognito-identity.amazonaws.com:sub
	CurrentTime       string `json:"currentTime"`       // RFC 3339, for aws:CurrentTime and aws:EpochTime
	SecureTransport   *bool  `json:"secureTransport"`

	Unknown map[string]jsontext.Value `json:",embed"`
}

// A Thing is the thing that the connection may belong to.
type Thing struct {
	Name          string            `json:"name"`
	Attached      bool              `json:"attached"` // to the connecting principal
	Type          string            `json:"type"`
	Attributes    map[string]string `json:"attributes"`
	PrincipalType string            `json:"principalType"` // NON_EXCLUSIVE_THING (also when absent), EXCLUSIVE_THING

	Unknown map[string]jsontext.Value `json:",embed"`
}

// A Certificate holds the facts of the client certificate. The maps go from an
// attribute name ("CommonName", "DNSName") to its values, not escaped.
type Certificate struct {
	CertificateID  string            `json:"certificateId"`
	SerialNumber   string            `json:"serialNumber"` // hexadecimal, with or without colons
	Subject        map[string]values `json:"subject"`
	Issuer         map[string]values `json:"issuer"`
	SubjectAltName map[string]values `json:"subjectAltName"`
	IssuerAltName  map[string]values `json:"issuerAltName"`

	Unknown map[string]jsontext.Value `json:",embed"`
}

// values is a list of strings, which may be written as one string.
type values []string

// UnmarshalJSON implements [json.Unmarshaler].
func (v *values) UnmarshalJSON(data []byte) error {
	if jsontext.Value(data).Kind() == '"' {
		*v = make(values, 1)
		return json.Unmarshal(data, &(*v)[0])
	}
	return json.Unmarshal(data, (*[]string)(v))
}

// An Error says why a request was not answered.
type Error struct {
	Line     int              `json:"line,omitzero"` // from 1; 0 for a single request
	Code     string           `json:"code"`          // InvalidRequest, MalformedPolicy or LineTooLong
	Message  string           `json:"message"`
	Policy   string           `json:"policy,omitzero"`   // "policies[0]"
	Position *policy.Position `json:"position,omitzero"` // in that document
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Codes of errors.
const (
	InvalidRequest  = "InvalidRequest"
	MalformedPolicy = "MalformedPolicy"
	LineTooLong     = "LineTooLong"
)

func invalid(format string, args ...any) *Error {
	return &Error{Code: InvalidRequest, Message: fmt.Sprintf(format, args...)}
}

// Decode reads one request. The error is an [*Error] of code InvalidRequest.
func Decode(line []byte) (*Request, error) {
	var r Request
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, invalid("the line is no request: %s", plain(err))
	}
	switch {
	case r.Action == "":
		return nil, invalid("the request has no action")
	case r.Resource == "":
		return nil, invalid("the request has no resource")
	}
	return &r, nil
}

// plain takes the Go out of a JSON error.
func plain(err error) string {
	if syn, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		where := ""
		if syn.JSONPointer != "" {
			where = " in " + string(syn.JSONPointer)
		}
		return fmt.Sprintf("byte %d%s: %s", syn.ByteOffset+1, where, strings.TrimPrefix(syn.Err.Error(), "jsontext: "))
	}
	if sem, ok := errors.AsType[*json.SemanticError](err); ok {
		text := fmt.Sprintf("%s has the wrong type of value", at(sem.JSONPointer))
		if sem.JSONKind != 0 {
			text += " (" + sem.JSONKind.String() + ")"
		}
		return text
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

func at(p jsontext.Pointer) string {
	if p == "" {
		return "it"
	}
	return string(p)
}

// Decide answers r. The error is an [*Error].
func (r *Request) Decide() (*Answer, error) {
	ctx, err := r.Context.facts()
	if err != nil {
		return nil, err
	}
	var docs []policy.Named
	for _, list := range []struct {
		name, source string
		docs         []jsontext.Value
	}{{"policies", policy.SourceCertificate, r.Policies}, {"groupPolicies", policy.SourceGroup + "simulated", r.GroupPolicies}} {
		for i, raw := range list.docs {
			name := list.name + "[" + strconv.Itoa(i) + "]"
			doc, err := document(name, raw)
			if err != nil {
				return nil, err
			}
			docs = append(docs, policy.Named{Name: name, Source: list.source, Doc: doc})
		}
	}
	d, bad := policy.Compile(docs...).ExplainARN(ctx, policy.Action(r.Action), r.Resource)
	if bad != nil {
		return nil, invalid("%v", bad)
	}
	answer := AnswerOf(&d)
	answer.Notes = r.unknown()
	return answer, nil
}

// document parses a document that is an object, or a string that holds one.
func document(name string, raw jsontext.Value) (*policy.Document, error) {
	text := []byte(raw)
	if raw.Kind() == '"' {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, &Error{Code: InvalidRequest, Policy: name, Message: plain(err)}
		}
		text = []byte(s)
	}
	doc, err := policy.Parse(bytes.TrimSpace(text))
	if err != nil {
		e := &Error{Code: MalformedPolicy, Policy: name, Message: err.Error()}
		if syn, ok := errors.AsType[*policy.SyntaxError](err); ok {
			e.Position = &syn.Position
		}
		return nil, e
	}
	return doc, nil
}

// unknown names the members that the contract does not have: most often a typo,
// which would otherwise silently be an unknown fact.
func (r *Request) unknown() []string {
	var notes []string
	add := func(prefix string, members map[string]jsontext.Value) {
		for name := range members {
			notes = append(notes, "ignored: "+prefix+name)
		}
	}
	add("", r.Unknown)
	add("context.", r.Context.Unknown)
	if t := r.Context.Thing; t != nil {
		add("context.thing.", t.Unknown)
	}
	if c := r.Context.Certificate; c != nil {
		add("context.certificate.", c.Unknown)
	}
	slices.Sort(notes)
	return notes
}

// facts turns c into what policies use.
func (c *Context) facts() (*policy.Context, error) {
	ctx := &policy.Context{
		ClientID:                 c.ClientID,
		ConnectAttributes:        c.ConnectAttributes,
		LastWillTopic:            c.LastWillTopic,
		DomainName:               c.DomainName,
		SourceVPC:                c.SourceVPC,
		SourceVPCE:               c.SourceVPCE,
		IncludeSocketInformation: c.IncludeSocketInformation,
		Topic:                    c.Topic,
		CognitoID:                c.CognitoIdentityID,
		SecureTransport:          c.SecureTransport,
	}
	switch strings.ToLower(c.Protocol) {
	case "", "mqtt", "mqtts":
		ctx.Protocol = policy.MQTT
	case "wss", "ws":
		ctx.Protocol = policy.WSS
	case "http", "https":
		ctx.Protocol = policy.HTTP
	default:
		return nil, invalid("context.protocol is %q; it must be mqtt, wss or http", c.Protocol)
	}
	var err error
	if ctx.SourceIP, err = address("sourceIp", c.SourceIP); err != nil {
		return nil, err
	}
	if ctx.VPCSourceIP, err = address("vpcSourceIp", c.VPCSourceIP); err != nil {
		return nil, err
	}
	if c.CurrentTime != "" {
		now, err := time.Parse(time.RFC3339, c.CurrentTime)
		if err != nil {
			return nil, invalid("context.currentTime is %q; write it as 2026-01-31T12:00:00Z", c.CurrentTime)
		}
		ctx.Now = func() time.Time { return now }
	}
	if t := c.Thing; t != nil {
		ctx.Thing = &policy.Thing{Name: t.Name, Type: t.Type, Attributes: t.Attributes, Attached: t.Attached}
		switch t.PrincipalType {
		case "", "NON_EXCLUSIVE_THING":
		case "EXCLUSIVE_THING":
			ctx.Thing.Exclusive = true
		default:
			return nil, invalid("context.thing.principalType is %q; it must be EXCLUSIVE_THING or NON_EXCLUSIVE_THING", t.PrincipalType)
		}
	}
	if ctx.Certificate, err = c.Certificate.facts(); err != nil {
		return nil, err
	}
	return ctx, nil
}

func address(name, text string) (netip.Addr, error) {
	if text == "" {
		return netip.Addr{}, nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return addr, invalid("context.%s is %q, which is no IP address", name, text)
	}
	return addr, nil
}

func (c *Certificate) facts() (*policy.Certificate, error) {
	if c == nil {
		return nil, nil
	}
	lists := func(m map[string]values) map[string][]string {
		out := make(map[string][]string, len(m))
		for name, list := range m {
			out[name] = list
		}
		return out
	}
	facts := &policy.Certificate{
		ID: c.CertificateID, Subject: lists(c.Subject), Issuer: lists(c.Issuer),
		SubjectAltName: lists(c.SubjectAltName), IssuerAltName: lists(c.IssuerAltName),
	}
	if c.SerialNumber != "" {
		hex := strings.TrimPrefix(strings.ToLower(strings.ReplaceAll(c.SerialNumber, ":", "")), "0x")
		n, ok := new(big.Int).SetString(hex, 16)
		if !ok || n.Sign() < 0 || len(hex) > 128 {
			return nil, invalid("context.certificate.serialNumber is %q; it must be hexadecimal", c.SerialNumber)
		}
		facts.SerialNumber = n.Text(10)
	}
	return facts, nil
}
