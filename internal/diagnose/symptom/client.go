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
)

// marks are strings, in lower case, that only the family prints; the first
// family of which one stands in the text wins.
var marks = []struct {
	client  client
	strings []string
}{
	{cloudWatch, []string{"eventtype", "awsiotlogs"}},
	{greengrass, []string{"greengrass"}},
	{pahoJava, []string{"org.eclipse.paho", "mqttexception (", "mqttv3", "mqttv5.client"}},
	{dotNET, []string{"mqttnet", "system.net.", "system.security.", "system.io.", "system.componentmodel", "sslstream"}},
	{pahoGo, []string{"paho.mqtt.golang", "[client]", "[net] ", "network error : "}},
	{awsCRT, []string{"awscrt", "libaws", "aws_error_", "aws_io_", "aws_auth_", "crtruntimeexception", "software.amazon.awssdk.crt", "aws-c-", "lifecycle connection"}},
	{mosquitto, []string{"mosquitto", "openssl error[0]", "all subscription requests were denied", "unable to connect (", "client mosq-"}},
	{embeddedC, []string{"aws_iot_mqtt", "aws_iot_shadow", "iot_tls_connect", "aws_iot:", "subpub", "shadow register delta", "network_ssl", "error(-"}},
	{coreMQTT, []string{"mqttrecv", "mqttsend", "mqtt_connect(", "coremqtt", "core_mqtt", "mqttsuccess", "mqttserverrefused", "mqttkeepalivetimeout", "mqttnodataavailable", "mqttbadresponse", "[transport_openssl", "ssl_connect failed to perform tls handshake", "mqtt_processloop"}},
	{espIDF, []string{"esp-tls", "esp_tls", "mqtt_client:", "transport_base", "trans_ssl", "esp-idf", "esp_err_", "esp_mqtt", "mqtt_event_"}},
	{pubSub, []string{"pubsubclient", "attempting mqtt connection", "failed, rc=-", "failed rc=-"}},
	{arduino256, []string{"lasterror =", "lasterror:", "arduino-mqtt"}},
	{arduinoMQTT, []string{"arduinomqttclient", "mqtt connection failed! error code", "bearsslclient"}},
	{bearSSL, []string{"bssl:", "bearssl"}},
	{wolfSSL, []string{"wolfssl", "wolfmqtt", "asn_no_signer", "asn no signer"}},
	{microPython, []string{"micropython", "umqtt"}},
	{mongoose, []string{"mgos", "mongoose"}},
	{modem, []string{"at+", "+cme error", "smconn", "+usoer", "smstate", "+cmqtt", "+qmt", "+uumqtt", "+cipopen", "+qiopen"}},
	{pahoPython, []string{"awsiotpythonsdk", "paho", "loop_forever", "on_connect", "on_disconnect", "with result code", "mqtt_err_"}},
	{mqttJS, []string{"mqttjs", "mqtt.js", "errorwithreasoncode", "packetreceive", "connack timeout", "connection refused: "}},
	{pahoJS, []string{"amqjs"}},
	{awsAPI, []string{"botocore", "boto3", "an error occurred (", "clienterror", "aws configure"}},
	{java, []string{"javax.net", "java.net", "java.io", "java.security", "java.lang", "sun.security", "pkix"}},
	{nodeJS, []string{"(node:", "node:internal", "deps/openssl", "enotfound", "connect econnrefused", "read econnreset", "connect etimedout", "eproto", "err_ssl", "err_tls", "syscall:", "unable_to_verify_leaf"}},
	{goLang, []string{"dial tcp", "tls: ", "x509: ", "remote error"}},
	{curl, []string{"curl"}},
	{rust, []string{"rustls", "rumqttc", "invalidcertificate(", "webpki", "os error "}},
	{python, []string{"traceback", "ssl.ssl", "socket.gaierror", "[ssl:", "sslerror", "_ssl.c", "[errno "}},
	{openSSL, []string{"s_client", "error:0a", "error:14", "error:05", "error:0b", "ssl routines", "ssl alert number", "verify error", "verify return code"}},
	{mbedTLS, []string{"mbedtls", "mbed tls", "ssl_msg.c", "ssl_tls.c", "ssl_cli.c", "x509 - ", "ssl - ", "pk - ", "net - "}},
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

// has says whether the text bears a mark of the family.
func (t *text) has(c client) bool {
	if t.families == nil {
		t.families = map[client]bool{}
		low := strings.ToLower(strings.Join(t.raw, "\n"))
		for _, m := range marks {
			t.families[m.client] = slices.ContainsFunc(m.strings, func(s string) bool { return strings.Contains(low, s) })
		}
	}
	return t.families[c]
}
