package devicelog

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
)

var (
	at   = time.Date(2026, 5, 11, 8, 14, 2, 117e6, time.UTC)
	here = home{"111122223333", "eu-central-1"}
)

// TestEntries: of each event type the entry, with its members in AWS's order. Source: logs sheet 3.2, 3.4.
func TestEntries(t *testing.T) {
	const (
		head   = `{"timestamp":"2026-05-11 08:14:02.117","logLevel":"INFO","traceId":"5c0d7a41-93be-2f18-7d60-1e9b44a0c3f2","accountId":"111122223333","status":"Success","eventType":`
		failed = `{"timestamp":"2026-05-11 08:14:02.117","logLevel":"ERROR","traceId":"5c0d7a41-93be-2f18-7d60-1e9b44a0c3f2","accountId":"111122223333","status":"Failure","eventType":`
		device = `"clientId":"boiler-12","principalId":"7be1c0ffee","sourceIp":"192.0.2.31","sourcePort":52044`
	)
	http := who
	http.Protocol = observe.HTTP
	rec := &attempt.Record{Local: netip.MustParseAddrPort("203.0.113.80:8883"), SNI: "abc123-ats.iot.eu-central-1.example.net", CertificateID: "7be1c0ffee"}
	for name, tt := range map[string]struct {
		who  observe.Who
		e    observe.Event
		want string
	}{
		"Connect": {who, observe.Event{Kind: observe.Connect}, head + `"Connect","protocol":"MQTT",` + device + `}`},
		"Connect denied": {who, observe.Event{Kind: observe.Connect, Outcome: observe.AuthError}, failed + `"Connect","protocol":"MQTT",` + device +
			`,"reason":"AUTHORIZATION_FAILURE","details":"Authorization Failure"}`},
		"Connect throttled": {
			who,
			observe.Event{Kind: observe.Connect, Outcome: observe.ClientIDThrottle, Check: check.LimitConnectRateClientID, Evidence: []attempt.Field{attempt.F("offered", "boiler-12"), attempt.F("required", "1 a second")}},
			failed + `"Connect","protocol":"MQTT",` + device + `,"reason":"THROTTLED","details":"The client ID boiler-12 connected again too soon; the limit is 1 a second.",` +
				`"gatehouse":{"check":"limit.connect_rate.client_id","stage":"session","expected":"1 a second","actual":"boiler-12","cause":"The client ID boiler-12 connected again too soon; the limit is 1 a second."}}`,
		},
		"Disconnect":   {who, observe.Event{Kind: observe.Disconnect, DisconnectReason: "CLIENT_INITIATED_DISCONNECT"}, head + `"Disconnect","protocol":"MQTT",` + device + `,"disconnectReason":"CLIENT_INITIATED_DISCONNECT"}`},
		"Disconnected": {who, observe.Event{Kind: observe.Disconnect, Outcome: observe.ClientError, DisconnectReason: "DUPLICATE_CLIENTID"}, failed + `"Disconnect","protocol":"MQTT",` + device + `,"reason":"DUPLICATE_CLIENT_ID","details":"A new connection was established with the same client ID","disconnectReason":"DUPLICATE_CLIENTID"}`},
		"Ping":         {who, observe.Event{Kind: observe.Ping, Requested: at.Add(-6 * time.Millisecond)}, strings.Replace(head, "INFO", "DEBUG", 1) + `"Ping","protocol":"MQTT","latency":6,"requestTimestamp":"2026-05-11 08:14:02.111","responseTimestamp":"2026-05-11 08:14:02.117",` + device + `}`},
		"Ping failed": {
			who,
			observe.Event{Kind: observe.Ping, Outcome: observe.ClientError, Requested: at, Reason: "CONNECTION_ALREADY_CLOSED", Details: "Connection has already closed"},
			failed + `"Ping","protocol":"MQTT","requestTimestamp":"2026-05-11 08:14:02.117",` + device + `,"reason":"CONNECTION_ALREADY_CLOSED","details":"Connection has already closed"}`,
		},
		"Connection.AuthNError": {
			observe.Who{TraceID: who.TraceID, PrincipalID: who.PrincipalID, Source: who.Source},
			observe.Event{Kind: observe.AuthNError, Outcome: observe.AuthError, Check: check.CertInactive, Attempt: rec, Evidence: []attempt.Field{attempt.F("certificate", "7be1c0ffee"), attempt.F("status", "INACTIVE")}},
			failed + `"Connection.AuthNError","protocol":"MQTT","authenticationType":"AWS_X509","principalId":"7be1c0ffee","sourceIp":"192.0.2.31","sourcePort":52044,"targetIp":"203.0.113.80","targetPort":8883,` +
				`"serverNameIndication":"abc123-ats.iot.eu-central-1.example.net","reason":"DEVICE_CERTIFICATE_INACTIVE","details":"Device certificate is not active",` +
				`"gatehouse":{"check":"cert.inactive","stage":"certificate","cause":"Certificate 7be1c0ffee has status INACTIVE; only ACTIVE certificates may connect."}}`,
		},
		"Publish-In":  {who, observe.Event{Kind: observe.PublishIn, Topic: "boiler/12/state", Retain: true}, head + `"Publish-In","protocol":"MQTT","topicName":"boiler/12/state",` + device + `,"retain":"True"}`},
		"Publish-Out": {who, observe.Event{Kind: observe.PublishOut, Topic: "boiler/12/state", TraceID: "e3c4"}, strings.Replace(head, who.TraceID, "e3c4", 1) + `"Publish-Out","protocol":"MQTT","topicName":"boiler/12/state",` + device + `}`},
		"Publish over HTTPS": {
			observe.Who{Protocol: observe.HTTP, TraceID: who.TraceID, PrincipalID: "AIDAEXAMPLE1", Source: who.Source},
			observe.Event{Kind: observe.PublishIn, Topic: "a"},
			head + `"Publish-In","protocol":"HTTP","topicName":"a","principalId":"AIDAEXAMPLE1","sourceIp":"192.0.2.31","sourcePort":52044}`,
		},
		"Queued": {
			observe.Who{TraceID: who.TraceID, ClientID: "boiler-14", PrincipalID: "x"},
			observe.Event{Kind: observe.Queued, Topic: "boiler/14/cmd", QoS: 1},
			`{"timestamp":"2026-05-11 08:14:02.117","logLevel":"INFO","traceId":"5c0d7a41-93be-2f18-7d60-1e9b44a0c3f2","accountId":"111122223333","topicName":"boiler/14/cmd","clientId":"boiler-14","qos":"1","protocol":"MQTT","eventType":"Queued","status":"Success"}`,
		},
		"Queued throttled": {
			observe.Who{ClientID: "boiler-14"},
			observe.Event{Kind: observe.Queued, Outcome: observe.ServerError, Topic: "t"},
			`{"timestamp":"2026-05-11 08:14:02.117","logLevel":"ERROR","accountId":"111122223333","topicName":"t","clientId":"boiler-14","qos":"1","protocol":"MQTT","eventType":"Queued","status":"Failure","details":"Server Error"}`,
		},
		"Subscribe": {who, observe.Event{Kind: observe.Subscribe, Topic: "boiler/12/#"}, head + `"Subscribe","protocol":"MQTT","topicName":"boiler/12/#",` + device + `}`},
		"Subscribe, MQTT 5": {
			who,
			observe.Event{Kind: observe.Subscribe, V5: true, Topic: "site/+/alarm,$nope/x", Filters: []observe.Filter{{Topic: "site/+/alarm", Code: 1}, {Topic: "$nope/x", Code: 143}}},
			head + `"Subscribe","protocol":"MQTT","topicName":"site/+/alarm,$nope/x","subscriptions":[{"topicName":"site/+/alarm","reasonCode":1},{"topicName":"$nope/x","reasonCode":143}],` + device + `}`,
		},
		"Unsubscribe":         {who, observe.Event{Kind: observe.Unsubscribe}, head + `"Unsubscribe","protocol":"MQTT",` + device + `}`},
		"GetRetainedMessage":  {http, observe.Event{Kind: observe.GetRetainedMessage, Topic: "boiler/12/state", QoS: 1, LastModified: at.Add(8 * time.Second)}, head + `"GetRetainedMessage","protocol":"HTTP","topicName":"boiler/12/state","qos":"1","lastModifiedDate":"2026-05-11 08:14:10.117"}`},
		"ListRetainedMessage": {http, observe.Event{Kind: observe.ListRetainedMessages}, head + `"ListRetainedMessage","protocol":"HTTP"}`},
		"DeleteConnection":    {http, observe.Event{Kind: observe.DeleteConnection}, head + `"DeleteConnection","protocol":"HTTP",` + device + `}`},
		"GetConnection":       {http, observe.Event{Kind: observe.GetConnection}, head + `"GetConnection","protocol":"HTTP",` + device + `}`},
		"ListSubscriptions":   {http, observe.Event{Kind: observe.ListSubscriptions, MaxResults: 100}, head + `"ListSubscriptions","protocol":"HTTP",` + device + `,"maxResults":100}`},
		"SendDirectMessage": {
			http,
			observe.Event{Kind: observe.SendDirectMessage, Outcome: observe.ClientError, Topic: "cmd/restart", Confirmation: true, Timeout: 5, Reason: "TARGET_CLIENT_NOT_CONNECTED", Details: "The target client ID is not connected"},
			failed + `"SendDirectMessage","protocol":"HTTP","topicName":"cmd/restart","clientId":"boiler-12","principalId":"7be1c0ffee","confirmation":true,"sourceIp":"192.0.2.31","sourcePort":52044,` +
				`"reason":"TARGET_CLIENT_NOT_CONNECTED","details":"The target client ID is not connected","timeout":5}`,
		},
		"RuleNotFound": {
			who,
			observe.Event{
				Kind: observe.RuleNotFound, Outcome: observe.ClientError, Topic: "$aws/rules/Archve/boiler/12", Rule: "Archve", Check: check.TopicServiceNotBuilt,
				Evidence: []attempt.Field{attempt.F("topic", "$aws/rules/Archve/boiler/12"), attempt.F("service", "the rules engine")},
			},
			failed + `"RuleNotFound","clientId":"boiler-12","topicName":"$aws/rules/Archve/boiler/12","ruleName":"Archve","principalId":"7be1c0ffee","reason":"RuleNotFound","details":"Rule Archve not found",` +
				`"gatehouse":{"check":"topic.service_not_built","stage":"protocol","cause":"The message on $aws/rules/Archve/boiler/12 was accepted, but the rules engine is not built in this version of Gatehouse: nothing acts on the topic, and nothing answers."}}`,
		},
		"Gatehouse.ConnectionRefused": {
			observe.Who{TraceID: who.TraceID, Source: who.Source},
			observe.Event{Kind: observe.HandshakeRefused, Outcome: observe.ClientError, Check: check.TLSSNIUnknown, Attempt: &attempt.Record{Local: rec.Local, SNI: "x"}, Evidence: []attempt.Field{attempt.F("offered", "x"), attempt.F("required", "localhost")}},
			failed + `"Gatehouse.ConnectionRefused","protocol":"MQTT","sourceIp":"192.0.2.31","sourcePort":52044,"targetIp":"203.0.113.80","targetPort":8883,"serverNameIndication":"x","reason":"CLIENT_ERROR","details":"The device asked for x; this gateway answers to localhost.",` +
				`"gatehouse":{"check":"tls.sni.unknown","stage":"tls","expected":"localhost","actual":"x","cause":"The device asked for x; this gateway answers to localhost."}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := logged(func(l *Log) { tt.e.Time = at; l.Log(&observe.Request{Is: tt.who}, &tt.e) })
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if !json.Valid([]byte(got)) {
				t.Error("it is no JSON")
			}
			if tt.e.Kind != observe.PublishOut && (tt.e.Kind != observe.PublishIn || tt.e.Outcome != observe.Success) {
				return
			}
			by := &observe.Request{Is: tt.who}
			for range 2 { // the second is of what is known from the first
				got := logged(func(l *Log) {
					l.Passed(by, observe.Passage{Kind: tt.e.Kind, Outcome: tt.e.Outcome, Check: tt.e.Check, Time: at, Topic: tt.e.Topic, TraceID: tt.e.TraceID, Retain: tt.e.Retain})
				})
				if got != tt.want {
					t.Errorf("passed: got  %s\nwant %s", got, tt.want)
				}
			}
		})
	}
}

// logged returns the entry that log makes.
func logged(log func(l *Log)) string {
	out := &sink{}
	l, levels := &Log{home: here, shared: newShared(here)}, &snapshot{}
	for kind := range levels.to {
		levels.to[kind] = out
	}
	l.levels.Store(levels)
	log(l)
	return strings.Join(out.lines, "\n")
}

// TestReasons: every refusal in authentication gets one of AWS's reasons, with AWS's sentence. Source: custom-auth sheet 10.1.
func TestReasons(t *testing.T) {
	for _, c := range check.All() {
		if kind, told := observe.AtEnd(c); !told || kind != observe.AuthNError {
			continue
		}
		reason, details := explain(here, who, &observe.Event{Kind: observe.AuthNError, Outcome: observe.AuthError, Check: c})
		if details == "" || reasonDetails[reason] != details {
			t.Errorf("%s: reason %q, details %q", c, reason, details)
		}
	}
	for name, c := range map[string]*check.Check{
		"AWS_X509": check.CertInactive, "AWS_SIGV4": check.SigV4Signature, "CUSTOM_AUTH": check.AuthorizerRejected,
	} {
		if got := (&observe.Event{Check: c}).AuthN().Type; got != name {
			t.Errorf("%s: authentication type %s, want %s", c, got, name)
		}
	}
	if got := (&observe.Event{Check: check.AuthorizerRejected, Attempt: &attempt.Record{CertificateID: "x"}}).AuthN().Type; got != "CUSTOM_AUTH_X509" {
		t.Errorf("an authorizer beside a certificate: %s", got)
	}
}

// FuzzEntry: whatever a device calls itself, its entry is one line of JSON that says so.
func FuzzEntry(f *testing.F) {
	f.Add("boiler-12", "a/b")
	f.Add("\"\\\n\x00\x7f", "\xff\xfe caf\u00e9 \u2028")
	f.Fuzz(func(t *testing.T, clientID, topic string) {
		by := &observe.Request{Is: observe.Who{ClientID: clientID}}
		got := logged(func(l *Log) { l.Log(by, &observe.Event{Kind: observe.PublishIn, Time: at, Topic: topic}) })
		var back struct{ ClientID, TopicName string }
		if err := json.Unmarshal([]byte(got), &back); err != nil || strings.ContainsAny(got, "\n\r") || !utf8.ValidString(got) {
			t.Fatalf("%v: %q", err, got)
		}
		if passed := logged(func(l *Log) { l.Passed(by, observe.Passage{Kind: observe.PublishIn, Time: at, Topic: topic}) }); passed != got {
			t.Errorf("passed: %s, logged: %s", passed, got)
		}
		if want := strings.ToValidUTF8(clientID, ""); len(clientID) < maxText && want == clientID && back.ClientID != clientID {
			t.Errorf("client ID %q became %q", clientID, back.ClientID)
		}
	})
}
