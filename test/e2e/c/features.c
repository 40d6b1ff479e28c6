/* What the Eclipse Paho client for C does of the broker's features: see ../js/features.mjs.
 *
 *   features 3|5 URI CA CERTIFICATE KEY NAME
 *
 * With a URI wss://host:port/mqtt?... it connects and gets one message back; "websocket" is printed then. */
#include <MQTTClient.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *uri, *ca, *certificate, *key, *name;
static int version;

static void fail(const char *what, int rc) {
	printf("failed: %s: %d\n", what, rc);
	exit(1);
}

/* text is a string that lives as long as the program. */
static char *text(const char *format, ...) {
	char *s = malloc(512);
	va_list args;
	va_start(args, format);
	vsnprintf(s, 512, format, args);
	va_end(args);
	return s;
}

static MQTTClient client(const char *id) {
	MQTTClient c;
	MQTTClient_createOptions options = MQTTClient_createOptions_initializer;
	options.MQTTVersion = version;
	int rc = MQTTClient_createWithOptions(&c, uri, text("%s-%s", name, id), MQTTCLIENT_PERSISTENCE_NONE, NULL, &options);
	if (rc != MQTTCLIENT_SUCCESS) fail("create", rc);
	return c;
}

/* connects answers whether the session was there. */
static int connects(MQTTClient c, int keep, char *will) {
	MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;
	MQTTClient_connectOptions options5 = MQTTClient_connectOptions_initializer5;
	MQTTClient_SSLOptions tls = MQTTClient_SSLOptions_initializer;
	MQTTClient_willOptions last = MQTTClient_willOptions_initializer;
	MQTTProperties properties = MQTTProperties_initializer;
	int present, rc;
	tls.trustStore = ca;
	if (strncmp(uri, "wss:", 4) != 0) {
		tls.keyStore = certificate;
		tls.privateKey = key;
	}
	tls.verify = 1;
	if (version == MQTTVERSION_5) options = options5;
	options.ssl = &tls;
	options.keepAliveInterval = 60;
	if (will != NULL) {
		last.topicName = will;
		last.message = "gone";
		last.qos = 1;
		options.will = &last;
	}
	if (version == MQTTVERSION_5) {
		MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL};
		expiry.value.integer4 = keep ? 600 : 0;
		MQTTProperties_add(&properties, &expiry);
		options.cleanstart = !keep;
		MQTTResponse response = MQTTClient_connect5(c, &options, &properties, NULL);
		rc = response.reasonCode;
		MQTTResponse_free(response);
		present = options.returned.sessionPresent;
	} else {
		options.MQTTVersion = MQTTVERSION_3_1_1;
		options.cleansession = !keep;
		rc = MQTTClient_connect(c, &options);
		present = options.returned.sessionPresent;
	}
	if (rc != MQTTCLIENT_SUCCESS) fail("connect", rc);
	return present;
}

static void subscribe(MQTTClient c, const char *filter) {
	int rc;
	if (version == MQTTVERSION_5) {
		MQTTResponse response = MQTTClient_subscribe5(c, filter, 1, NULL, NULL);
		rc = response.reasonCode;
		MQTTResponse_free(response);
	} else {
		rc = MQTTClient_subscribe(c, filter, 1);
	}
	if (rc != 0 && rc != 1) fail(filter, rc);
}

static void publish(MQTTClient c, const char *topic, char *payload, int retained, MQTTProperties *properties) {
	MQTTClient_message m = MQTTClient_message_initializer;
	MQTTClient_deliveryToken token;
	int rc;
	m.payload = payload;
	m.payloadlen = (int)strlen(payload);
	m.qos = 1;
	m.retained = retained;
	if (version == MQTTVERSION_5) {
		if (properties != NULL) m.properties = *properties;
		MQTTResponse response = MQTTClient_publishMessage5(c, topic, &m, &token);
		rc = response.reasonCode;
		MQTTResponse_free(response);
	} else {
		rc = MQTTClient_publishMessage(c, topic, &m, &token);
	}
	if (rc == MQTTCLIENT_SUCCESS) rc = MQTTClient_waitForCompletion(c, token, 20000);
	if (rc != MQTTCLIENT_SUCCESS) fail(topic, rc);
}

/* next is the next message within the time; NULL if there is none. */
static MQTTClient_message *next(MQTTClient c, unsigned long ms) {
	char *topic = NULL;
	int length;
	MQTTClient_message *m = NULL;
	MQTTClient_receive(c, &topic, &length, &m, ms);
	return m;
}

static MQTTClient_message *expect(MQTTClient c, const char *payload) {
	MQTTClient_message *m = next(c, 20000);
	if (m == NULL || m->payloadlen != (int)strlen(payload) || memcmp(m->payload, payload, m->payloadlen) != 0) fail(payload, m == NULL ? -1 : m->payloadlen);
	return m;
}

static MQTTProperty *property(MQTTClient_message *m, enum MQTTPropertyCodes code) {
	MQTTProperty *p = MQTTProperties_getProperty(&m->properties, code);
	if (p == NULL) fail("a property is missing", code);
	return p;
}

static void works(const char *feature) {
	puts(feature);
	fflush(stdout);
}

int main(int argc, char **argv) {
	if (argc != 7) return 2;
	version = argv[1][0] == '5' ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
	uri = argv[2], ca = argv[3], certificate = argv[4], key = argv[5], name = argv[6];

	if (strncmp(uri, "wss:", 4) == 0) {
		MQTTClient w = client("w");
		connects(w, 0, NULL);
		subscribe(w, text("%s/ws", name));
		publish(w, text("%s/ws", name), "over frames", 0, NULL);
		expect(w, "over frames");
		works("websocket");
		return 0;
	}

	MQTTClient a = client("a"), b = client("b");
	connects(b, 0, NULL);
	if (connects(a, 1, NULL)) fail("a first connection finds a session", 0);
	subscribe(a, text("%s/session", name));
	MQTTClient_disconnect(a, 1000);
	for (int i = 0; i < 3; i++) publish(b, text("%s/session", name), text("%d", i), 0, NULL);
	/* MQTTClient does not tell Session Present in MQTT 5: what was queued comes without subscribing again, or not. */
	if (!connects(a, 1, NULL) && version != MQTTVERSION_5) fail("the session is gone", 0);
	for (int i = 0; i < 3; i++) expect(a, text("%d", i));
	works("session");

	subscribe(a, text("$share/g/%s/shared", name));
	subscribe(b, text("$share/g/%s/shared", name));
	for (int i = 0; i < 30; i++) publish(b, text("%s/shared", name), text("%d", i), 0, NULL);
	int of_a = 0, of_b = 0;
	for (int rounds = 0; of_a + of_b < 30 && rounds < 400; rounds++) {
		if (next(a, 50) != NULL) of_a++;
		if (next(b, 50) != NULL) of_b++;
	}
	if (of_a + of_b != 30 || of_a == 0 || of_b == 0) fail("shared", of_a);
	works("shared");

	publish(b, text("%s/retained", name), "kept", 1, NULL);
	subscribe(a, text("%s/retained", name));
	if (!expect(a, "kept")->retained) fail("RETAIN is not set", 0);
	works("retained");

	subscribe(b, text("%s/will", name));
	MQTTClient first = client("c"), second = client("c");
	connects(first, 0, text("%s/will", name));
	connects(second, 0, NULL); /* takes the client ID over: the first one is cut off */
	/* MQTTClient loses another client's connection when it learns of that while it waits for the other one. */
	for (int i = 0; i < 200 && MQTTClient_isConnected(first); i++) next(first, 100);
	expect(b, "gone");
	works("will");
	MQTTClient_disconnect(second, 1000);
	MQTTClient_destroy(&second);
	MQTTClient_destroy(&first); /* MQTTClient loses another client's connection over one that was cut off */

	if (version == MQTTVERSION_5) {
		MQTTProperties request = MQTTProperties_initializer, answer = MQTTProperties_initializer;
		MQTTProperty to = {.identifier = MQTTPROPERTY_CODE_RESPONSE_TOPIC}, data = {.identifier = MQTTPROPERTY_CODE_CORRELATION_DATA};
		subscribe(b, text("%s/request", name));
		subscribe(a, text("%s/response", name));
		to.value.data.data = text("%s/response", name);
		to.value.data.len = (int)strlen(to.value.data.data);
		data.value.data.data = "42";
		data.value.data.len = 2;
		MQTTProperties_add(&request, &to);
		MQTTProperties_add(&request, &data);
		publish(a, text("%s/request", name), "how much", 0, &request);
		MQTTClient_message *m = expect(b, "how much");
		MQTTLenString topic = property(m, MQTTPROPERTY_CODE_RESPONSE_TOPIC)->value.data;
		MQTTProperties_add(&answer, property(m, MQTTPROPERTY_CODE_CORRELATION_DATA));
		publish(b, text("%.*s", topic.len, topic.data), "a lot", 0, &answer);
		MQTTLenString same = property(expect(a, "a lot"), MQTTPROPERTY_CODE_CORRELATION_DATA)->value.data;
		if (same.len != 2 || memcmp(same.data, "42", 2) != 0) fail("correlation data", same.len);
		works("request");
	}
	return 0;
}
