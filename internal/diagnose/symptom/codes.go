package symptom

// The libraries' own numbers. A code that only tells of a mistake in a program's
// use of its library has no place here.

// mbedCodes are of mbedTLS 2 and 3: high-level codes and those of the network.
var mbedCodes = map[int]*fact{
	0x42: socketFailed, 0x44: connectFailed, 0x46: socketFailed, 0x48: socketFailed, 0x4A: socketFailed, 0x4C: reset, 0x4E: reset, 0x50: reset, 0x52: dnsUnknown,
	0x10: outOfMemory, 0x0C: keyUnreadable,
	0x1080: certUnreadable, 0x1100: certUnreadable, 0x1180: outOfMemory, 0x1300: keyUnreadable, 0x1380: keyUnreadable,
	0x2080: certUnreadable, 0x2100: certUnreadable, 0x2180: certUnreadable, 0x2200: certUnreadable, 0x2280: certUnreadable, 0x2300: certUnreadable, 0x2380: certUnreadable, 0x2400: certUnreadable, 0x2480: certUnreadable, 0x2500: certUnreadable, 0x2580: certUnreadable, 0x2600: certificateUnsupported,
	0x2680: serverRefused, 0x2700: serverRefused, 0x2780: certUnreadable, 0x2800: certUnreadable, 0x2880: outOfMemory, 0x2900: fileMissing, 0x2980: bufferSmall, 0x3000: serverRefused,
	0x3900: keyEncoding, 0x3980: keyEncoding, 0x3A00: keyEncoding, 0x3A80: keyUnreadable, 0x3B00: keyUnreadable, 0x3B80: keyEncoding, 0x3C00: keyEncoding, 0x3C80: keyEncoding, 0x3D00: keyUnreadable, 0x3D80: keyUnreadable, 0x3E00: fileMissing, 0x3E80: keyUnreadable, 0x3F00: keyMismatch, 0x3F80: outOfMemory,
	0x4080: keyUnreadable, 0x4100: keyUnreadable, 0x4180: outOfMemory, 0x4200: keyMismatch, 0x4280: macWrong, 0x4300: outOfMemory, 0x4380: serverRefused, 0x4400: tlsFailed, 0x4480: tlsFailed, 0x4C80: keyUnreadable, 0x4D00: outOfMemory, 0x4D80: outOfMemory, 0x4E00: serverRefused, 0x4E80: cipherRefused, 0x4F00: keyUnreadable, 0x4F80: keyUnreadable,
	0x5E80: versionRefused, 0x6000: tlsFailed, 0x6080: tlsFailed, 0x6600: helloMalformed, 0x6680: versionRefused, 0x6780: cipherRefused, 0x6800: tlsTimeout, 0x6880: tlsTimeout, 0x6900: tlsTimeout, 0x6A00: badRecord, 0x6A80: outOfMemory, 0x6B00: tlsFailed, 0x6C00: tlsFailed, 0x6E00: handshakeRefused, 0x6E80: versionRefused, 0x6F00: tlsFailed,
	0x7000: badRecord, 0x7080: tlsFailed, 0x7100: tlsFailed, 0x7180: macWrong, 0x7200: badRecord, 0x7280: closedInHandshake, 0x7300: cipherRefused, 0x7380: cipherRefused, 0x7400: noCertificate, 0x7480: noCertificate, 0x7500: noCertificate, 0x7580: noCertificate, 0x7600: trustMissing, 0x7680: trustMissing, 0x7700: helloMalformed, 0x7780: alertReceived, 0x7800: serverRefused, 0x7880: hangup,
	0x7900: badRecord, 0x7980: badRecord, 0x7A00: serverRefused, 0x7A80: tlsFailed, 0x7B00: tlsFailed, 0x7B80: tlsFailed, 0x7C00: tlsFailed, 0x7C80: tlsFailed, 0x7D00: tlsFailed, 0x7D80: keyProofRefused, 0x7E00: keyProofRefused, 0x7E80: tlsFailed, 0x7F00: outOfMemory, 0x7F80: outOfMemory,
}

// mbedCode takes a code apart: a sum of a high-level one and a low-level one.
func mbedCode(v int) *fact {
	n := abs(v)
	if n < 0x1080 {
		return mbedCodes[n]
	}
	low := n & 0x7F
	if low == 0x10 || low == 0x6A { // MPI and ASN.1: allocation failed
		return outOfMemory
	}
	return mbedCodes[n&^0x7F]
}

// verifyFlags are those of mbedTLS' certificate verification.
func verifyFlags(flags int) *fact {
	switch {
	case flags&0x08 != 0:
		return serverUntrusted
	case flags&0x04 != 0:
		return serverName
	case flags&0x200 != 0:
		return serverEarly
	case flags&0x01 != 0:
		return serverExpired
	case flags != 0:
		return serverRefused
	}
	return nil
}

// alerts are the TLS alerts that a server sends. IANA, TLS Alerts.
var alerts = map[int]*fact{
	0: hangup, 10: helloMalformed, 20: macWrong, 21: macWrong, 22: badRecord, 40: handshakeRefused, 41: noCertificate, 42: certificateRefused, 43: certificateUnsupported, 44: certificateRevoked, 45: certificateExpired, 46: certificateRefused, 47: handshakeRefused,
	48: certificateUntrusted, 49: certificateRefused, 50: helloMalformed, 51: keyProofRefused, 70: versionRefused, 71: cipherRefused, 80: serverFault, 86: versionRefused, 109: helloMalformed, 110: helloMalformed, 112: nameUnknown, 113: serverRefused, 115: certificateRefused, 116: noCertificate, 120: alpnRefused,
}

// opensslReason looks up the reason of a packed OpenSSL error of libssl; 1000 and more are alerts.
func opensslReason(reason int) *fact {
	if reason > 1000 && reason < 1200 {
		return alerts[reason-1000]
	}
	return map[int]*fact{
		0x86: serverRefused, 0x10B: serverNotTLS, 0x126: closedInHandshake, 0xC1: cipherRefused, 0x102: versionRefused, 0xF4: tlsFailed, 0x9C: serverNotTLS, 0xC6: serverNotTLS, 0x18E: certificateUnsupported, 0x18A: certificateUnsupported,
		0x7B: keyProofRefused, 0x74: keyMismatch, 0x6C: certUnreadable, 0xEB: alpnRefused, 0x119: macWrong, 0x18F: certificateUnsupported,
	}[reason]
}

// crtCodes are of aws-c-io (1024), -http (2048), -mqtt (5120) and -auth (6144).
var crtCodes = map[int]*fact{
	1027: filesUnusable, 1029: tlsFailed, 1030: tlsFailed, 1031: readFailedAfterTLS, 1032: alertReceived, 1033: filesUnusable, 1035: lost, 1036: lost, 1038: certUnreadable, 1039: tlsFailed,
	1044: socketFailed, 1045: lost, 1046: reset, 1047: tcpRefused, 1048: tcpTimeout, 1049: tcpUnreachable, 1050: tcpUnreachable, 1051: lost, 1052: lost, 1053: tcpUnreachable, 1054: filePermission, 1055: tcpUnreachable, 1056: dnsUnknown, 1057: tcpUnreachable, 1058: dnsUnknown, 1059: dnsUnknown, 1060: dnsUnknown,
	1061: dnsUnknown, 1067: tlsTimeout, 1068: alertReceived, 1172: trustMissing, 1173: trustMissing, 1178: readFailedAfterTLS,
	1181: serverUntrusted, 1182: serverUntrusted, 1183: serverExpired, 1184: serverEarly, 1185: certificateRefused, 1186: certificateRefused, 1187: certificateRefused, 1188: certificateRefused, 1189: serverRefused, 1190: certificateRefused, 1191: serverRefused, 1194: serverName,
	2058: lost, 2059: proxyRefused, 2065: upgradeRefused, 2071: proxyRefused, 2072: proxyRefused, 2073: proxyRefused,
	5121: malformed, 5123: topicInvalid, 5124: topicInvalid, 5125: malformed, 5126: malformed, 5127: protocolError, 5129: operationTimeout, 5130: protocolError, 5131: malformed, 5134: hangup, 5135: hangup, 5138: cancelled,
	5149: protocolError, 5150: connectRefused, 5151: connackTimeout, 5152: pingTimeout, 5153: cancelled, 5154: closedLater, 5155: cancelled, 5156: protocolError, 5158: cancelled, 5165: publishRefused,
	6146: noCredentials, 6147: noCredentials,
}

// embeddedCodes are IoT_Error_t of the embedded C SDK 2 and 3.
var embeddedCodes = map[int]*fact{
	-3: connectFailed, -4: tlsFailed, -5: connectFailed, -6: tlsTimeout, -7: hangup, -8: trustMissing, -9: filesUnusable, -10: operationTimeout, -11: operationTimeout, -12: hangup, -13: lost, -14: lost, -15: lost, -17: lost, -19: certUnreadable, -20: certUnreadable, -21: keyUnreadable,
	-22: socketFailed, -23: dnsUnknown, -24: connectFailed, -25: hangup, -26: hangup, -27: connackTimeout, -28: operationTimeout, -32: largeLost, -33: largeLost, -34: subscriptions, -35: protocolError, -36: connectRefused, -37: versionUnsupported, -38: clientIDRefused, -39: serverUnavailable, -40: badCredentials, -41: notAuthorized,
	-42: shadowBuffer, -44: shadowBuffer, -50: tooLarge, -51: inflight,
}

// espTLS are the ESP_ERR_ESP_TLS_... of ESP-IDF 4 and 5.
var espTLS = map[int]*fact{
	0x8001: dnsUnknown, 0x8002: socketFailed, 0x8004: connectFailed, 0x8005: socketFailed, 0x8006: tcpTimeout, 0x8007: socketFailed, 0x8008: lost, 0x8009: tlsTimeout, 0x8010: certUnreadable, 0x8011: tlsFailed, 0x8015: certUnreadable, 0x8016: filesUnusable, 0x8017: outOfMemory, 0x8018: outOfMemory,
	0x8019: keyUnreadable, 0x801A: tlsFailed, 0x801B: filesUnusable, 0x801C: hangup, 0x801D: readFailedAfterTLS,
}

// mosquittoExit are exit codes of mosquitto_pub, _sub and _rr.
var mosquittoExit = map[int]*fact{
	1: noConnection, 2: protocolError, 3: serverUnavailable, 4: closedLater, 5: notAuthorized, 6: connectFailed, 7: lost, 8: tlsFailed, 9: tooLarge, 11: badCredentials, 13: dnsUnknown, 14: reset, 15: dnsUnknown, 16: proxyRefused, 19: keepAlive, 21: malformed, 24: throttled, 25: tooLarge, 27: operationTimeout, 31: serverUnavailable,
}

// returnCodes are what paho and others call rc: CONNACK codes, and 7 for a lost connection.
var returnCodes = map[int]*fact{
	1: versionUnsupported, 2: clientIDRefused, 3: serverUnavailable, 4: badCredentials, 5: notAuthorized, 6: hangup, 7: lost, 8: tlsFailed, 14: reset, 16: keepAlive,
}

// reasonCodes are MQTT 5's. MQTT 5, 2.4.
var reasonCodes = map[int]*fact{
	128: connectRefused, 129: malformed, 130: protocolBroken, 131: connectRefused, 132: versionUnsupported, 133: clientIDRefused, 134: badCredentials, 135: notAuthorized, 136: serverUnavailable, 137: serverUnavailable, 138: byOperator, 139: shuttingDown, 140: authMethod, 141: keepAlive, 142: takeover, 143: filterInvalid, 144: topicInvalid,
	145: packetIDInUse, 146: packetIDInUse, 147: inflight, 148: topicAlias, 149: tooLarge, 150: throttled, 151: throttled, 152: byOperator, 153: malformed, 154: retainRefused, 155: qos2, 156: serverUnavailable, 157: serverUnavailable, 158: filterInvalid, 159: connectThrottled, 160: maxLifetime, 161: subscriptionID, 162: filterInvalid,
}

// pahoJavaCodes are the reason codes of MqttException.
var pahoJavaCodes = map[int]*fact{
	32000: connackTimeout, 32001: inflight, 32002: operationTimeout, 32100: lost, 32102: lost, 32103: connectFailed, 32104: lost, 32105: trustMissing, 32108: protocolError, 32109: lost, 32111: lost, 32202: inflight,
}

// arduinoCodes are state() of PubSubClient and connectError() of ArduinoMqttClient.
var arduinoCodes = map[int]*fact{-4: connackTimeout, -3: lost, -2: connectFailed, -1: lost, -5: hangup}

// errnos are of Linux, lwIP and Windows.
var errnos = map[int]*fact{
	1: filePermission, 2: fileMissing, 8: dnsUnknown, 50: tcpUnreachable, 51: tcpUnreachable, 64: tcpUnreachable, 65: tcpUnreachable, 11: dnsUnavailable, 12: outOfMemory, 13: filePermission, 24: socketFailed, 32: reset, 54: reset, 60: tcpTimeout, 61: tcpRefused, 101: tcpUnreachable, 103: reset, 104: reset, 107: lost, 110: tcpTimeout, 111: tcpRefused, 113: tcpUnreachable, 114: tcpUnreachable, 115: tcpTimeout, 116: tcpTimeout, 118: tcpUnreachable, 119: tcpTimeout, 128: lost,
	10053: reset, 10054: reset, 10060: tcpTimeout, 10061: tcpRefused, 10065: tcpUnreachable, 11001: dnsUnknown, 11002: dnsUnavailable, 99: tcpUnreachable,
}

// gaiErrors are of getaddrinfo, as Python numbers them beside errno.
var gaiErrors = map[int]*fact{-2: dnsUnknown, -3: dnsUnavailable, -5: dnsUnknown, -3008: dnsUnknown, -3001: dnsUnavailable}

// curlCodes are curl's exit codes.
var curlCodes = map[int]*fact{
	3: endpointURL, 5: dnsUnknown, 6: dnsUnknown, 7: connectFailed, 22: forbidden, 28: tcpTimeout, 35: tlsFailed, 51: serverName, 52: hangup, 55: reset, 56: reset, 58: filesUnusable, 59: cipherRefused, 60: serverRefused, 77: trustMissing, 91: serverRefused, 97: proxyRefused,
}

// bearCodes are getLastSSLError() of BearSSL, which Tasmota prints too.
var bearCodes = map[int]*fact{
	-1000: outOfMemory, 3: versionRefused, 4: badRecord, 5: badRecord, 6: badRecord, 7: macWrong, 9: serverNotTLS, 10: helloMalformed, 14: helloMalformed, 16: cipherRefused, 26: cipherRefused, 27: serverRefused, 29: filesUnusable, 31: reset,
	52: serverRefused, 53: clockWrong, 54: serverTime, 55: serverUntrusted, 56: serverName, 57: certUnreadable, 58: certificateUnsupported, 60: certificateUnsupported, 62: serverUntrusted,
}

// bearCode looks up a code: from 256 on it is an alert that the server sent, from
// 512 on one that the device sent because it did not take the server.
func bearCode(v int) *fact {
	switch {
	case v >= 512 && v < 768:
		return map[int]*fact{40: handshakeRefused, 42: serverRefused, 43: serverRefused, 45: serverExpired, 46: serverRefused, 48: serverUntrusted, 49: serverRefused, 70: versionRefused}[v-512]
	case v >= 256 && v < 512:
		return alerts[v-256]
	}
	return bearCodes[v]
}

// tasmotaCodes are Tasmota's own beside those of BearSSL.
var tasmotaCodes = map[int]*fact{-1000: outOfMemory, -1001: dnsUnknown, -1002: connectFailed, -1003: keyUnreadable, -1004: trustMissing, -1005: tlsTimeout}

// lwmqttCodes are lastError() of 256dpi's arduino-mqtt: lwmqtt_err_t.
var lwmqttCodes = map[int]*fact{-1: largeLost, -3: connectFailed, -4: connackTimeout, -5: hangup, -6: hangup, -7: tooLarge, -9: hangup, -10: connectRefused, -11: subscribeRefused, -13: pingTimeout}

// pahoCCodes are MQTTCLIENT_... and MQTTASYNC_... of paho for C.
var pahoCCodes = map[int]*fact{-1: connectUnknown, -3: lost, -4: inflight, -9: qos2, -14: endpointURL, 1: versionUnsupported, 2: clientIDRefused, 3: serverUnavailable, 4: badCredentials, 5: notAuthorized}

// zephyrCodes are errno values that mean more in Zephyr and in the nRF modem's
// library: its TLS is in the socket.
var zephyrCodes = map[int]*fact{-2: filesUnusable, -5: lost, -22: filesUnusable, -45: modemTLS, -54: reset, -95: modemTLS, -112: tcpUnreachable, -113: reset, -114: tcpUnreachable, -116: tcpTimeout, -118: tcpUnreachable, -120: lost, -122: tooLarge, -128: lost}

// simcomCodes are results of AT+CMQTT... of SIMCom's modems.
var simcomCodes = map[int]*fact{
	3: connectFailed, 4: socketFailed, 6: lost, 7: neverArrived, 9: neverArrived, 11: noConnection, 15: connectFailed, 16: lost, 17: connackTimeout, 25: dnsUnknown, 26: lost,
	27: versionUnsupported, 28: clientIDRefused, 29: serverUnavailable, 30: badCredentials, 31: notAuthorized, 32: modemHandshake, 33: noCertificate, 34: modemHandshake,
}

// quectelCodes are results of AT+QMTOPEN of Quectel's modems.
var quectelCodes = map[int]*fact{-1: connectFailed, 1: connectFailed, 2: connectFailed, 3: neverArrived, 4: dnsUnknown, 5: connectFailed}

// appleCodes are of Secure Transport (OSStatus) and CFNetwork (NSURLErrorDomain).
var appleCodes = map[int]*fact{
	-9800: tlsFailed, -9801: cipherRefused, -9805: closedInHandshake, -9806: closedInHandshake, -9807: serverUntrusted, -9808: serverRefused, -9809: tlsFailed, -9812: serverUntrusted, -9813: serverUntrusted, -9814: serverExpired, -9815: serverEarly,
	-9816: closedInHandshake, -9820: macWrong, -9824: handshakeRefused, -9825: certificateRefused, -9826: certificateUnsupported, -9827: certificateRevoked, -9828: certificateExpired, -9829: certificateRefused, -9830: handshakeRefused, -9831: certificateUntrusted, -9832: certificateRefused,
	-9836: versionRefused, -9843: serverName,
	-1001: tcpTimeout, -1003: dnsUnknown, -1004: connectFailed, -1005: lost, -1006: dnsUnknown, -1009: tcpUnreachable, -1200: tlsFailed, -1201: serverExpired, -1202: serverUntrusted, -1203: serverUntrusted, -1204: serverEarly, -1205: certificateRefused, -1206: noCertificate,
}

// windowsCodes are HRESULTs of Schannel, CryptoAPI and WinINet.
var windowsCodes = map[uint32]*fact{
	0x8009030D: filesUnusable, 0x8009030E: filesUnusable, 0x80090304: tlsFailed, 0x80090308: serverNotTLS, 0x80090322: serverName, 0x80090325: serverUntrusted, 0x80090326: handshakeRefused, 0x80090327: certificateRefused, 0x80090328: serverExpired, 0x80090330: macWrong, 0x80090331: versionRefused,
	0x80090302: tlsFailed, 0x80090318: tlsFailed, 0x80092002: certUnreadable, 0x80092009: certUnreadable, 0x80092012: serverRefused, 0x80092013: serverRefused, 0x8009000B: keyUnreadable, 0x80090016: fileMissing, 0x8009200B: keyUnreadable,
	0x800B0101: serverTime, 0x800B0109: serverUntrusted, 0x800B010A: serverUntrusted, 0x800B010C: certificateRevoked, 0x800B010F: serverName,
	0x80070002: fileMissing, 0x80070005: filePermission, 0x80070056: filesUnusable, 0x80072EE2: tcpTimeout, 0x80072EE7: dnsUnknown, 0x80072EFD: connectFailed, 0x80072EFE: reset, 0x80072F06: serverName, 0x80072F05: serverTime, 0x80072F0C: noCertificate, 0x80072F0D: serverUntrusted, 0x80072F7D: tlsFailed, 0x80072F8F: serverRefused,
}

// wolfCodes are of wolfSSL and wolfCrypt.
var wolfCodes = map[int]*fact{
	-125: outOfMemory, -140: certUnreadable, -150: serverEarly, -151: serverExpired, -155: serverRefused, -188: serverCrossSigned, -162: filesUnusable, -173: filesUnusable, -275: serverUntrusted, -303: outOfMemory, -305: macWrong, -308: reset, -310: closedInHandshake, -311: serverNotTLS, -312: macWrong, -313: alertReceived,
	-317: keyUnreadable, -322: serverName, -323: tlsTimeout, -325: serverName, -326: versionRefused, -328: badRecord, -329: serverRefused, -330: serverRefused, -343: hangup, -397: closedInHandshake, -501: cipherRefused,
	-2: largeLost, -3: protocolError, -6: tlsFailed, -7: operationTimeout, -8: lost, // wolfMQTT's own
}

// microPythonCodes are arguments of OSError.
var microPythonCodes = map[int]*fact{-2: dnsUnknown, -202: dnsUnavailable, -6: dnsUnknown, -15: lost}
