package check

var LimitPayload = register(Check{Code: "limit.payload", Stage: StageProtocol, Severity: Refusal, Title: "The payload is too large"})

var LimitPayloadLoop = register(Check{Code: "limit.payload.loop", Stage: StageSession, Severity: Warning, Title: "The device sends a message that is too large again and again"})

var LimitPacket = register(Check{Code: "limit.packet", Stage: StageProtocol, Severity: Refusal, Title: "The packet is too large"})

var LimitTopicsPerPacket = register(Check{Code: "limit.topics_per_packet", Stage: StageProtocol, Severity: Refusal, Title: "Too many topic filters in one packet"})

var LimitSubscriptions = register(Check{Code: "limit.subscriptions", Stage: StageSession, Severity: Refusal, Title: "Too many subscriptions on one connection"})

var LimitInflight = register(Check{Code: "limit.inflight", Stage: StageSession, Severity: Refusal, Title: "Too many unacknowledged messages"})

var LimitThroughput = register(Check{Code: "limit.throughput", Stage: StageSession, Severity: Warning, Title: "The connection is at its throughput limit"})

var LimitPublishRate = register(Check{Code: "limit.publish_rate", Stage: StageSession, Severity: Warning, Title: "Too many publishes per second on one connection"})

var LimitPublishRateAccount = register(Check{Code: "limit.publish_rate.account", Stage: StageSession, Severity: Warning, Title: "Too many publishes per second in the account"})

var LimitSubscribeRateAccount = register(Check{Code: "limit.subscribe_rate.account", Stage: StageSession, Severity: Refusal, Title: "Too many subscribe requests per second in the account"})

var LimitConnectRateClientID = register(Check{Code: "limit.connect_rate.client_id", Stage: StageSession, Severity: Refusal, Title: "The client ID connects too often"})

var LimitConnectRateAccount = register(Check{Code: "limit.connect_rate.account", Stage: StageSession, Severity: Refusal, Title: "Too many connections per second in the account"})

var LimitConnections = register(Check{Code: "limit.connections", Stage: StageSession, Severity: Refusal, Title: "Too many connections"})

var LimitTopicLength = register(Check{Code: "limit.topic_length", Stage: StageProtocol, Severity: Refusal, Title: "The topic is too long"})

var LimitTopicLevels = register(Check{Code: "limit.topic_levels", Stage: StageProtocol, Severity: Refusal, Title: "The topic has too many levels"})

var LimitTopicAlias = register(Check{Code: "limit.topic_alias", Stage: StageProtocol, Severity: Refusal, Title: "The topic alias can't be used"})

var LimitClientIDLength = register(Check{Code: "limit.client_id_length", Stage: StageProtocol, Severity: Refusal, Title: "The client ID is too long"})

var LimitUserProperties = register(Check{Code: "limit.user_properties", Stage: StageProtocol, Severity: Refusal, Title: "The user properties are too large"})

var LimitContentType = register(Check{Code: "limit.content_type", Stage: StageProtocol, Severity: Refusal, Title: "The content type is too long"})

var LimitCorrelationData = register(Check{Code: "limit.correlation_data", Stage: StageProtocol, Severity: Refusal, Title: "The correlation data is too long"})

var LimitResponseTopic = register(Check{Code: "limit.response_topic", Stage: StageProtocol, Severity: Refusal, Title: "The response topic can't be used"})

var LimitMessageExpiry = register(Check{Code: "limit.message_expiry", Stage: StageProtocol, Severity: Note, Title: "The message expiry was shortened"})

var LimitRetained = register(Check{Code: "limit.retained", Stage: StageSession, Severity: Refusal, Title: "Too many retained messages"})

var LimitRetainedRate = register(Check{Code: "limit.retained_rate", Stage: StageSession, Severity: Refusal, Title: "Too many retained messages per second"})
