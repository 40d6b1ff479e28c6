package mqttconn

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/broker"
)

// Topics of lifecycle events; the client ID follows. Source: mqtt sheet 17.
const (
	topicConnected     = "$aws/events/presence/connected/"
	topicDisconnected  = "$aws/events/presence/disconnected/"
	topicConnectFailed = "$aws/events/presence/connect_failed/"
	topicSubscribed    = "$aws/events/subscriptions/subscribed/"
	topicUnsubscribed  = "$aws/events/subscriptions/unsubscribed/"
)

// An event has the members of every lifecycle event, in AWS's order. The order of those that follow
// differs, so each kind embeds it and adds its own.
type event struct {
	ClientID  string `json:"clientId"`
	ThingName string `json:"thingName,omitempty"` // only of an exclusive attachment
	Timestamp int64  `json:"timestamp"`           // ms since the epoch
	EventType string `json:"eventType"`
}

// identifiers tell which connection an event is about.
type identifiers struct {
	SessionIdentifier   string `json:"sessionIdentifier"`
	PrincipalIdentifier string `json:"principalIdentifier"`
}

type connectedEvent struct { // mqtt sheet 17.1
	event
	identifiers
	IPAddress     string `json:"ipAddress"`
	VersionNumber int64  `json:"versionNumber"`
}

type disconnectedEvent struct { // mqtt sheet 17.2
	event
	ClientInitiatedDisconnect bool             `json:"clientInitiatedDisconnect"`
	DisconnectReason          disconnectReason `json:"disconnectReason"`
	identifiers
	VersionNumber int64 `json:"versionNumber"`
}

type connectFailedEvent struct { // mqtt sheet 17.4
	event
	ConnectFailureReason string `json:"connectFailureReason"`
	PrincipalIdentifier  string `json:"principalIdentifier"`
	SessionIdentifier    string `json:"sessionIdentifier"`
	IPAddress            string `json:"ipAddress"`
}

type subscriptionEvent struct { // mqtt sheet 17.5
	event
	identifiers
	Topics []string `json:"topics"`
}

// announceConnected tells that the session is open.
func (k *conn) announceConnected() {
	k.announce(topicConnected, func() any {
		return connectedEvent{k.event("connected"), k.identifiers(), k.info.Remote.Addr().String(), k.client.Number()}
	})
}

// announceDisconnected tells how an open session ended.
func (k *conn) announceDisconnected(why disconnectReason) {
	k.announce(topicDisconnected, func() any {
		return disconnectedEvent{k.event("disconnected"), why == clientInitiated, why, k.identifiers(), k.client.Number()}
	})
}

// announceConnectFailed tells that the policies refused the CONNECT or its will.
func (k *conn) announceConnectFailed() {
	k.announce(topicConnectFailed, func() any {
		id := k.identifiers()
		return connectFailedEvent{k.event("connect_failed"), "AUTHORIZATION_FAILED", id.PrincipalIdentifier, id.SessionIdentifier, k.info.Remote.Addr().String()}
	})
}

// announceSubscribed tells which filters of one SUBSCRIBE were granted.
func (k *conn) announceSubscribed(filters []string) {
	if len(filters) > 0 {
		k.announce(topicSubscribed, func() any {
			return subscriptionEvent{k.event("subscribed"), k.identifiers(), filters}
		})
	}
}

// announceUnsubscribed tells the filters of one UNSUBSCRIBE.
func (k *conn) announceUnsubscribed(filters []string) {
	if len(filters) > 0 {
		k.announce(topicUnsubscribed, func() any {
			return subscriptionEvent{k.event("unsubscribed"), k.identifiers(), filters}
		})
	}
}

func (k *conn) event(kind string) event {
	return event{ClientID: k.clientID, ThingName: k.exclusiveThing(), Timestamp: k.server.cfg.Now().UnixMilli(), EventType: kind}
}

// identifiers names the connection by its attempt: with the event in hand, its record is one look-up away.
func (k *conn) identifiers() identifiers {
	return identifiers{SessionIdentifier: k.at.ID(), PrincipalIdentifier: k.who.ID}
}

// exclusiveThing names the thing that the principal is attached to exclusively, or is empty.
func (k *conn) exclusiveThing() string {
	if a, ok := k.auth.(interface{ ExclusiveThing() string }); ok {
		return a.ExclusiveThing()
	}
	return ""
}

// announce publishes a lifecycle event, if anybody gets it: without a subscriber it costs a look-up
// in the index, and body is not called. It waits for nobody. Client IDs that contain a wildcard make
// no topic name, and have no events.
func (k *conn) announce(topic string, body func() any) {
	if strings.ContainsAny(k.clientID, "#+") {
		return
	}
	b := k.server.cfg.Broker
	route := b.NewRoute(topic + k.clientID)
	if !b.Reaches(route) {
		return
	}
	var payload bytes.Buffer
	enc := json.NewEncoder(&payload)
	enc.SetEscapeHTML(false) // filters hold "&" and "<" as they are
	if err := enc.Encode(body()); err != nil {
		panic("mqttconn: cannot encode a lifecycle event: " + err.Error()) // texts and numbers only
	}
	if k.work != nil {
		k.flush() // the answer that the event tells of comes first, also for the client itself
	}
	batch := broker.NewBatch(k.server.cfg.Now())
	b.Publish(batch, nil, route, &broker.Message{Payload: bytes.TrimSuffix(payload.Bytes(), []byte("\n")), QoS: 1})
	batch.Flush(nil, nil)
	batch.Release()
}
