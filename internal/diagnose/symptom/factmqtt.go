package symptom

import "github.com/gatehouse-iot/gatehouse/internal/check"

// From CONNECT on.
var (
	// hangup is AWS's refusal of an MQTT 3.1.1 CONNECT, which tells nothing: PROBLEMS
	// section 2 lists what looks the same. The order is how often it was the cause there.
	hangup = &fact{"TLS stood, then the server closed the connection without a word", check.StageAuthorization, narrow, causes{
		check.AuthzConnectNoStatement: 44, check.AuthzConnectResourceType: 42, check.PolicyNoneAttached: 41, check.AuthzConnectClientID: 38,
		check.SessionTakeoverLoop: 24, check.PolicyARNAccountMismatch: 18, check.CertNotRegistered: 12, check.MQTTWillQoS2: 8,
	}}
	lost = &fact{"the connection was lost", check.StageSession, broad, causes{
		check.AuthzConnectNoStatement: 40, check.PolicyNoneAttached: 38, check.AuthzConnectResourceType: 37, check.AuthzConnectClientID: 34,
		check.SessionTakeoverLoop: 30, check.CertNotRegistered: 22, check.AuthzPublish: 18, check.SessionKeepaliveExpired: 14, check.SessionLost: 12,
	}}
	connectRefused = &fact{"the server refused the MQTT connection", check.StageAuthorization, narrow, causes{
		check.AuthzConnectClientID: 42, check.AuthzConnectNoStatement: 40, check.PolicyNoneAttached: 38, check.AuthzConnectResourceType: 28, check.PolicyVarUndefined: 20,
	}}
	notAuthorized = &fact{"the server answered: not authorized", check.StageAuthorization, narrow, causes{
		check.AuthzConnectClientID: 44, check.PolicyNoneAttached: 42, check.AuthzConnectNoStatement: 41, check.AuthzConnectResourceType: 26, check.PolicyVarUndefined: 20,
	}}
	badCredentials = &fact{"the server refused user name and password", check.StageAuthentication, narrow, causes{
		check.AuthorizerRejected: 50, check.AuthorizerNotSelected: 34, check.AuthorizerSignatureMismatch: 26, check.PolicyNoneAttached: 16,
	}}
	clientIDRefused    = &fact{"the server refused the client ID", check.StageProtocol, exact, causes{check.MQTTClientIDEmpty: 46, check.LimitClientIDLength: 32, check.MQTTClientIDReserved: 26, check.AuthzConnectClientID: 25}}
	versionUnsupported = &fact{"the server refused the MQTT version", check.StageProtocol, exact, causes{check.MQTTProtocolLevel: 80, check.MQTTMalformed: 10}}
	serverUnavailable  = &fact{"the server is not available now", check.StageSession, narrow, causes{check.ServerError: 42, check.LimitConnectRateAccount: 36, check.LimitConnectRateClientID: 34, check.ServerShuttingDown: 24}}
	connackTimeout     = &fact{"CONNECT was not answered", check.StageProtocol, narrow, causes{
		check.TLSALPNMissingOn443: 44, check.ClientTimeoutShort: 24, check.ProtocolMQTTOnHTTP: 22, check.NetSlowHandshake: 20, check.PolicyNoneAttached: 18, check.LimitConnectRateAccount: 14, check.AuthorizerTimeout: 14,
	}}
	protocolError = &fact{"the client could not take the server's answer to MQTT", check.StageProtocol, narrow, causes{
		check.AuthzConnectNoStatement: 34, check.PolicyNoneAttached: 33, check.ProtocolMQTTOnHTTP: 32, check.TLSALPNMissingOn443: 31, check.AuthzConnectClientID: 28, check.MQTTClientIDEmpty: 14,
	}}
	httpAnswer       = &fact{"the server answered MQTT with HTTP", check.StageProtocol, exact, causes{check.TLSALPNMissingOn443: 72, check.ProtocolMQTTOnHTTP: 66}}
	malformed        = &fact{"the server could not read a packet", check.StageProtocol, exact, causes{check.MQTTMalformed: 75, check.LimitPacket: 12}}
	protocolBroken   = &fact{"a packet broke the protocol", check.StageProtocol, exact, causes{check.MQTTProtocolError: 66, check.MQTTQoS2: 24, check.MQTTSecondConnect: 22, check.MQTTUnexpectedPacket: 20}}
	authMethod       = &fact{"enhanced authentication is not taken", check.StageProtocol, exact, causes{check.MQTTAuthMethod: 85}}
	connectThrottled = &fact{"connections come too often", check.StageSession, exact, causes{check.LimitConnectRateClientID: 56, check.LimitConnectRateAccount: 54, check.SessionTakeoverLoop: 20}}
)

// Once connected.
var (
	publishRefused = &fact{"the publish was refused", check.StageAuthorization, narrow, causes{
		check.AuthzPublish: 68, check.AuthzPublishResourceType: 30, check.AuthzRetainPublish: 22, check.TopicReserved: 14, check.LimitPayload: 10,
	}}
	subscribeRefused = &fact{"the subscription was refused", check.StageAuthorization, narrow, causes{
		check.AuthzSubscribe: 68, check.AuthzSubscribeResourceType: 44, check.TopicFilterInvalid: 14, check.TopicReservedUnsupported: 12, check.LimitSubscriptions: 10,
	}}
	cancelled = &fact{"an operation was cancelled because the connection ended", check.StageAuthorization, broad, causes{
		check.AuthzPublish: 44, check.AuthzSubscribe: 42, check.SessionTakeoverLoop: 20, check.AuthzRetainPublish: 12,
	}}
	closedLater = &fact{"the connection stood, then the server ended it", check.StageSession, broad, causes{
		check.AuthzPublish: 34, check.AuthzSubscribe: 33, check.SessionTakeoverLoop: 32, check.SessionKeepaliveExpired: 24, check.PrincipalCut: 14,
	}}
	notAuthorizedLater = &fact{"the server ended the connection: not authorized", check.StageAuthorization, narrow, causes{
		check.AuthzPublish: 50, check.AuthzSubscribe: 44, check.PrincipalCut: 36, check.AuthzRetainPublish: 14,
	}}
	operationTimeout = &fact{"an operation was not acknowledged in time", check.StageDelivery, narrow, causes{
		check.ClientTimeoutShort: 44, check.AuthzPublish: 34, check.AuthzSubscribe: 32, check.AuthzConnectNoStatement: 22, check.PolicyNoneAttached: 20,
	}}
	nothingReceived = &fact{"the subscription stands and no message comes", check.StageDelivery, narrow, causes{
		check.AuthzReceive: 66, check.AuthzReceiveMissing: 40, check.ClientRxBuffer: 34, check.LimitTopicsPerPacket: 10,
	}}
	largeLost      = &fact{"larger messages do not arrive", check.StageDelivery, exact, causes{check.ClientRxBuffer: 74, check.LimitPayload: 44, check.DeliveryPacketTooLarge: 20}}
	tooLarge       = &fact{"a message is too large", check.StageProtocol, exact, causes{check.LimitPayload: 66, check.LimitPacket: 50, check.LimitPayloadLoop: 40, check.ClientRxBuffer: 14}}
	takeover       = &fact{"another connection took the client ID", check.StageSession, exact, causes{check.SessionTakeover: 62, check.SessionTakeoverLoop: 58, check.SessionTakeoverSelf: 50}}
	keepAlive      = &fact{"the server heard nothing within the keep-alive time", check.StageSession, exact, causes{check.SessionKeepaliveExpired: 85, check.SessionLost: 16}}
	pingTimeout    = &fact{"a PINGREQ was not answered", check.StageSession, narrow, causes{check.SessionLost: 56, check.SessionKeepaliveExpired: 44, check.NetTCPTimeout: 14}}
	maxLifetime    = &fact{"the connection reached its greatest age", check.StageSession, exact, causes{check.SessionMaxLifetime: 82, check.SigV4Expired: 14}}
	shuttingDown   = &fact{"the server is shutting down", check.StageSession, exact, causes{check.ServerShuttingDown: 80}}
	byOperator     = &fact{"an operator or the service ended the connection", check.StageSession, exact, causes{check.DisconnectedByAPI: 58, check.PrincipalCut: 54, check.ServerShuttingDown: 24}}
	throttled      = &fact{"a quota was reached", check.StageSession, narrow, causes{check.LimitPublishRate: 42, check.LimitThroughput: 38, check.LimitConnectRateAccount: 34, check.LimitSubscriptions: 26, check.LimitPayload: 22}}
	throughput     = &fact{"the connection is at its throughput", check.StageSession, exact, causes{check.LimitThroughput: 74, check.LimitPublishRate: 45, check.LimitPayload: 20}}
	inflight       = &fact{"too many messages wait for their acknowledgement", check.StageSession, exact, causes{check.LimitInflight: 84, check.LimitPublishRate: 16}}
	topicInvalid   = &fact{"the topic is not valid", check.StageProtocol, exact, causes{check.TopicInvalid: 60, check.TopicReserved: 42, check.LimitTopicLength: 26, check.LimitTopicLevels: 24}}
	filterInvalid  = &fact{"the topic filter is not valid", check.StageProtocol, exact, causes{check.TopicFilterInvalid: 68, check.LimitTopicLevels: 26, check.TopicReservedUnsupported: 24}}
	topicAlias     = &fact{"the topic alias is not valid", check.StageProtocol, exact, causes{check.LimitTopicAlias: 84}}
	qos2           = &fact{"QoS 2 is not supported", check.StageProtocol, exact, causes{check.MQTTQoS2: 80, check.MQTTWillQoS2: 26}}
	subscriptionID = &fact{"subscription identifiers are not supported", check.StageProtocol, exact, causes{check.MQTTSubscriptionIdentifier: 86}}
	packetIDInUse  = &fact{"the packet identifier is in use", check.StageProtocol, narrow, causes{check.LimitInflight: 46, check.MQTTProtocolError: 40}}
	manyFilters    = &fact{"more topic filters in one packet than the server takes", check.StageProtocol, exact, causes{check.LimitTopicsPerPacket: 80, check.LimitSubscriptions: 20}}
	subscriptions  = &fact{"the subscription table is full", check.StageSession, exact, causes{check.LimitSubscriptions: 72, check.LimitTopicsPerPacket: 24}}
	retainRefused  = &fact{"a retained message is refused", check.StageAuthorization, exact, causes{check.AuthzRetainPublish: 78, check.TopicReservedRetain: 18}}
	reservedTopic  = &fact{"the topic is reserved", check.StageProtocol, exact, causes{check.TopicReserved: 70, check.TopicReservedUnsupported: 52}}
	peerClosed     = &fact{"the device ended the connection itself", check.StageSession, narrow, causes{check.SessionLost: 60, check.SessionKeepaliveExpired: 16}}
)
