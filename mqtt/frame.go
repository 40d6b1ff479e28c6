package mqtt

import "fmt"

// NextPacket splits the first packet off buf without copying.
//
//   - n > 0: a whole packet of n bytes; header is its first byte, body what
//     follows the Remaining Length, borrowed from buf and not nil.
//   - n < 0: buf ends inside the packet; at least -n more bytes are needed (the
//     exact number once the Remaining Length is there).
//   - err != nil: an *Error; the stream cannot be read any further. It comes as
//     early as the bytes allow: a wrong first byte and a Remaining Length above
//     the limit are refused before the rest has arrived.
//
// max is the largest packet to accept in bytes, with its fixed header, which is
// how MQTT 5 counts Maximum Packet Size; 0 means no limit but the protocol's. A
// larger packet is an *Error with code PacketTooLarge and rule RulePacketSize.
//
// A Remaining Length in more bytes than needed is accepted, since MQTT 3.1.1
// does not forbid it; MQTT 5 does: see [CheckLength].
func NextPacket(buf []byte, max int) (header byte, body []byte, n int, err error) {
	if len(buf) < 2 {
		if len(buf) == 1 && badFirst[buf[0]] {
			return buf[0], nil, 0, checkHeader(0, buf[0])
		}
		return 0, nil, len(buf) - 2, nil
	}
	header = buf[0]
	if badFirst[header] {
		return header, nil, 0, checkHeader(0, header)
	}
	size, head := int(buf[1]), 2
	if size >= 0x80 {
		size &= 0x7F
		for shift := 7; ; shift += 7 {
			if head > 4 {
				return header, nil, 0, &Error{
					Packet: TypeOf(header), Code: MalformedPacket, Rule: "section 2.1.4", Offset: 1,
					Message: "remaining length has more than four bytes",
				}
			}
			if head >= len(buf) {
				return header, nil, head - len(buf) - 1, nil
			}
			b := buf[head]
			head++
			size |= int(b&0x7F) << shift
			if b < 0x80 {
				break
			}
		}
	}
	total := head + size
	if max > 0 && total > max {
		return header, nil, 0, &Error{
			Packet: TypeOf(header), Code: PacketTooLarge, Rule: RulePacketSize, Offset: 1,
			Message: fmt.Sprintf("packet has %d bytes, at most %d are accepted", total, max),
		}
	}
	if total > len(buf) {
		return header, nil, len(buf) - total, nil
	}
	return header, buf[head:total:total], total, nil
}

// CheckLength reports an *Error if a packet that NextPacket split off (n bytes
// in all, body bytes after the fixed header) has a Remaining Length in more
// bytes than needed and v is MQTT 5, which forbids that (MQTT-1.5.5-1).
func CheckLength(v Version, header byte, n, body int) error {
	if v != V5 || n-body == 1+varintSize(body) {
		return nil
	}
	return &Error{
		Version: v, Packet: TypeOf(header), Code: MalformedPacket, Rule: "MQTT-1.5.5-1", Offset: 1,
		Message: "remaining length is not encoded in the fewest bytes",
	}
}

// badFirst marks the first bytes that start no packet of any version.
var badFirst = func() (bad [256]bool) {
	for i := range bad {
		bad[i] = checkHeader(0, byte(i)) != nil
	}
	return bad
}()
