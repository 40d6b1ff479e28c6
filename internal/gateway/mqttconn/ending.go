package mqttconn

import (
	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// A disconnectReason is AWS's word for why a connection ended. Source: mqtt sheet 13.
type disconnectReason string

const (
	clientInitiated disconnectReason = "CLIENT_INITIATED_DISCONNECT"
	connectionLost  disconnectReason = "CONNECTION_LOST"
	keepAliveOver   disconnectReason = "MQTT_KEEP_ALIVE_TIMEOUT"
	duplicateClient disconnectReason = "DUPLICATE_CLIENTID"
	clientError     disconnectReason = "CLIENT_ERROR"
	authError       disconnectReason = "AUTH_ERROR"
	forbidden       disconnectReason = "FORBIDDEN_ACCESS"
	throttled       disconnectReason = "THROTTLED"
	serverInitiated disconnectReason = "SERVER_INITIATED_DISCONNECT"
	serverFault     disconnectReason = "SERVER_ERROR"
	apiInitiated    disconnectReason = "API_INITIATED_DISCONNECT"
	webSocketTTL    disconnectReason = "WEBSOCKET_TTL_EXPIRATION"
	customAuthTTL   disconnectReason = "CUSTOMAUTH_TTL_EXPIRATION"
)

// An ending is how and why a connection ends: what an MQTT 5 client is told, what the record says,
// and whether the will is published.
type ending struct {
	code   mqtt.ReasonCode // of the DISCONNECT to an MQTT 5 client; 0: none is sent
	reason disconnectReason
	noWill bool   // only the client's own DISCONNECT keeps the will from being published
	answer []byte // encoded packets to send before the end

	// check and evidence go to the attempt; nil when the packet that ended the connection recorded
	// its check already.
	check    *check.Check
	evidence []attempt.Field
	note     bool // check is no refusal: record it as a warning
}

var (
	lost     = ending{reason: connectionLost, check: check.SessionLost, note: true}
	shutdown = ending{code: mqtt.ServerShuttingDown, reason: serverInitiated, check: check.ServerShuttingDown, note: true}
)

// reasonStrings tells whether failures name the attempt to the client, which can be looked up with
// gatehouse explain --trace: the ID says nothing by itself. Source: mqtt sheet 3.
func (k *conn) reasonStrings() bool {
	return k.version == mqtt.V5 && k.server.cfg.Refusals.ReasonStrings && !k.terse
}

// goodbye appends the DISCONNECT that an MQTT 5 client gets.
func (k *conn) goodbye(b []byte, code mqtt.ReasonCode) []byte {
	if !k.reasonStrings() {
		return mqtt.AppendDisconnect(b, mqtt.V5, code)
	}
	p := mqtt.Disconnect{Reason: code}
	p.Props.SetReasonString([]byte(k.at.ID()))
	b, err := p.Append(b, mqtt.V5)
	if err != nil {
		panic("mqttconn: cannot encode DISCONNECT: " + err.Error()) // every field is our own
	}
	return b
}
