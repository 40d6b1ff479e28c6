package check

// What devices see is shared between checks: in AWS's way of refusing, many
// causes look the same from outside, which is why the explanation exists.
// Measured with real clients: PROBLEMS 1.1, connect sheet 8.1.
var (
	// refusedCertificate is a client certificate that is judged in the handshake.
	refusedCertificate = Device{
		TLS12: "The handshake fails with alert 46 (certificate_unknown).",
		TLS13: "The handshake seems to succeed, then the first read fails with alert 42 (bad_certificate).",
		Clients: []Client{
			{"mbedTLS", "-0x7780"},
			{"AWS SDK v2", "1178 AWS_IO_TLS_ERROR_READ_FAILURE (TLS 1.2: 1029)"},
			{"mosquitto", "exit 7, The connection was lost. (TLS 1.2: exit 8)"},
			{"OpenSSL", "alert bad certificate (TLS 1.2: alert certificate unknown)"},
		},
	}

	// closedAfterConnect is a CONNECT that is not answered, as AWS refuses in MQTT 3.1.1.
	closedAfterConnect = Device{
		MQTT311: "The connection is closed after CONNECT, without CONNACK: close_notify, then FIN.",
		MQTT5:   "CONNACK 0x87 (not authorized), then close.",
		HTTPS:   "403 ForbiddenException.",
		Clients: []Client{
			{"AWS SDK v2", "5134 AWS_ERROR_MQTT_UNEXPECTED_HANGUP (MQTT 5: 5150)"},
			{"mosquitto", "exit 7, The connection was lost. (MQTT 5: exit 135)"},
			{"paho", "rc=7"},
			{"mbedTLS", "-0x7880"},
			{"embedded C SDK", "-28 or -12"},
			{"coreMQTT", "MQTTRecvFailed"},
		},
	}

	// refusedPublish is a PUBLISH that may not be.
	refusedPublish = Device{
		MQTT311: "The connection is closed after PUBLISH, without PUBACK.",
		MQTT5:   "QoS 1: PUBACK 0x87 (not authorized), the connection stays. QoS 0: DISCONNECT 0x87.",
		HTTPS:   "403 ForbiddenException.",
		Clients: []Client{
			{"AWS SDK v2", "interrupted with 5134, then publish fails with 5138 (MQTT 5: PUBACK reason code 135)"},
			{"mosquitto", "exit 7, also after QoS 0 (MQTT 5: a warning, and exit 0)"},
			{"paho", "rc=7"},
			{"coreMQTT", "MQTTRecvFailed"},
		},
	}

	// refusedSubscribe is a SUBSCRIBE that may not be.
	refusedSubscribe = Device{
		MQTT311: "The connection is closed after SUBSCRIBE, without SUBACK.",
		MQTT5:   "SUBACK 0x87 (not authorized) for this filter; the connection stays.",
		Clients: []Client{
			{"AWS SDK v2", "interrupted with 5134, then subscribe fails with 5138, and it connects again"},
			{"mosquitto_sub", "connects again and again in silence (MQTT 5: exit 0)"},
			{"paho", "rc=7"},
			{"embedded C SDK", "-28"},
		},
	}

	// closedInSilence is any other end without a word.
	closedInSilence = Device{
		MQTT311: "The connection is closed.",
		MQTT5:   "DISCONNECT with a reason code, then close.",
		Clients: []Client{{"AWS SDK v2", "5134 AWS_ERROR_MQTT_UNEXPECTED_HANGUP (MQTT 5: 5154)"}, {"mosquitto", "exit 7"}, {"paho", "rc=7"}},
	}

	// closedAtHello is a connection that never was TLS.
	closedAtHello = Device{
		TLS12:   "The connection is closed before any answer.",
		TLS13:   "The connection is closed before any answer.",
		MQTT311: "The connection is closed before any answer.",
		MQTT5:   "The connection is closed before any answer.",
		Clients: []Client{{"mosquitto", "exit 7, The connection was lost."}, {"curl", "(52) Empty reply from server"}, {"mbedTLS", "-0x7280"}},
	}

	// serverCertificateRefused is the device that ends the handshake itself.
	serverCertificateRefused = Device{
		TLS12: "The device ends the handshake itself, because it does not accept our certificate.",
		TLS13: "The device ends the handshake itself, because it does not accept our certificate.",
		Clients: []Client{
			{"mbedTLS", "-0x2700"},
			{"OpenSSL", "certificate verify failed"},
			{"mosquitto", "exit 8"},
			{"AWS SDK v2", "1029 AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE after 10 to 30 s"},
			{"Java", "PKIX path building failed"},
		},
	}

	// silent is a fault that the device can't see at all.
	silent = Device{
		MQTT311: "Nothing: the connection stays, and no message comes.",
		MQTT5:   "Nothing: the connection stays, and no message comes.",
	}

	// works is a doubt about something that works.
	works = Device{TLS12: "Nothing: it works.", TLS13: "Nothing: it works.", MQTT311: "Nothing: it works.", MQTT5: "Nothing: it works."}
)

// alerted is a handshake that we refuse with a TLS alert.
func alerted(alert, openssl, sdk string) Device {
	return Device{
		TLS12:   "The handshake fails with alert " + alert + ".",
		TLS13:   "The handshake fails with alert " + alert + ".",
		Clients: []Client{{"mbedTLS", "-0x7780"}, {"OpenSSL", openssl}, {"AWS SDK v2", sdk}, {"mosquitto", "exit 8 or 1, A TLS error occurred."}},
	}
}

// answered is a fault that MQTT 5 names with a reason code and MQTT 3.1.1 does not.
func answered(v3, v5 string) Device {
	d := closedInSilence
	d.MQTT311, d.MQTT5 = v3, v5
	return d
}
