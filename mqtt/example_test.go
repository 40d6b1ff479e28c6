package mqtt_test

import (
	"errors"
	"fmt"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// A server reads packets out of the buffer that it reads the connection into.
func ExampleNextPacket() {
	buf := []byte("\x32\x0b\x00\x03t/1\x00\x0721.5\xc0\x00\x30")
	var publish mqtt.Publish
	for {
		header, body, n, err := mqtt.NextPacket(buf, 128<<10)
		if err != nil || n < 0 {
			fmt.Println("more bytes needed:", -n, err)
			return
		}
		buf = buf[n:]
		if mqtt.TypeOf(header) != mqtt.TypePublish {
			fmt.Println(mqtt.TypeOf(header))
			continue
		}
		if err := publish.Decode(mqtt.V311, header, body); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("PUBLISH %s: %s, answered % X\n", publish.Topic, publish.Payload,
			mqtt.AppendAck(nil, mqtt.V311, mqtt.TypePuback, publish.PacketID, mqtt.Success))
	}
	// Output:
	// PUBLISH t/1: 21.5, answered 40 02 00 07
	// PINGREQ
	// more bytes needed: 1 <nil>
}

// Every failure names the rule and the byte.
func ExampleError() {
	_, err := mqtt.Decode(mqtt.V311, 0x82, []byte("\x00\x01\x00\x03a/#\x03"))
	e, _ := errors.AsType[*mqtt.Error](err)
	fmt.Println(e)
	fmt.Println(e.Code, e.Rule, e.Offset)
	// Output:
	// MQTT 3.1.1 SUBSCRIBE: byte 9: requested QoS is 3 [MQTT-3.8.3-4]
	// Malformed Packet MQTT-3.8.3-4 9
}

// One frame serves all receivers of a message that differ only in the packet
// identifier.
func ExamplePublish_AppendFrame() {
	p := mqtt.Publish{QoS: 1, PacketID: 1, Topic: []byte("t"), Payload: []byte("21")}
	frame, at, err := p.AppendFrame(nil, mqtt.V311)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, id := range []uint16{0x0102, 0x0304} {
		out := append([]byte(nil), frame...)
		mqtt.SetPacketID(out, at, id)
		fmt.Printf("% X\n", out)
	}
	// Output:
	// 32 07 00 01 74 01 02 32 31
	// 32 07 00 01 74 03 04 32 31
}
