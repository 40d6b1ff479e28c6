package iotdata

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/gateway/mqttconn"
	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// broker knows one client, "pump", and answers err for what it is asked to do.
type broker struct {
	connection mqttconn.Connection
	filters    []mqttconn.Subscription
	retained   []messagelog.RetainedSummary
	err        error

	noWill, endSession bool
	sent               mqttconn.DirectMessage
	wait               time.Duration
}

func (b *broker) Connection(id string) (mqttconn.Connection, bool) { return b.connection, id == "pump" }

func (b *broker) Disconnect(_ context.Context, _ string, noWill, endSession bool) error {
	b.noWill, b.endSession = noWill, endSession
	return b.err
}

func (b *broker) Subscriptions(string) ([]mqttconn.Subscription, error) { return b.filters, b.err }

func (b *broker) SendDirect(ctx context.Context, _ string, m mqttconn.DirectMessage) error {
	deadline, _ := ctx.Deadline()
	b.sent, b.wait = m, time.Until(deadline).Round(time.Second)
	return b.err
}

func (b *broker) RetainedMessage(topic string) (mqttconn.RetainedMessage, error) {
	return mqttconn.RetainedMessage{Topic: topic, Payload: []byte("on"), QoS: 1, Modified: time.UnixMilli(7), UserProperties: []mqtt.UserProperty{{Name: []byte("a"), Value: []byte("1")}}}, b.err
}

func (b *broker) RetainedMessages(after string, most int) ([]messagelog.RetainedSummary, error) {
	var page []messagelog.RetainedSummary
	for _, m := range b.retained {
		if m.Topic > after && len(page) < most {
			page = append(page, m)
		}
	}
	return page, b.err
}

// code is the exception that a client sees of err.
func code(err error) string {
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e.Code
	}
	if e := mapError(err); e != nil {
		return e.Code
	}
	return "" // an internal failure
}

// TestErrors: each refusal of the broker is the exception of the model. Source: mqtt sheet 18.
func TestErrors(t *testing.T) {
	b := &broker{}
	h := Handlers{Connections: b, Retained: b}
	for _, tt := range []struct {
		err    error
		code   string
		status int
	}{
		{mqttconn.ErrNotConnected, "ResourceNotFoundException", 404},
		{mqttconn.ErrNoRetained, "ResourceNotFoundException", 404},
		{mqttconn.ErrForbidden, "ForbiddenException", 403},
		{mqttconn.ErrTooLarge, "RequestEntityTooLargeException", 413},
		{mqttconn.ErrThrottled, "ThrottlingException", 429},
		{mqttconn.ErrNotAcknowledged, "GatewayTimeoutException", 504},
		{&mqttconn.InvalidError{Reason: "no"}, "InvalidRequestException", 400},
	} {
		b.err = tt.err
		_, err := h.SendDirectMessage(t.Context(), &SendDirectMessageRequest{ClientId: "pump", Topic: "t"})
		if e := mapError(err); e == nil || e.Code != tt.code || e.Status != tt.status {
			t.Errorf("%v: %+v, want %s %d", tt.err, e, tt.code, tt.status)
		}
	}
	if mapError(errors.New("broken")) != nil {
		t.Error("broken machinery has a text for clients")
	}
	for _, id := range []string{"", "$a", strings.Repeat("x", 129)} {
		_, deleted := h.DeleteConnection(t.Context(), &DeleteConnectionRequest{ClientId: id})
		_, got := h.GetConnection(t.Context(), &GetConnectionRequest{ClientId: id})
		_, listed := h.ListSubscriptions(t.Context(), &ListSubscriptionsRequest{ClientId: id})
		_, sent := h.SendDirectMessage(t.Context(), &SendDirectMessageRequest{ClientId: id, Topic: "t"})
		for i, err := range []error{deleted, got, listed, sent} {
			if code(err) != "InvalidRequestException" {
				t.Errorf("client ID %.9q, operation %d: %v", id, i, err)
			}
		}
	}
}

// TestGetConnection: sockets come only when asked for. Source: mqtt sheet 18.
func TestGetConnection(t *testing.T) {
	b := &broker{connection: mqttconn.Connection{
		ClientID: "pump", Connected: true, ThingName: "thing", SessionExpiry: time.Hour, KeepAlive: time.Minute,
		Source: netip.MustParseAddrPort("[::ffff:192.0.2.1]:5000"), Target: netip.MustParseAddrPort("[2001:db8::1]:8883"), ConnectedSince: time.UnixMilli(5),
	}}
	h := Handlers{Connections: b}
	want := &GetConnectionResponse{
		ClientId: new("pump"), Connected: new(true), ThingName: new("thing"), CleanSession: new(false), SessionExpiry: new(int64(3600)), KeepAliveDuration: new(int32(60)), ConnectedSince: new(int64(5)),
	}
	got, err := h.GetConnection(t.Context(), &GetConnectionRequest{ClientId: "pump"})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("without sockets: %v (-want +got):\n%s", err, diff)
	}
	want.SourceIp, want.SourcePort, want.TargetIp, want.TargetPort = new("192.0.2.1"), new(int32(5000)), new("2001:db8::1"), new(int32(8883))
	got, err = h.GetConnection(t.Context(), &GetConnectionRequest{ClientId: "pump", IncludeSocketInformation: new(true)})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("with sockets: %v (-want +got):\n%s", err, diff)
	}
	b.connection = mqttconn.Connection{ClientID: "pump", CleanSession: true, DisconnectedSince: time.UnixMilli(9), DisconnectReason: "CONNECTION_LOST"}
	got, err = h.GetConnection(t.Context(), &GetConnectionRequest{ClientId: "pump", IncludeSocketInformation: new(true)})
	if diff := cmp.Diff(&GetConnectionResponse{
		ClientId: new("pump"), Connected: new(false), CleanSession: new(true), SessionExpiry: new(int64(0)), DisconnectedSince: new(int64(9)), DisconnectReason: new("CONNECTION_LOST"),
	}, got); err != nil || diff != "" {
		t.Errorf("gone: %v (-want +got):\n%s", err, diff)
	}
	if _, err := h.GetConnection(t.Context(), &GetConnectionRequest{ClientId: "valve"}); code(err) != "ResourceNotFoundException" {
		t.Errorf("never here: %v", err)
	}
	if _, err := h.DeleteConnection(t.Context(), &DeleteConnectionRequest{ClientId: "pump", CleanSession: new(true), PreventWillMessage: new(true)}); err != nil || !b.noWill || !b.endSession {
		t.Errorf("DeleteConnection: %v, %+v", err, b)
	}
}

// TestPages: a page holds so many, and the next one goes on behind it.
func TestPages(t *testing.T) {
	b := &broker{}
	for _, name := range []string{"a", "b", "c"} {
		b.filters = append(b.filters, mqttconn.Subscription{Filter: name, QoS: 1})
		b.retained = append(b.retained, messagelog.RetainedSummary{Topic: name, PayloadSize: 2, QoS: 1, Modified: time.UnixMilli(7)})
	}
	h := Handlers{Connections: b, Retained: b}
	var filters, topics []string
	for token, n := (*string)(nil), 0; n == 0 || token != nil; n++ {
		out, err := h.ListSubscriptions(t.Context(), &ListSubscriptionsRequest{ClientId: "pump", MaxResults: new(int32(2)), NextToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range out.Subscriptions {
			filters = append(filters, s.TopicFilter)
		}
		filters, token = append(filters, "|"), out.NextToken
	}
	for token, n := (*string)(nil), 0; n == 0 || token != nil; n++ {
		out, err := h.ListRetainedMessages(t.Context(), &ListRetainedMessagesRequest{MaxResults: new(int32(2)), NextToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out.RetainedTopics {
			topics = append(topics, *m.Topic)
		}
		topics, token = append(topics, "|"), out.NextToken
	}
	want := []string{"a", "b", "|", "c", "|"}
	if diff := cmp.Diff(want, filters) + cmp.Diff(want, topics); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	if _, err := h.ListSubscriptions(t.Context(), &ListSubscriptionsRequest{ClientId: "pump", MaxResults: new(int32(0))}); code(err) != "InvalidRequestException" {
		t.Errorf("maxResults 0: %v", err)
	}
	if _, err := h.ListSubscriptions(t.Context(), &ListSubscriptionsRequest{ClientId: "pump", NextToken: new("x")}); code(err) != "InvalidRequestException" {
		t.Errorf("a token of nobody: %v", err)
	}
	one, err := h.GetRetainedMessage(t.Context(), &GetRetainedMessageRequest{Topic: "a/b"})
	if diff := cmp.Diff(&GetRetainedMessageResponse{
		Topic: new("a/b"), Payload: []byte("on"), Qos: new(int32(1)), LastModifiedTime: new(int64(7)), UserProperties: []byte(`[{"a":"1"}]`),
	}, one); err != nil || diff != "" {
		t.Errorf("GetRetainedMessage: %v (-want +got):\n%s", err, diff)
	}
}

// TestSendDirectMessage: what goes to the broker, and how long it may take. Source: mqtt sheet 18.
func TestSendDirectMessage(t *testing.T) {
	b := &broker{}
	h := Handlers{Connections: b}
	props := func(change func(*mqtt.Properties)) *mqtt.Properties {
		p := &mqtt.Properties{}
		change(p)
		return p
	}
	for name, tt := range map[string]struct {
		in   SendDirectMessageRequest
		want *mqtt.Properties
		wait time.Duration
		code string
	}{
		"plain":                  {in: SendDirectMessageRequest{}, want: &mqtt.Properties{}, wait: 5 * time.Second},
		"longest":                {in: SendDirectMessageRequest{Confirmation: new(true), Timeout: new(int32(15))}, want: &mqtt.Properties{}, wait: 15 * time.Second},
		"shortest":               {in: SendDirectMessageRequest{Confirmation: new(true), Timeout: new(int32(1))}, want: &mqtt.Properties{}, wait: time.Second},
		"too long":               {in: SendDirectMessageRequest{Confirmation: new(true), Timeout: new(int32(16))}, code: "InvalidRequestException"},
		"too short":              {in: SendDirectMessageRequest{Confirmation: new(true), Timeout: new(int32(0))}, code: "InvalidRequestException"},
		"ignored":                {in: SendDirectMessageRequest{Timeout: new(int32(99))}, want: &mqtt.Properties{}, wait: 5 * time.Second},
		"content type":           {in: SendDirectMessageRequest{ContentType: new("text/plain")}, want: props(func(p *mqtt.Properties) { p.SetContentType([]byte("text/plain")) }), wait: 5 * time.Second},
		"content type with NUL":  {in: SendDirectMessageRequest{ContentType: new("a\x00")}, code: "InvalidRequestException"},
		"response topic":         {in: SendDirectMessageRequest{ResponseTopic: new("a")}, want: props(func(p *mqtt.Properties) { p.SetResponseTopic([]byte("a")) }), wait: 5 * time.Second},
		"format":                 {in: SendDirectMessageRequest{PayloadFormatIndicator: new(PayloadFormatIndicatorUtf8Data)}, want: props(func(p *mqtt.Properties) { p.SetPayloadFormat(1) }), wait: 5 * time.Second},
		"correlation":            {in: SendDirectMessageRequest{CorrelationData: new("Nw==")}, want: props(func(p *mqtt.Properties) { p.SetCorrelationData([]byte("7")) }), wait: 5 * time.Second},
		"correlation, no base64": {in: SendDirectMessageRequest{CorrelationData: new("?")}, code: "InvalidRequestException"},
		"user properties":        {in: SendDirectMessageRequest{UserProperties: new(`[{"a":"1"},{"a":"2"}]`)}, want: props(func(p *mqtt.Properties) { p.AddUser("a", "1"); p.AddUser("a", "2") }), wait: 5 * time.Second},
		"user properties twice":  {in: SendDirectMessageRequest{UserProperties: new(`"[{\"a\":\"1\"}]"`)}, want: props(func(p *mqtt.Properties) { p.AddUser("a", "1") }), wait: 5 * time.Second},
		"user properties, pair":  {in: SendDirectMessageRequest{UserProperties: new(`[{"a":"1","b":"2"}]`)}, code: "InvalidRequestException"},
		"user properties, text":  {in: SendDirectMessageRequest{UserProperties: new(`a`)}, code: "InvalidRequestException"},
	} {
		*b = broker{}
		tt.in.ClientId, tt.in.Topic, tt.in.Payload = "pump", "t", []byte("go")
		out, err := h.SendDirectMessage(t.Context(), &tt.in)
		if code(err) != tt.code {
			t.Errorf("%s: %v, want %q", name, err, tt.code)
			continue
		}
		if tt.code != "" {
			continue
		}
		want := mqttconn.DirectMessage{Topic: "t", Payload: []byte("go"), Properties: tt.want, Confirm: tt.in.Confirmation != nil}
		if diff := cmp.Diff(want, b.sent); diff != "" || b.wait != tt.wait || *out.Message != "OK" {
			t.Errorf("%s: waits %v, want %v (-want +got):\n%s", name, b.wait, tt.wait, diff)
		}
	}
}
