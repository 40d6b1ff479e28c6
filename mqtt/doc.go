// Package mqtt decodes, validates and encodes the packets of MQTT 3.1.1 and
// MQTT 5; it does no I/O beyond an io.Reader or io.Writer that it is given.
//
// It is made for both ends of a connection. A server splits its read buffer
// with [NextPacket] and decodes each packet into a struct that it keeps:
//
//	header, body, n, err := mqtt.NextPacket(buf, maxPacket)
//	switch {
//	case err != nil: // *Error: not MQTT, or too large
//	case n < 0:      // at least -n more bytes are needed
//	}
//	if mqtt.TypeOf(header) == mqtt.TypePublish {
//		err = publish.Decode(version, header, body)
//	}
//
// Borrowed memory: Decode copies no bytes. Every []byte of a decoded packet
// aliases the body that was decoded and is valid only as long as that buffer is
// left alone; slices of a packet ([Subscribe.Filters], [Properties.User], ...)
// are reused by the next Decode into the same struct. Decoding PUBLISH, the
// acknowledgements and PINGREQ allocates nothing.
//
// What is checked: everything that the standards say about the format of one
// packet. What depends on state or on a server's choice is left to the caller:
// who may send which packet when, QoS above what the server offers, aliases,
// client identifiers, and topics (see [ParseTopicName], [ParseTopicFilter]),
// since a server has other answers to them than closing the connection.
// One MUST is not enforced: DUP on a QoS 0 PUBLISH (MQTT-3.3.1-2), because
// AWS IoT ignores DUP on arrival. Source: mqtt sheet 1.
//
// Every failure is an [*Error] with the reason code that MQTT 5 has for it, the
// rule of the standard, and the offset of the offending byte.
package mqtt
