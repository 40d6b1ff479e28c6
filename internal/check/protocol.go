package check

var ProtocolSniffed = register(Check{Code: "protocol.sniffed", Stage: StageProtocol, Severity: Step, Title: "Application protocol recognised"})

var MQTTConnect = register(Check{Code: "mqtt.connect", Stage: StageProtocol, Severity: Step, Title: "CONNECT read"})

var MQTTClientID = register(Check{Code: "mqtt.client_id", Stage: StageProtocol, Severity: Step, Title: "Client ID accepted"})

var HTTPRequest = register(Check{Code: "http.request", Stage: StageProtocol, Severity: Step, Title: "HTTP request read"})

var HTTPPortForCertAuth = register(Check{Code: "http.port_for_cert_auth", Stage: StageProtocol, Severity: Refusal, Title: "Port 443 without ALPN does not take client certificates"})

var HTTPHeaderTimeout = register(Check{Code: "http.header_timeout", Stage: StageProtocol, Severity: Refusal, Title: "The HTTP request header did not arrive in time"})

var HTTPMalformed = register(Check{Code: "http.malformed", Stage: StageProtocol, Severity: Refusal, Title: "The HTTP request can't be read"})

var HTTPNotBuilt = register(Check{Code: "http.not_built", Stage: StageProtocol, Severity: Refusal, Title: "This HTTPS operation is not built yet"})

var WebSocketNotBuilt = register(Check{Code: "websocket.not_built", Stage: StageProtocol, Severity: Refusal, Title: "MQTT over WebSocket is not built yet"})

var ProtocolMQTTOnHTTP = register(Check{Code: "protocol.mqtt_on_http_listener", Stage: StageProtocol, Severity: Refusal, Title: "MQTT on a port that speaks HTTP"})

var ProtocolHTTPOnMQTT = register(Check{Code: "protocol.http_on_mqtt_listener", Stage: StageProtocol, Severity: Refusal, Title: "HTTP on a port that speaks MQTT"})

var ProtocolUnrecognized = register(Check{Code: "protocol.unrecognized", Stage: StageProtocol, Severity: Refusal, Title: "The first bytes belong to no protocol of this port"})

var ProtocolClosedBeforeData = register(Check{Code: "protocol.closed_before_data", Stage: StageProtocol, Severity: Refusal, Title: "The device closed the connection before it sent anything"})

var ConnectTimeout = register(Check{Code: "connect.timeout", Stage: StageProtocol, Severity: Refusal, Title: "No CONNECT arrived in time"})

var MQTTFirstNotConnect = register(Check{Code: "mqtt.first_not_connect", Stage: StageProtocol, Severity: Refusal, Title: "The first packet is not a CONNECT"})

var MQTTSecondConnect = register(Check{Code: "mqtt.second_connect", Stage: StageProtocol, Severity: Refusal, Title: "A second CONNECT on one connection"})

var MQTTMalformed = register(Check{Code: "mqtt.malformed", Stage: StageProtocol, Severity: Refusal, Title: "A packet is malformed"})

var MQTTProtocolError = register(Check{Code: "mqtt.protocol_error", Stage: StageProtocol, Severity: Refusal, Title: "A packet breaks the MQTT protocol"})

var MQTTUnexpectedPacket = register(Check{Code: "mqtt.unexpected_packet", Stage: StageProtocol, Severity: Refusal, Title: "A packet type that AWS IoT does not use"})

var MQTTProtocolLevel = register(Check{Code: "mqtt.protocol_level", Stage: StageProtocol, Severity: Refusal, Title: "The MQTT version is not supported"})

var MQTTClientIDEmpty = register(Check{Code: "mqtt.client_id.empty", Stage: StageProtocol, Severity: Refusal, Title: "The client ID is empty"})

var MQTTClientIDReserved = register(Check{Code: "mqtt.client_id.reserved", Stage: StageProtocol, Severity: Refusal, Title: "The client ID starts with $"})

var MQTTClientIDNoEvents = register(Check{Code: "mqtt.client_id.no_events", Stage: StageProtocol, Severity: Note, Title: "The client ID gets no lifecycle events"})

var MQTTWillQoS2 = register(Check{Code: "mqtt.will.qos2", Stage: StageProtocol, Severity: Refusal, Title: "The last will asks for QoS 2"})

var MQTTWillTopic = register(Check{Code: "mqtt.will.topic", Stage: StageProtocol, Severity: Refusal, Title: "The topic of the last will can't be used"})

var MQTTAuthMethod = register(Check{Code: "mqtt.auth_method", Stage: StageProtocol, Severity: Refusal, Title: "Enhanced authentication is not supported"})

var MQTTUserNameIgnored = register(Check{Code: "mqtt.user_name_ignored", Stage: StageProtocol, Severity: Note, Title: "User name and password are not used with a client certificate"})

var MQTTQoS2 = register(Check{Code: "mqtt.qos2", Stage: StageProtocol, Severity: Refusal, Title: "QoS 2 is not supported"})

var MQTTSubscriptionIdentifier = register(Check{Code: "mqtt.subscription_identifier", Stage: StageProtocol, Severity: Refusal, Title: "Subscription identifiers are not supported"})

var MQTTSharedNotBuilt = register(Check{Code: "mqtt.shared_subscription.not_built", Stage: StageProtocol, Severity: Refusal, Title: "Shared subscriptions are not built yet"})

var MQTTPersistentNotBuilt = register(Check{Code: "mqtt.persistent_session.not_built", Stage: StageProtocol, Severity: Warning, Title: "Persistent sessions are not built yet"})

var MQTTRetainNotBuilt = register(Check{Code: "mqtt.retain.not_built", Stage: StageProtocol, Severity: Warning, Title: "Retained messages are not stored yet"})

var TopicInvalid = register(Check{Code: "topic.invalid", Stage: StageProtocol, Severity: Refusal, Title: "The topic name is not valid"})

var TopicFilterInvalid = register(Check{Code: "topic.filter_invalid", Stage: StageProtocol, Severity: Refusal, Title: "The topic filter is not valid"})

var TopicReserved = register(Check{Code: "topic.reserved", Stage: StageProtocol, Severity: Refusal, Title: "The topic is reserved"})

var TopicReservedUnsupported = register(Check{Code: "topic.reserved_unsupported", Stage: StageProtocol, Severity: Refusal, Title: "The reserved topic does not exist"})

var TopicReservedRetain = register(Check{Code: "topic.reserved_retain", Stage: StageProtocol, Severity: Refusal, Title: "A reserved topic can't be retained"})
