package symptom

import (
	"slices"
	"strings"
)

// A client is a family of clients that words things in its own way.
type client string

// The families.
const (
	awsCRT      client = "AWS IoT Device SDK v2 (AWS CRT)"
	embeddedC   client = "AWS IoT Device SDK for Embedded C v3"
	coreMQTT    client = "coreMQTT (FreeRTOS, Embedded C v4)"
	mbedTLS     client = "mbedTLS"
	espIDF      client = "ESP-IDF"
	pahoPython  client = "paho-mqtt for Python"
	pahoJava    client = "paho for Java"
	pahoC       client = "paho for C and C++"
	pahoGo      client = "paho for Go"
	pahoJS      client = "paho for JavaScript"
	mosquitto   client = "mosquitto clients"
	mqttJS      client = "MQTT.js"
	nodeJS      client = "Node.js"
	python      client = "Python"
	openSSL     client = "OpenSSL"
	java        client = "Java"
	goLang      client = "Go"
	dotNET      client = ".NET"
	curl        client = "curl"
	pubSub      client = "PubSubClient (Arduino)"
	arduinoMQTT client = "ArduinoMqttClient"
	arduino256  client = "arduino-mqtt (256dpi)"
	wolfSSL     client = "wolfSSL"
	bearSSL     client = "BearSSL"
	modem       client = "AT-command modem"
	awsAPI      client = "AWS CLI or SDK"
	cloudWatch  client = "AWS IoT logs"
	rust        client = "Rust"
	greengrass  client = "AWS IoT Greengrass"
	microPython client = "MicroPython"
	mongoose    client = "Mongoose OS"
	zephyr      client = "Zephyr and nRF Connect"
	tasmota     client = "Tasmota"
	nodeRED     client = "Node-RED"
	homeAssist  client = "Home Assistant"
	esp32       client = "Arduino for ESP32"
	dart        client = "Dart"
	php         client = "PHP"
	apple       client = "Apple (Secure Transport, CFNetwork)"
	circuitPy   client = "CircuitPython"
)

// marks are strings, in lower case, that only the family prints; the first
// family of which one stands in the text wins.
var marks = []struct {
	client  client
	strings []string
}{
	{cloudWatch, []string{"eventtype", "awsiotlogs"}},
	{greengrass, []string{"greengrass", "authorized to send the message"}},
	{homeAssist, []string{"homeassistant", "home assistant"}},
	{nodeRED, []string{"[mqtt-broker:", "node-red"}},
	{pahoJava, []string{"org.eclipse.paho", "mqttexception (", "mqttv3", "mqttv5.client"}},
	{dotNET, []string{"mqttnet", "uplibrary.", "hivemqtt.", "unitytls", "system.net.", "system.security.", "system.io.", "system.componentmodel", "system.aggregateexception", "sslstream", "win32exception", "interop+", "remotecertificate", "according to the validation procedure", "sspi failed", "hresult"}},
	{apple, []string{"nsurlerror", "kcfstream", "nserror", "nslocalized", "errssl", "cfnetwork", "mqttsession", "error domain="}},
	{pahoGo, []string{"paho.mqtt.golang", "[client]", "[net] ", "[pinger]", "[router]", "network error : "}},
	{awsCRT, []string{"awscrt", "libaws", "aws_error_", "aws_io_", "aws_auth_", "crterror", "crtruntimeexception", "software.amazon.awssdk.crt", "aws-c-", "lifecycle connection", "lifecycle disconnect", "[tls-handler]", "[mqtt-client]", "[mqtt5-client]", "[channel-bootstrap]", "[socket-handler]", "[event-loop]", "authcredentialsprovider", "[socket]", "[http-connection]", "subackreasoncode", "pubackreasoncode", "disconnectreasoncode", "connectreasoncode"}},
	{coreMQTT, []string{"mqttrecv", "mqttsend", "mqtt_connect(", "coremqtt", "core_mqtt", "mqttsuccess", "mqttserverrefused", "mqttkeepalivetimeout", "mqttnodataavailable", "mqttnomemory", "mqttbadresponse", "mqttillegalstate", "[transport_", "ssl_connect failed to perform tls handshake", "mqtt_processloop", "[iot_thread]", "transport_secure_sockets", "tls_connect fail", "secure sockets"}},
	{zephyr, []string{"<err> ", "<wrn> ", "<inf> ", "<dbg> ", "net_sock_tls", "mqtt_helper", "nrf_modem", "zephyr"}},
	{tasmota, []string{"tasmota", "mqt: "}},
	{wolfSSL, []string{"wolfssl", "wolfmqtt", "asn_no_signer", "asn no signer", "mqtt tls verify callback", "mqtt socket connect:", "netconnect: host"}},
	{circuitPy, []string{"mmqttexception", "adafruit", "circuitpython"}},
	{dart, []string{"handshake.cc", "mqtt-client::", "handshakeexception: ", "tlsexception: ", "socketexception: os error", "socketexception: failed", "package:mqtt", "_nativesocket"}},
	{php, []string{"php ", "phpmqtt", "stream_socket_", "fsockopen", "fwrite(): ssl"}},
	{mosquitto, []string{"mosquitto", "openssl error[0]", "openssl error: ", "all subscription requests were denied", "unable to connect (", "client mosq-", "connection refused: not authorised", "error: no route to host", "error: network is unreachable", "error: connection timed out", "error: connection refused", "socket error on client", "has exceeded timeout, disconnecting", "already connected, closing old connection", "new client connected from", "bridge_cafile", "error: the connection was lost", "error: message payload is too large", "error: invalid publish topic", "error: invalid subscription topic", "error: problem setting tls", "error: host name verification", "error: unable to load ca cert", "error: unable to load client"}},
	{embeddedC, []string{"aws_iot_mqtt", "aws_iot_shadow", "iot_tls_connect", "aws_iot:", "subpub", "shadow register delta", "network_ssl", "error(-", "_iot_tls", "mqtt_rx_buffer_too_short", "mqtt_connack_"}},
	{esp32, []string{"ssl_client.cpp", "wificlientsecure", "wificlient.cpp", "wifigeneric", "networkclient", "networkmanager.cpp", "start_ssl_client", "sslclient.cpp", "arduino-esp32"}},
	{espIDF, []string{"esp-tls", "esp_tls", "mqtt_client:", "mqtt_client: ", "transport_base", "trans_ssl", "esp-idf", "esp_err_", "esp_mqtt", "mqtt_event_", "esp-x509", "esp-aes", "esp_transport", "dynamic impl:"}},
	{pubSub, []string{"pubsubclient", "attempting mqtt connection", "failed, rc=-", "failed rc=-", "try again in 5", "trying again in 5", "mqtt connecting ..."}},
	{arduino256, []string{"lasterror =", "lasterror:", "lwmqtt", "arduino-mqtt"}},
	{arduinoMQTT, []string{"arduinomqttclient", "mqtt connection failed! error code", "bearsslclient"}},
	{bearSSL, []string{"bssl:", "bearssl", "getlastsslerror", "lastsslerror", "br_err_"}},
	{modem, []string{"at+", "at#", "+umqtt", "+cme error", "smconn", "+usoer", "smstate", "+cmqtt", "+qmt", "+uumqtt", "+cipopen", "+qiopen", "+caopen"}},
	{microPython, []string{"micropython", "umqtt", "valueerror: invalid key", "valueerror: invalid cert", "oserror: (-", "oserror: -"}},
	{mongoose, []string{"mgos", "mongoose"}},
	{mqttJS, []string{"mqttjs", "mqtt.js", "errorwithreasoncode", "packetreceive", "connack timeout", "node_modules/mqtt", "mqttclient.<anonymous>", "at mqttclient."}},
	{pahoPython, []string{"awsiotpythonsdk", "paho.mqtt", "paho/mqtt", "debug:paho", "loop_forever", "on_connect", "on_disconnect", "on_subscribe", "with result code", "mqtt_err_", "unexpected disconnection", "reasoncode(", "aiomqtt", "asyncio_mqtt"}},
	{rust, []string{"rustls", "rumqttc", "invalidcertificate(", "invalidcertificatedata(", "webpki", "custom { kind", "alertreceived(", "mqttstate(", "awaitpingresp", "connectionerror::", "tls(no", "io(os {", "os { code", "paho.mqtt.rust", "error { kind:", "connectionrefused("}},
	{pahoC, []string{"mqttclient_", "mqttasync_", "sslsocket_", "ssl alert write", "paho.mqtt.c", "mqttpacket_factory", "tcp connect completion failure"}},
	{pahoJS, []string{"amqjs"}},
	{awsAPI, []string{"botocore", "boto3", "an error occurred (", "clienterror", "aws configure"}},
	{java, []string{"javax.net", "java.net", "java.io", "java.security", "java.lang", "java.util.", "sun.security", "pkix", "com.hivemq", "io.netty", "io.vertx", "messagedrivenchanneladapter", "received fatal alert", "exception in thread", "x509trustmanager", "mqttexception: "}},
	{curl, []string{"curl"}},
	{nodeJS, []string{"(node:", "node:internal", "node:net", "deps/openssl", "enotfound", "connect econnrefused", "read econnreset", "connect etimedout", "eproto", "code: 'err_", "err_ssl_", "err_tls_", "syscall:", "unable_to_verify_leaf", "writeafterend", ".js:", "tlssocket", "secure tls connection was established"}},
	{goLang, []string{"dial tcp", " tls: ", "\ntls: ", "x509: ", "remote error: ", "panic: ", "goroutine ", "autopaho", "[outputs.mqtt]", "level=error msg="}},
	{python, []string{"traceback", "ssl.ssl", "socket.gaierror", "[ssl:", "sslerror", "_ssl.c", "[errno ", "[winerror ", ".py\", line", "connectionreseterror", "connectionrefusederror", "timeouterror:", "valueerror: ", "oserror: ", "runtimeerror: "}},
	{openSSL, []string{"s_client", "error:0a", "error:14", "error:05", "error:0b", "error:02", "error:09", "ssl routines", "ssl alert number", "verify error", "verify return code", "no peer certificate available", "ssl handshake has read", "connect:errno=", "write:errno="}},
	{mbedTLS, []string{"mbedtls", "mbed tls", "ssl_msg.c", "ssl_tls.c", "ssl_cli.c", "ssl_tls12_client.c", "x509 - ", "ssl - ", "pk - ", "net - ", "rsa - "}},
}

// client names the family: of the first sign that knows, else of the marks.
func (t *text) client(facts []found) string {
	for _, m := range marks {
		if t.has(m.client) {
			return string(m.client)
		}
	}
	for _, f := range facts {
		if f.client != "" {
			return string(f.client)
		}
	}
	return ""
}

// beginsWord says whether s holds mark at the beginning of a word: PHP's
// "ssl" is not that of OpenSSL.
func beginsWord(s, mark string) bool {
	for from := 0; ; {
		i := strings.Index(s[from:], mark)
		if i < 0 {
			return false
		}
		if from+i == 0 || !endsInWord(mark[:1]) || !endsInWord(s[:from+i]) {
			return true
		}
		from += i + 1
	}
}

// has says whether the text bears a mark of the family.
func (t *text) has(c client) bool {
	if t.families == nil {
		t.families = map[client]bool{}
		low := "\n" + strings.ToLower(strings.Join(t.raw, "\n"))
		for _, m := range marks {
			t.families[m.client] = slices.ContainsFunc(m.strings, func(s string) bool { return beginsWord(low, s) })
		}
	}
	return t.families[c]
}
