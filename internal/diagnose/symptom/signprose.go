package symptom

import "github.com/gatehouse-iot/gatehouse/internal/check"

// Facts that only give others their sense: who tells of a fault tells what was done.
var (
	doingConnect   = &fact{says: "while connecting", stage: check.StageProtocol}
	doingSubscribe = &fact{says: "while subscribing", stage: check.StageAuthorization}
	doingPublish   = &fact{says: "while publishing", stage: check.StageAuthorization}
	wasConnected   = &fact{says: "the connection had stood", stage: check.StageSession}
	port443        = &fact{says: "port 443 is used", stage: check.StageTLS}
	withALPN       = &fact{says: "ALPN is mentioned", stage: check.StageTLS}
	withWill       = &fact{says: "a last will is set", stage: check.StageProtocol}
	withBridge     = &fact{says: "a bridge connects", stage: check.StageSession}
	withWeb        = &fact{says: "MQTT runs over WebSocket", stage: check.StageProtocol}
	withIAM        = &fact{says: "temporary or role credentials are used", stage: check.StageAuthentication}
	again          = &fact{says: "it repeats", stage: check.StageSession}
	workedBefore   = &fact{says: "it worked before", stage: check.StageCertificate}
	otherWorks     = &fact{says: "another client or port works", stage: check.StageTLS}
	slowLink       = &fact{says: "the link is slow", stage: check.StageTCP}
	viaProxy       = &fact{says: "a proxy is mentioned", stage: check.StageTCP}
	rotated        = &fact{says: "the certificate was replaced", stage: check.StageCertificate}
	otherRegion    = &fact{says: "another Region or account is mentioned", stage: check.StageCertificate}
	byAddress      = &fact{says: "the host is an IP address", stage: check.StageTLS}
	arrived        = &fact{says: "the message arrived", stage: check.StageDelivery}
	noPolicy       = &fact{says: "no policy is mentioned", stage: check.StageAuthorization}
)

// modemRefused is all that a modem tells of a connection that did not come to stand.
var modemRefused = &fact{"a modem's MQTT connection was refused", check.StageAuthorization, broad, causes{check.AuthzConnectClientID: 44, check.PolicyNoneAttached: 34, check.CertNotRegistered: 30, check.AuthzConnectNoStatement: 28, check.TLSServerCertUntrusted: 20}}

// modemTLS is what Nordic's modem tells of TLS that it could not do.
var modemTLS = &fact{"the modem could not do TLS with these credentials", check.StageTLS, narrow, causes{check.TLSServerCertUntrusted: 46, check.CertNotRegistered: 38, check.FileKeyFormat: 34, check.CertKeyMismatch: 30, check.FileCertFormat: 26, check.TLSVersionBelowPolicy: 14}}

// modemHandshake is a modem's word for TLS or CONNECT that failed.
var modemHandshake = &fact{"the modem's TLS or MQTT handshake failed", check.StageTLS, broad, causes{check.TLSServerCertUntrusted: 40, check.CertNotRegistered: 36, check.DeviceClockBehind: 26, check.AuthzConnectClientID: 25, check.PolicyNoneAttached: 22, check.TLSSNIRequiredForCert: 20}}

// contextSigns are of what was done when it happened.
var contextSigns = []sign{
	{doingConnect, "", []string{"connecting", "connect", "connect failed", "cannot connect", "CONNECT"}},
	{doingSubscribe, "", []string{"subscribe", "subscribing", "subscription", "SUBSCRIBE", "subscribed", "subscriptions", "Register Delta", "sub failed"}},
	{doingPublish, "", []string{"publish", "publishing", "PUBLISH", "published", "publishes", "puback"}},
	{wasConnected, "", []string{"CONNACK (0)", "Connected with result code 0", "Connected!", "connected to", "successfully connected", "Connection established", "on_connect rc=0", "MQTT_EVENT_CONNECTED", "Connected with return code 0", "Connection Success*", "connected, then", "resumed", "sent CONNECT & received CONNACK (0)", "MQTT connection established", "onConnectSuccess", "Connection resumed", "lifecycle connection success", "session_present", "CONNACK 0", "rc=0"}},
	{withALPN, "", []string{"ALPN", "x-amzn-mqtt-ca"}},
	{withWill, "", []string{"Last Will", "LWT", "will message", "will topic", "will QoS", "testament"}},
	{withBridge, "", []string{"bridge", "bridges"}},
	{withWeb, "", []string{"websocket", "wss", "websockets", "WebSocket upgrade", "ws", "browser"}},
	{withIAM, "", []string{"temporary credentials", "credential provider", "credentials provider", "STS", "session token", "role", "EC2"}},
	{again, "", []string{"every", "loop", "again and again", "interrupted/resumed", "interrupted & resumed", "repeatedly", "endless", "keeps disconnecting", "keeps reconnecting", "constantly", "periodically", "alternat*", "over and over", "reconnecting in", "flapping", "cycle"}},
	{workedBefore, "", []string{"worked the day before", "worked before", "worked yesterday", "used to work", "suddenly", "stopped working", "worked fine until"}},
	{otherWorks, "", []string{"works with mosquitto*", "works from mosquitto*", "mosquitto_pub works", "works in MQTT*", "works elsewhere", "works on 8883", "works on port 8883", "while curl works", "curl works", "works with curl", "fine over Wi-Fi", "works over WiFi"}},
	{slowLink, "", []string{"GSM", "LTE", "NB-IoT", "2G", "cellular", "satellite", "GPRS", "slow network", "high latency"}},
	{viaProxy, "", []string{"proxy", "corporate*", "HTTP_PROXY", "HTTPS_PROXY", "firewall"}},
	{rotated, "", []string{"rotation", "rotated", "renewed", "re-issued", "reissued", "same CN", "replaced the certificate", "new certificate"}},
	{otherRegion, "", []string{"another region", "other region", "different region", "another account", "created in & region", "other account", "cross-region", "wrong region"}},
	{arrived, "", []string{"message arrived", "messages arrived", "message arrives", "arrives twice", "duplicate messages", "delivered twice", "message is delivered"}},
	{noPolicy, "", []string{"without policy", "no policy", "policy is not attached", "attach a policy", "forgot & policy"}},
}

// proseSigns are what people write around an error text.
var proseSigns = []sign{
	{&fact{"the client could not reach its broker", check.StageTCP, narrow, causes{check.NetNeverArrived: 40, check.NetEndpointShape: 38, check.NetTCPRefused: 30, check.NetDNSNXDomain: 26}}, "", []string{"Connection to broker failed", "failed (return code -1)*"}},
	{&fact{"the client goes offline, closes and reconnects", check.StageAuthorization, narrow, causes{check.PolicyNoneAttached: 40, check.PolicyARNAccountMismatch: 42, check.AuthzConnectNoStatement: 41, check.AuthzConnectClientID: 34}}, "", []string{"offline/close/reconnect", "offline close reconnect", "offline & close & reconnect"}},
	{&fact{"the client subscribes to topics of its own accord", check.StageProtocol, exact, causes{check.TopicReservedUnsupported: 66, check.AuthzSubscribe: 64}}, "", []string{"GUI client disconnects*", "MQTT Explorer & disconnect*", "MQTTX & disconnect*", "MQTT.fx & disconnect*", "default subscriptions"}},
	{endpointShape, "", []string{"iot.ats.amazonaws.com", "control-plane host"}},
	{noCertificate, "", []string{"client Certificate message of length 0", "certificate never loaded", "client certificate not loaded"}},
	{&fact{"the policy lets any client ID connect", check.StageAuthorization, exact, causes{check.PolicyLintSelfMatchingClientID: 85}}, "", []string{"connects, but is insecure", "client/${iot:ClientId}", "policy & matches anything"}},
	{&fact{"the client ID is not the one that is allowed", check.StageAuthorization, exact, causes{check.AuthzConnectClientID: 82, check.AuthzConnectNoStatement: 30}}, "", []string{"client id copied*", "wrong client id", "client id & not in the policy", "CONNACK:Client is not authenticated*", "secretless provisioning", "client ID & does not match & thing", "random client id"}},
	{modemRefused, modem, []string{"SMCONN & ERROR", "MQCONN & ERROR", "SMSTATE: 0", "UMQTTC & 0", "+UUMQTTC: 1,*"}},
	{&fact{"a modem could not open its connection", check.StageDNS, narrow, causes{check.NetDNSUnavailable: 56, check.NetNeverArrived: 46, check.NetDNSNXDomain: 40, check.NetTCPTimeout: 25}}, modem, []string{"USOCO & ERROR", "USOER*", "CIPSTART & FAIL", "CIPOPEN & ERROR", "QIOPEN & ERROR", "CAOPEN & ERROR", "CDNSGIP & ERROR", "CIPSTART & CONNECT FAIL", "+CDNSGIP: 0*"}},
	{&fact{"a policy names another account or Region", check.StageAuthorization, exact, causes{check.PolicyARNAccountMismatch: 84, check.PolicyARNRegionMismatch: 50}}, "", []string{"account/region left unedited", "ACCOUNT_ID & policy", "wrong account & policy", "arn & other account"}},
	{&fact{"a certificate was replaced by one with the same subject", check.StageCertificate, exact, causes{check.CertNotRegistered: 84, check.PolicyNoneAttached: 44}}, "", []string{"same CN", "re-issued certificate", "reissued certificate", "bricked"}},
	{&fact{"a certificate was replaced", check.StageAuthorization, narrow, causes{check.PolicyNoneAttached: 68, check.CertNotRegistered: 40, check.CertInactive: 28}}, "", []string{"after rotation", "fleet offline after rotation", "rotated & denied", "new certificate & denied"}},
	{&fact{"the device keeps the connection and its app still loses messages", check.StageSession, hint, causes{check.LoopPublishDenied: 30}}, "", []string{"resend & loop", "tight loop"}},
	{&fact{"SNI was not sent", check.StageTLS, exact, causes{check.TLSSNIRequiredForCert: 80, check.TLSSNIMissing: 50}}, "", []string{"did not set SNI", "without SNI", "no SNI", "SNI not set", "after regional failover", "Can't use SSL_get_servername", "server_name extension & missing", "sends no SNI"}},
	{&fact{"certificates were made in another Region or account", check.StageCertificate, exact, causes{check.CertRegisteredElsewhere: 82, check.CertNotRegistered: 44}}, "", []string{"created in another region", "certificates & another region", "another region & certificate", "another account & certificate", "different region & certificate"}},
	{&fact{"the client lost and retried its connection", check.StageSession, narrow, causes{check.CertRegisteredElsewhere: 50, check.AuthzConnectNoStatement: 40, check.PolicyNoneAttached: 36, check.SessionTakeoverLoop: 33}}, java, []string{"Connection temporarily lost & Connection is being retried", "Connection is being retried"}},
	{&fact{"a plugin can't use custom authentication", check.StageAuthentication, narrow, causes{check.AuthorizerNotSelected: 60, check.AuthorizerPort: 30}}, "", []string{"cannot reach custom auth*", "tool cannot reach custom auth at all", "plugin supports only plain WSS"}},
	{&fact{"a local core closed the channel", check.StageTLS, narrow, causes{check.TLSServerCertUntrusted: 60, check.TLSServerCertName: 36, check.CertNotRegistered: 24}}, greengrass, []string{"Channel Inactive", "MqttClientId = null"}},
	{&fact{"messages above 64 KB end the WebSocket", check.StageDelivery, narrow, causes{check.LimitPayload: 66, check.ClientRxBuffer: 30}}, "", []string{"messages above ~64 KB", "closes on messages above*", "WebSocket closes on messages*"}},
	{&fact{"more filters in one packet than the server takes", check.StageProtocol, narrow, causes{check.LimitTopicsPerPacket: 70}}, "", []string{"unsubscribe with 9 topics*"}},
	{&fact{"the ALPN list may not reach the wire", check.StageTLS, narrow, causes{check.TLSALPNAbsent: 72, check.TLSALPNMissingOn443: 58}}, "", []string{"with ALPN set", "ALPN set in every way", "ALPN & 443 & cannot connect", "empty ALPN"}},
	{&fact{"MQTT on 443 without ALPN", check.StageProtocol, exact, causes{check.TLSALPNMissingOn443: 85, check.TLSALPNAbsent: 40}}, "", []string{"changing only the port to 443", "443 & packets go out", "no ALPN", "without ALPN", "after adding ALPN"}},
	{&fact{"MQTT without the ALPN protocol mqtt", check.StageTLS, exact, causes{check.TLSALPNMQTTRequired: 84, check.TLSALPNMissingOn443: 44}}, "", []string{"MQTT without ALPN mqtt", "ALPN mqtt & authorizer"}},
	{&fact{"the literal filter # is not what topicfilter/* grants", check.StageAuthorization, narrow, causes{check.AuthzSubscribe: 70, check.PolicyFilterBroader: 30}}, "", []string{"refuses #", "subscribe & # & policy"}},
}
