package symptom

import "strings"

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

// marks are words that only the family has, or that its log lines begin with;
// the first that stands in the text wins where no sign names a client.
var marks = []struct {
	client client
	words  []string
}{
	{cloudWatch, []string{"eventType", "AWSIotLogs*"}},
	{greengrass, []string{"greengrass*", "aws.greengrass*"}},
	{pahoJava, []string{"org.eclipse.paho*", "MqttException", "mqttv3"}},
	{dotNET, []string{"MQTTnet*", "System.Net*", "System.Security*", "SslStream"}},
	{pahoGo, []string{"paho.mqtt.golang", "[client]"}},
	{awsCRT, []string{"awscrt*", "AwsCrtError", "libaws*", "aws_iot*mqtt5*", "AWS_ERROR*", "AWS_IO*", "CrtRuntimeException", "software.amazon.awssdk*", "aws-c-*"}},
	{mosquitto, []string{"mosquitto*"}},
	{embeddedC, []string{"aws_iot_mqtt*", "aws_iot_shadow*", "iot_tls_connect", "aws_iot:", "subpub_sample", "AWS_IOT", "Shadow Register Delta Error", "NETWORK_SSL*"}},
	{coreMQTT, []string{"MQTTRecv*", "MQTTSend*", "MQTT_Connect", "coreMQTT", "core_mqtt*", "MQTTSuccess", "MQTTServerRefused", "mqtt_demo*"}},
	{espIDF, []string{"esp-tls*", "esp_tls*", "mqtt_client", "MQTT_CLIENT", "transport_base", "TRANS_SSL", "esp-idf", "ESP_ERR*", "esp_mqtt*", "MQTT_EVENT*"}},
	{pubSub, []string{"PubSubClient", "pubsubclient"}},
	{arduino256, []string{"lastError", "arduino-mqtt"}},
	{arduinoMQTT, []string{"ArduinoMqttClient", "connectError", "BearSSLClient"}},
	{bearSSL, []string{"BSSL*", "BearSSL"}},
	{wolfSSL, []string{"wolfSSL*", "wolfMQTT*", "ASN_NO_SIGNER*"}},
	{microPython, []string{"micropython", "umqtt*"}},
	{mongoose, []string{"mgos*", "mongoose*"}},
	{modem, []string{"AT+*", "CME ERROR", "SMCONN", "USOER", "SMSTATE", "CMQTT*", "QMT*", "UUMQTT*"}},
	{pahoPython, []string{"paho*", "_ssl.c", "loop_forever", "on_connect", "on_disconnect"}},
	{mqttJS, []string{"mqttjs", "MQTT.js", "ErrorWithReasonCode", "packetreceive"}},
	{pahoJS, []string{"AMQJS*", "AMQJSC*"}},
	{awsAPI, []string{"botocore*", "boto3", "An error occurred", "ClientError", "aws iot", "aws-cli"}},
	{java, []string{"javax.net*", "java.net*", "java.io*", "java.security*", "sun.security*", "PKIX*"}},
	{nodeJS, []string{"node:internal", "ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EPROTO", "ERR_SSL*", "ERR_TLS*", "errno: -*", "syscall"}},
	{goLang, []string{"dial tcp", "tls: *", "x509: *", "remote error"}},
	{curl, []string{"curl:", "curl"}},
	{rust, []string{"rustls*", "rumqttc*", "InvalidCertificate", "webpki"}},
	{python, []string{"Traceback", "ssl.SSL*", "socket.gaierror", "[SSL:", "SSLError", "gaierror"}},
	{openSSL, []string{"s_client", "error:0A*", "error:14*", "SSL routines", "SSL alert number", "verify error"}},
	{mbedTLS, []string{"mbedtls*", "mbed TLS", "ssl_msg.c", "ssl_tls.c", "ssl_cli.c", "X509 -", "SSL - "}},
}

func init() {
	for i, m := range marks {
		for j, w := range m.words {
			marks[i].words[j] = phrase(w)
		}
	}
}

// client names the family: of the first sign that knows, else of the marks.
func (t *text) client(facts []found) string {
	for _, m := range marks {
		for _, w := range m.words {
			if strings.TrimSpace(w) != "" && t.find(w) >= 0 {
				return string(m.client)
			}
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
	for _, m := range marks {
		if m.client != c {
			continue
		}
		for _, w := range m.words {
			if t.find(w) >= 0 {
				return true
			}
		}
	}
	return false
}
