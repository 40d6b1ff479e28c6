package mqttconn

import (
	"fmt"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/broker/gcra"
)

// Sizes and shapes are the same in every profile: code that was written against Gatehouse must not
// break on AWS. Source: mqtt sheet 19.
const (
	maxClientID        = 128 // bytes
	maxTopic           = 256 // bytes, of a topic or a filter without $share/{name}/
	maxSlashes         = 7
	maxFilters         = 8 // in one SUBSCRIBE or UNSUBSCRIBE
	maxPayload         = 128 << 10
	maxPacket          = 149504 // the whole packet, announced to MQTT 5 clients
	minClientPacket    = 1024   // the smallest that an MQTT 5 client may announce
	maxTopicAlias      = 8
	maxInflight        = 100 // unacknowledged QoS 1 messages, each way
	maxMessageExpiry   = 604800 * time.Second
	maxContentType     = 256
	maxResponseTopic   = 256
	maxCorrelationData = 256
	maxUserProperties  = 8 << 10
	minKeepAlive       = 30 // seconds. Source: mqtt sheet 14
	maxKeepAlive       = 1200
	maxTracked         = 100_000 // rates of one kind kept in memory
	maxHints           = 4       // denials whose explanation is looked up at once
)

// Limits are the counts and rates of one profile. A zero field limits nothing. Their figures stand
// in the table [quotas].
type Limits struct {
	ConnectPerClientID   gcra.Rate
	ConnectAccount       gcra.Rate
	Connections          int       // of the account
	PublishConnection    gcra.Rate // inbound and outbound together
	PublishAccount       gcra.Rate // inbound
	PublishOutAccount    gcra.Rate // outbound
	SubscribeAccount     gcra.Rate // SUBSCRIBE requests
	Throughput           gcra.Rate // units of throughputUnit bytes, both directions together
	Subscriptions        int       // on a connection
	SubscriptionsAccount int
	SessionExpiry        time.Duration // the longest that a session outlives its connection
	QueuedAccount        gcra.Rate     // messages stored for sessions without connection
	SessionQueue         int           // messages in the queue of a session or of a shared subscription group
	SessionBytes         int64         // and their size
	SessionDrain         gcra.Rate     // sending what was stored for one session before its connection
	SharedDrain          gcra.Rate     // sending from the queue of a shared subscription to one member
	SharedMembers        int           // of one shared subscription group
	SharedGroups         int           // of the account
	SharedRate           gcra.Rate     // requests that change one group
	RetainAccount        gcra.Rate     // publishes with RETAIN
	RetainTopic          gcra.Rate     // and those on one topic
	RetainedMessages     int           // of the account
	ListRetained         gcra.Rate     // requests of the API
	GetRetained          gcra.Rate     // likewise
}

// queueBound says in words how much may wait for a session or a shared subscription group.
func (l *Limits) queueBound() string {
	return fmt.Sprintf("%d messages or %d MiB", l.SessionQueue, l.SessionBytes>>20)
}

// throughputUnit is what the throughput meter counts in; a meter of single bytes would lose precision.
const throughputUnit = 64

// The two values of the flag --limits.
var (
	// AWSLimits is the profile "aws": what AWS IoT Core documents.
	AWSLimits = profile(func(q quota) int64 { return q.aws })
	// OpenLimits is the profile "open": rates and counts lifted.
	OpenLimits = profile(func(q quota) int64 { return q.open })
)

// Refusals says how refusals look on the wire. Source: mqtt sheet 2.1, 6.1, 6.3.
type Refusals struct {
	ConnectDenied   ConnectDenied
	SubscribeDenied SubscribeDenied
	SubscribeQoS2   SubscribeQoS2
	ReasonStrings   bool // MQTT 5 clients get the attempt's ID with a failure. Source: mqtt sheet 3
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
	ExplainRefusals = Refusals{ConnectDenied: ConnectConnack5, SubscribeDenied: SubscribeSuback, SubscribeQoS2: SubscribeQoS2Downgrade, ReasonStrings: true}
)
