package mqttconn

import (
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/broker/gcra"
)

// Sizes and shapes are the same in every profile: code that was written against Gatehouse must not
// break on AWS. Source: mqtt sheet 19.
const (
	maxClientID         = 128 // bytes
	maxTopic            = 256 // bytes, of a topic or a filter without $share/{name}/
	maxSlashes          = 7
	maxFilters          = 8 // in one SUBSCRIBE or UNSUBSCRIBE
	maxPayload          = 128 << 10
	maxPacket           = 149504 // the whole packet, announced to MQTT 5 clients
	maxTopicAlias       = 8
	maxInflight         = 100 // unacknowledged QoS 1 messages, each way
	maxMessageExpiry    = 604800 * time.Second
	maxContentType      = 256
	maxResponseTopic    = 256
	maxCorrelationData  = 256
	maxUserProperties   = 8 << 10
	minKeepAlive        = 30 // seconds. Source: mqtt sheet 14
	maxKeepAlive        = 1200
	maxTrackedClientIDs = 100_000 // connect rates kept in memory
	maxHints            = 4       // denials whose explanation is looked up at once
)

// Limits are the counts and rates of one profile. A zero field limits nothing.
// Source of every figure: mqtt sheet 19.
type Limits struct {
	ConnectPerClientID gcra.Rate // L-033DE216
	ConnectAccount     gcra.Rate // L-AEA1E176
	PublishConnection  gcra.Rate // L-083F3861: inbound and outbound together
	PublishAccount     gcra.Rate // L-4B33E451: inbound
	SubscribeAccount   gcra.Rate // L-589D5E1D: SUBSCRIBE requests
	Throughput         gcra.Rate // L-D9C66F9D: units of throughputUnit bytes, both directions together
	Subscriptions      int       // L-45957C13: on a connection
}

// throughputUnit is what the throughput meter counts in; a meter of single bytes would lose precision.
const throughputUnit = 64

// AWSLimits is the profile "aws": what AWS IoT Core documents.
var AWSLimits = Limits{
	ConnectPerClientID: gcra.PerSecond(1),
	ConnectAccount:     gcra.PerSecond(500),
	PublishConnection:  gcra.PerSecond(100),
	PublishAccount:     gcra.PerSecond(20_000),
	SubscribeAccount:   gcra.PerSecond(500),
	Throughput:         gcra.PerSecond(512 << 10 / throughputUnit),
	Subscriptions:      50,
}

// OpenLimits is the profile "open": rates and counts lifted.
var OpenLimits = Limits{Subscriptions: 1 << 20}

// Refusals says how refusals look to MQTT 3.1.1 clients. Source: mqtt sheet 2.1, 6.1, 6.3.
type Refusals struct {
	ConnectDenied   ConnectDenied
	SubscribeDenied SubscribeDenied
	SubscribeQoS2   SubscribeQoS2
}

// ConnectDenied is the switch v3ConnectDenied.
type ConnectDenied int

// What a denied CONNECT is answered.
const (
	ConnectClose    ConnectDenied = iota // close without CONNACK, as AWS does
	ConnectConnack5                      // CONNACK 5, then close
)

// SubscribeDenied is the switch v3SubscribeDenied.
type SubscribeDenied int

// What a denied SUBSCRIBE is answered.
const (
	SubscribeClose           SubscribeDenied = iota // close without SUBACK
	SubscribeSuback                                 // SUBACK 0x80 for the denied filters, grant the rest
	SubscribeSubackThenClose                        // SUBACK 0x80, then close
)

// SubscribeQoS2 is the switch v3SubscribeQoS2.
type SubscribeQoS2 int

// What a SUBSCRIBE with QoS 2 is answered.
const (
	SubscribeQoS2Close     SubscribeQoS2 = iota // close
	SubscribeQoS2Downgrade                      // grant QoS 1
)

// The two values of the flag --refusals.
var (
	AWSRefusals     = Refusals{}
	ExplainRefusals = Refusals{ConnectDenied: ConnectConnack5, SubscribeDenied: SubscribeSuback, SubscribeQoS2: SubscribeQoS2Downgrade}
)
