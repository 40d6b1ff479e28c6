package devicelog

import (
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
)

// timeForm is how entries write a time, in UTC. Source: logs sheet 3.1.
const timeForm = "2006-01-02 15:04:05.000"

// home is whose log it is.
type home struct{ account, region string }

// An entry is the members of a log entry in the making. Members without a value
// are left out.
type entry struct{ json []byte }

// write makes the members of the entry of e, those between the level, which
// importance tells, and the end, in AWS's order. Source: logs sheet 3.
func (b *entry) write(h home, at time.Time, w observe.Who, e *observe.Event) {
	b.json = b.json[:0]
	if e.TraceID != "" {
		w.TraceID = e.TraceID
	}
	b.text("traceId", w.TraceID)
	if e.Kind == observe.Queued { // its own order
		b.name("accountId", h.account)
		b.text("topicName", e.Topic)
		b.text("clientId", w.ClientID)
		b.name("qos", "1")
		b.name("protocol", w.Protocol.String())
		b.name("eventType", eventKinds[e.Kind].name)
		b.name("status", status(e.Outcome))
		b.failure(h, w, e)
		b.end(h, w, e)
		return
	}
	if e.Kind == observe.RuleNotFound { // of the rules engine, which knows no protocol and no address
		b.name("accountId", h.account)
		b.name("status", status(e.Outcome))
		b.name("eventType", eventKinds[e.Kind].name)
		b.text("clientId", w.ClientID)
		b.text("topicName", e.Topic)
		b.text("ruleName", e.Rule)
		b.text("principalId", w.PrincipalID)
		b.failure(h, w, e)
		b.end(h, w, e)
		return
	}
	b.head(h, e.Kind, e.Outcome, w.Protocol)
	switch e.Kind {
	case observe.AuthNError, observe.HandshakeRefused:
		b.refused(h, w, e)
		b.end(h, w, e)
		return
	case observe.Ping:
		if e.Outcome == observe.Success {
			b.number("latency", int(max(0, at.Sub(e.Requested))/time.Millisecond))
		}
		b.time("requestTimestamp", e.Requested)
		if e.Outcome == observe.Success {
			b.time("responseTimestamp", at)
		}
	case observe.GetRetainedMessage:
		b.text("topicName", e.Topic)
		if e.Outcome == observe.Success {
			b.name("qos", strconv.Itoa(int(e.QoS)))
			b.time("lastModifiedDate", e.LastModified)
		}
	default:
		b.text("topicName", e.Topic)
	}
	if e.Kind == observe.Subscribe && e.V5 {
		b.subscriptions(e.Filters)
	}
	if e.Kind != observe.GetRetainedMessage && e.Kind != observe.ListRetainedMessages {
		b.who(w, e)
	}
	if e.Retain {
		b.retained()
	}
	if e.MaxResults > 0 {
		b.number("maxResults", e.MaxResults)
	}
	b.failure(h, w, e)
	b.text("disconnectReason", e.DisconnectReason)
	if e.Confirmation {
		b.number("timeout", e.Timeout)
	}
	b.end(h, w, e)
}

func status(o observe.Outcome) string {
	if o == observe.Success {
		return "Success"
	}
	return "Failure"
}

// head writes what an entry is about.
func (b *entry) head(h home, kind observe.Kind, o observe.Outcome, p observe.Protocol) {
	b.name("accountId", h.account)
	b.name("status", status(o))
	b.name("eventType", eventKinds[kind].name)
	b.name("protocol", p.String())
}

// who writes whose event it is.
func (b *entry) who(w observe.Who, e *observe.Event) {
	b.text("clientId", w.ClientID)
	b.text("principalId", w.PrincipalID)
	if e.Kind == observe.SendDirectMessage {
		b.member("confirmation")
		b.json = strconv.AppendBool(b.json, e.Confirmation)
	}
	b.address("sourceIp", "sourcePort", w.Source)
}

func (b *entry) retained() { b.name("retain", "True") }

// failure writes why an event failed.
func (b *entry) failure(h home, w observe.Who, e *observe.Event) {
	if e.Outcome == observe.Success {
		return
	}
	reason, details := explain(h, w, e)
	b.text("reason", reason)
	b.text("details", details)
}

// refused writes the members of a connection that was refused before its CONNECT
// was authorized. Source: logs sheet 3.2, 3.3.
func (b *entry) refused(h home, w observe.Who, e *observe.Event) {
	if e.Kind == observe.AuthNError {
		b.name("authenticationType", e.AuthN().Type)
	}
	b.text("clientId", w.ClientID)
	b.text("principalId", w.PrincipalID)
	b.address("sourceIp", "sourcePort", w.Source)
	if e.Attempt != nil {
		b.address("targetIp", "targetPort", e.Attempt.Local)
		b.text("serverNameIndication", e.Attempt.SNI)
	}
	b.failure(h, w, e)
}

// end adds Gatehouse's own finding, one object that AWS's queries do not see.
// Source: logs sheet 3.5.
func (b *entry) end(h home, w observe.Who, e *observe.Event) {
	if c := e.Check; c != nil {
		b.member("gatehouse")
		b.json = append(b.json, '{')
		b.name("check", c.Code)
		b.name("stage", c.Stage.String())
		b.text("expected", field(e.Evidence, "required"))
		b.text("actual", field(e.Evidence, "offered"))
		b.text("cause", c.CauseWith(values(h, w, e)))
		b.json = append(b.json, '}')
	}
}

// values are the evidence of the check, and what is known of the attempt.
func values(h home, w observe.Who, e *observe.Event) check.Values {
	return func(name string) (string, bool) {
		v := field(e.Evidence, name)
		if v == "" && e.Attempt != nil {
			v = field(e.Attempt.Facts, name)
		}
		if v == "" {
			switch name {
			case "client_id":
				v = w.ClientID
			case "principal", "certificate", "certificate_id":
				v = w.PrincipalID
			case "account":
				v = h.account
			case "region":
				v = h.region
			case "sni":
				if e.Attempt != nil {
					v = e.Attempt.SNI
				}
			case "trace":
				v = w.TraceID
			case "source_ip":
				v = w.Source.Addr().String()
			case "topic":
				v = e.Topic
			}
		}
		return v, v != ""
	}
}

func field(fields []attempt.Field, key string) string {
	for _, f := range fields {
		if f.Key == key {
			return f.Value
		}
	}
	return ""
}

func (b *entry) subscriptions(filters []observe.Filter) {
	if len(filters) == 0 {
		return
	}
	b.member("subscriptions")
	b.json = append(b.json, '[')
	for i, f := range filters {
		if i > 0 {
			b.json = append(b.json, ',')
		}
		b.json = append(b.json, '{')
		b.text("topicName", f.Topic)
		b.number("reasonCode", int(f.Code))
		b.json = append(b.json, '}')
	}
	b.json = append(b.json, ']')
}

// member begins a member; name is our own.
func (b *entry) member(name string) {
	if n := len(b.json); n > 0 && b.json[n-1] != '{' && b.json[n-1] != '[' {
		b.json = append(b.json, ',')
	}
	b.json = append(b.json, '"')
	b.json = append(b.json, name...)
	b.json = append(b.json, '"', ':')
}

// name writes a value that needs no escapes.
func (b *entry) name(member, value string) {
	b.member(member)
	b.json = append(b.json, '"')
	b.json = append(b.json, value...)
	b.json = append(b.json, '"')
}

func (b *entry) number(member string, n int) {
	b.member(member)
	b.json = strconv.AppendInt(b.json, int64(n), 10)
}

func (b *entry) time(member string, t time.Time) {
	b.member(member)
	b.json = append(b.json, '"')
	b.json = t.UTC().AppendFormat(b.json, timeForm)
	b.json = append(b.json, '"')
}

func (b *entry) address(ip, port string, a netip.AddrPort) {
	if !a.IsValid() {
		return
	}
	b.member(ip)
	b.json = append(b.json, '"')
	b.json = a.Addr().Unmap().WithZone("").AppendTo(b.json)
	b.json = append(b.json, '"')
	b.number(port, int(a.Port()))
}

// maxText is how many bytes of a value an entry keeps.
const maxText = 4 << 10

// text writes a value from anywhere; an empty one is left out.
func (b *entry) text(member, value string) {
	if value == "" {
		return
	}
	if len(value) > maxText {
		value = value[:maxText]
	}
	b.member(member)
	b.json = appendQuoted(b.json, value)
}

// appendQuoted appends s as a JSON string. What is no UTF-8 becomes U+FFFD.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if r, size := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			b = append(append(b, s[start:i]...), "\uFFFD"...)
			i++
			start = i
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		default:
			const hex = "0123456789abcdef"
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
