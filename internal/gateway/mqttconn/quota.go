package mqttconn

import (
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/broker/gcra"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
	"github.com/gatehouse-iot/gatehouse/policy"
)

// A quota is one row of the table of limits.
type quota struct {
	name       string
	code       string // of Service Quotas, service iotcore; empty: AWS has none
	aws        int64  // in unit, with --limits aws
	open       int64  // with --limits open; 0: not limited
	unit       string
	adjustable bool
	check      *check.Check // what is recorded at the limit; nil: see where
	metric     string       // what counts it; empty: only what counts the operation's failures
	where      string       // who keeps the limit, if it is not the connection's own code
}

// The rows that the profiles are made of.
const (
	quotaConnectAccount = iota
	quotaConnectClientID
	quotaConnections
	quotaPublishAccount
	quotaPublishOutAccount
	quotaPublishConnection
	quotaThroughput
	quotaInflightIn
	quotaInflightOut
	quotaRetry
	quotaSubscriptionsAccount
	quotaSubscribeAccount
	quotaSubscriptions
	quotaFilters
	quotaSessionExpiry
	quotaQueued
	quotaSessionQueue
	quotaSessionBytes
	quotaSessionDrain
	quotaClientID
	quotaTopic
	quotaSlashes
	quotaPayload
	quotaWebSocket
	quotaKeepAlive
	quotaRetainAccount
	quotaRetainTopic
	quotaRetained
	quotaListRetained
	quotaGetRetained
	quotaSharedMembers
	quotaSharedGroups
	quotaSharedQueue
	quotaSharedDrain
	quotaSharedRate
	quotaTopicAlias
	quotaMessageExpiry
	quotaPacket
	quotaPacketMinimum
	quotaContentType
	quotaCorrelationData
	quotaUserProperties
	quotaPolicySize
	quotaPolicies
	quotaPolicyVersions
	quotaCAs
)

// quotas is the table: every figure that a connection, a session or a retained message meets, and
// those of policies and CAs, which the registry keeps. Shadows are not built.
// Source: mqtt sheet 19; what follows from each: mqtt sheet 20.
var quotas = [...]quota{
	quotaConnectAccount:       {name: "Connect requests per second per account", code: "L-AEA1E176", aws: 500, unit: "a second", adjustable: true, check: check.LimitConnectRateAccount, metric: "Connect.Throttle"},
	quotaConnectClientID:      {name: "Connect requests per second per client ID", code: "L-033DE216", aws: 1, unit: "a second", check: check.LimitConnectRateClientID, metric: "Connect.ClientIDThrottle"},
	quotaConnections:          {name: "Maximum concurrent client connections per account", code: "L-75CAB723", aws: 500_000, adjustable: true, check: check.LimitConnections, metric: "Connect.Throttle"},
	quotaPublishAccount:       {name: "Inbound publish requests per second per account", code: "L-4B33E451", aws: 20_000, unit: "a second", adjustable: true, check: check.LimitPublishRateAccount, metric: "PublishIn.Throttle"},
	quotaPublishOutAccount:    {name: "Outbound publish requests per second per account", code: "L-FE4EDCF9", aws: 20_000, unit: "a second", adjustable: true, check: check.LimitPublishOutRateAccount, metric: "PublishOut.Throttle"},
	quotaPublishConnection:    {name: "Publish requests per second per connection", code: "L-083F3861", aws: 100, unit: "a second", check: check.LimitPublishRate, metric: "Throttle.Exceeded"},
	quotaThroughput:           {name: "Throughput per second per connection", code: "L-D9C66F9D", aws: 512 << 10, unit: "bytes a second", check: check.LimitThroughput},
	quotaInflightIn:           {name: "Maximum inbound unacknowledged QoS 1 publish requests", code: "L-8736D8E0", aws: maxInflight, open: maxInflight, check: check.LimitInflight, metric: "PublishIn.ClientError"},
	quotaInflightOut:          {name: "Maximum outbound unacknowledged QoS 1 publish requests", code: "L-0DD80F19", aws: maxInflight, open: maxInflight, where: "the broker: what is above waits in the client's queue (delivery.queue_full when that is full)"},
	quotaRetry:                {name: "Maximum retry interval for delivering QoS 1 messages", code: "L-675FC798", aws: 3600, open: 3600, unit: "seconds", check: check.DeliveryNotAcked},
	quotaSubscriptionsAccount: {name: "Subscriptions per account", code: "L-52CBB99B", aws: 500_000, adjustable: true, check: check.LimitSubscriptionsAccount, metric: "Subscribe.Throttle"},
	quotaSubscribeAccount:     {name: "Subscribe requests per second per account", code: "L-589D5E1D", aws: 500, unit: "a second", adjustable: true, check: check.LimitSubscribeRateAccount, metric: "Subscribe.Throttle"},
	quotaSubscriptions:        {name: "Subscriptions per connection", code: "L-45957C13", aws: 50, open: 1 << 20, adjustable: true, check: check.LimitSubscriptions, metric: "Subscribe.Throttle"},
	quotaFilters:              {name: "Maximum subscriptions per subscribe request", code: "L-A6574E9E", aws: maxFilters, open: maxFilters, check: check.LimitTopicsPerPacket, metric: "Subscribe.ClientError"},
	quotaSessionExpiry:        {name: "Persistent session expiry period", code: "L-3BB6AFBC", aws: 3600, open: 604_800, unit: "seconds", adjustable: true, where: "cut to the limit: MQTT 5 clients learn the value from CONNACK"},
	quotaQueued:               {name: "Queued messages per second per account", code: "L-35DA9240", aws: 500, unit: "a second", adjustable: true, check: check.LimitQueuedRate, metric: "Queued.Throttle"},
	quotaSessionQueue:         {name: "Queued messages per session or shared subscription group", aws: 1000, open: 100_000, check: check.DeliveryOfflineQueueFull, metric: "Queued.Throttle"},
	quotaSessionBytes:         {name: "Size of the queued messages of a session or shared subscription group", aws: 16 << 20, open: 64 << 20, unit: "bytes", check: check.DeliveryOfflineQueueFull, metric: "Queued.Throttle"},
	quotaSessionDrain:         {name: "Stored messages sent per second to a resumed session", aws: 10, unit: "a second", where: "the broker: what is above waits"},
	quotaClientID:             {name: "Client ID size", code: "L-E2D9C89C", aws: maxClientID, open: maxClientID, unit: "bytes", check: check.LimitClientIDLength, metric: "Connect.ClientError"},
	quotaTopic:                {name: "Topic size", code: "L-ECD9BEEF", aws: maxTopic, open: maxTopic, unit: "bytes", check: check.LimitTopicLength, metric: "PublishIn.ClientError"},
	quotaSlashes:              {name: "Maximum number of slashes in topic and topic filter", code: "L-AD5A8D4F", aws: maxSlashes, open: maxSlashes, check: check.LimitTopicLevels, metric: "PublishIn.ClientError"},
	quotaPayload:              {name: "MQTT payload size", code: "L-13573643", aws: maxPayload, open: maxPayload, unit: "bytes", check: check.LimitPayload, metric: "PublishIn.ClientError"},
	quotaWebSocket:            {name: "WebSocket connection duration", code: "L-3F401592", aws: 86_400, open: 86_400, unit: "seconds", check: check.SessionMaxLifetime},
	quotaKeepAlive:            {name: "Connection inactivity (keep-alive interval)", code: "L-E77027EF", aws: maxKeepAlive, open: maxKeepAlive, unit: "seconds", check: check.KeepaliveAboveMax},
	quotaRetainAccount:        {name: "Retained message inbound publish requests per second per account", code: "L-BAFC6221", aws: 500, unit: "a second", adjustable: true, check: check.LimitRetainRateAccount, metric: "PublishRetained.Throttle"},
	quotaRetainTopic:          {name: "Retained message inbound publish requests per second per topic", code: "L-771FD74A", aws: 1, unit: "a second", check: check.LimitRetainRateTopic, metric: "PublishRetained.Throttle"},
	quotaRetained:             {name: "Retained messages per account", aws: 500_000, adjustable: true, check: check.LimitRetainedMessages, metric: "PublishRetained.Throttle"},
	quotaListRetained:         {name: "ListRetainedMessages requests per second", code: "L-0AA974E3", aws: 10, unit: "a second", adjustable: true, where: "the API: ThrottlingException"},
	quotaGetRetained:          {name: "GetRetainedMessage requests per second", code: "L-1243AB32", aws: 500, unit: "a second", adjustable: true, where: "the API: ThrottlingException"},
	quotaSharedMembers:        {name: "Shared subscriptions per group", code: "L-EB813241", aws: 100, adjustable: true, check: check.LimitSharedGroupMembers, metric: "Subscribe.Throttle"},
	quotaSharedGroups:         {name: "Shared subscription groups per account", code: "L-850876C0", aws: 100_000, adjustable: true, check: check.LimitSharedGroups, metric: "Subscribe.Throttle"},
	quotaSharedQueue:          {name: "Queued messages per shared subscription group", code: "L-5C386551", aws: 1000, open: 100_000, check: check.DeliverySharedQueueFull},
	quotaSharedDrain:          {name: "Queued messages sent per second to a member of a shared subscription group", aws: 20, unit: "a second", where: "the broker: what is above waits"},
	quotaSharedRate:           {name: "Subscribe and unsubscribe requests per second per group", code: "L-757705D9", aws: 10, unit: "a second", check: check.LimitSharedGroupRate, metric: "Subscribe.Throttle"},
	quotaTopicAlias:           {name: "MQTT 5 topic alias value", code: "L-C0EA6C17", aws: maxTopicAlias, open: maxTopicAlias, check: check.LimitTopicAlias, metric: "PublishIn.ClientError"},
	quotaMessageExpiry:        {name: "MQTT 5 maximum message expiry interval", code: "L-BD70FE3A", aws: int64(maxMessageExpiry / time.Second), open: int64(maxMessageExpiry / time.Second), unit: "seconds", check: check.LimitMessageExpiry},
	quotaPacket:               {name: "MQTT 5 maximum packet size", code: "L-78413E12", aws: maxPacket, open: maxPacket, unit: "bytes", check: check.LimitPacket, metric: "PublishIn.ClientError"},
	quotaPacketMinimum:        {name: "MQTT 5 minimum value of Maximum Packet Size", code: "L-64BE4C6D", aws: minClientPacket, open: minClientPacket, unit: "bytes", check: check.LimitPacketMinimum, metric: "Connect.ClientError"},
	quotaContentType:          {name: "MQTT 5 content type size", code: "L-037A5A45", aws: maxContentType, open: maxContentType, unit: "bytes", check: check.LimitContentType, metric: "PublishIn.ClientError"},
	quotaCorrelationData:      {name: "MQTT 5 correlation data size", code: "L-7E9783FF", aws: maxCorrelationData, open: maxCorrelationData, unit: "bytes", check: check.LimitCorrelationData, metric: "PublishIn.ClientError"},
	quotaUserProperties:       {name: "MQTT 5 user properties total size", code: "L-7201B389", aws: maxUserProperties, open: maxUserProperties, unit: "bytes", check: check.LimitUserProperties, metric: "PublishIn.ClientError"},
	quotaPolicySize:           {name: "Policy document size", code: "L-D9B73671", aws: policy.MaxSize, open: policy.MaxSize, unit: "characters", where: "the API: MalformedPolicyException"},
	quotaPolicies:             {name: "Policies attached to a certificate", aws: registry.MaxPoliciesOfPrincipal, open: registry.MaxPoliciesOfPrincipal, where: "the API: LimitExceededException"},
	quotaPolicyVersions:       {name: "Versions of a policy", aws: registry.MaxPolicyVersions, open: registry.MaxPolicyVersions, where: "the API: VersionsLimitExceededException"},
	quotaCAs:                  {name: "CA certificates with the same subject", code: "L-A26060BE", aws: registry.MaxCAsOfSubject, open: registry.MaxCAsOfSubject, where: "the API: LimitExceededException"},
}

// profile makes the limits of one column of the table.
func profile(column func(quota) int64) Limits {
	count := func(row int) int { return int(column(quotas[row])) }
	rate := func(row int) gcra.Rate {
		if n := count(row); n > 0 {
			return gcra.PerSecond(n)
		}
		return gcra.Rate{}
	}
	l := Limits{
		ConnectPerClientID:   rate(quotaConnectClientID),
		ConnectAccount:       rate(quotaConnectAccount),
		Connections:          count(quotaConnections),
		PublishConnection:    rate(quotaPublishConnection),
		PublishAccount:       rate(quotaPublishAccount),
		PublishOutAccount:    rate(quotaPublishOutAccount),
		SubscribeAccount:     rate(quotaSubscribeAccount),
		Subscriptions:        count(quotaSubscriptions),
		SubscriptionsAccount: count(quotaSubscriptionsAccount),
		SessionExpiry:        time.Duration(count(quotaSessionExpiry)) * time.Second,
		QueuedAccount:        rate(quotaQueued),
		SessionQueue:         count(quotaSessionQueue),
		SessionBytes:         column(quotas[quotaSessionBytes]),
		SessionDrain:         rate(quotaSessionDrain),
		SharedDrain:          rate(quotaSharedDrain),
		SharedMembers:        count(quotaSharedMembers),
		SharedGroups:         count(quotaSharedGroups),
		SharedRate:           rate(quotaSharedRate),
		RetainAccount:        rate(quotaRetainAccount),
		RetainTopic:          rate(quotaRetainTopic),
		RetainedMessages:     count(quotaRetained),
		ListRetained:         rate(quotaListRetained),
		GetRetained:          rate(quotaGetRetained),
	}
	if n := count(quotaThroughput); n > 0 {
		l.Throughput = gcra.PerSecond(n / throughputUnit)
	}
	return l
}
