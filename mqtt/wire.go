package mqtt

import (
	"encoding/binary"
	"fmt"
)

// MaxRemainingLength is the largest Remaining Length that four bytes can carry.
const MaxRemainingLength = 268_435_455

// MaxPacketSize is the size in bytes of the largest packet that can exist.
const MaxPacketSize = MaxRemainingLength + 5

// maxField is the size limit of strings and binary data: a two-byte length.
const maxField = 65_535

// cursor reads the body of one packet. Its first failure sticks: all later
// reads return zero values, so that decoders check once.
type cursor struct {
	b    []byte
	pos  int
	base int // size of the fixed header, so that offsets count from the packet's first byte
	v    Version
	t    PacketType
	err  *Error
}

func newCursor(v Version, t PacketType, body []byte) cursor {
	return cursor{b: body, base: 1 + varintSize(len(body)), v: v, t: t}
}

func (c *cursor) left() int { return len(c.b) - c.pos }

// fail records the first failure; at is an offset in the body.
func (c *cursor) fail(code ReasonCode, rule string, at int, message string) {
	if c.err == nil {
		c.err = &Error{Version: c.v, Packet: c.t, Code: code, Rule: rule, Offset: c.base + at, Message: message}
		c.pos = len(c.b)
	}
}

func (c *cursor) malformed(rule string, at int, format string, args ...any) {
	if c.err == nil {
		c.fail(MalformedPacket, rule, at, fmt.Sprintf(format, args...))
	}
}

// short fails because the body ends inside what.
func (c *cursor) short(what string, need int) {
	if c.err == nil {
		c.fail(MalformedPacket, pick(c.v, "section 2.2.3", "section 2.1.4"), len(c.b),
			fmt.Sprintf("packet ends inside %s: %d bytes needed, %d left", what, need, c.left()))
	}
}

func (c *cursor) u8(what string) byte {
	if c.left() < 1 {
		c.short(what, 1)
		return 0
	}
	c.pos++
	return c.b[c.pos-1]
}

func (c *cursor) u16(what string) uint16 {
	if c.left() < 2 {
		c.short(what, 2)
		return 0
	}
	c.pos += 2
	return binary.BigEndian.Uint16(c.b[c.pos-2:])
}

func (c *cursor) u32(what string) uint32 {
	if c.left() < 4 {
		c.short(what, 4)
		return 0
	}
	c.pos += 4
	return binary.BigEndian.Uint32(c.b[c.pos-4:])
}

// varint reads a Variable Byte Integer (MQTT 5 section 1.5.5).
func (c *cursor) varint(what string) int {
	start, value := c.pos, 0
	for i := range 4 {
		if c.left() < 1 {
			c.short(what, 1)
			return 0
		}
		b := c.b[c.pos]
		c.pos++
		value |= int(b&0x7F) << (7 * i)
		if b < 0x80 {
			if i > 0 && b == 0 {
				c.malformed("MQTT-1.5.5-1", start, "%s is not encoded in the fewest bytes", what)
			}
			return value
		}
	}
	c.malformed("section 1.5.5", start, "%s has more than four bytes", what)
	return 0
}

// bytes reads binary data: a two-byte length and as many bytes, borrowed.
func (c *cursor) bytes(what string) []byte {
	n := int(c.u16(what))
	if c.err != nil {
		return nil
	}
	if c.left() < n {
		c.short(what, n)
		return nil
	}
	c.pos += n
	return c.b[c.pos-n : c.pos : c.pos]
}

// text reads a UTF-8 string. rule is that of the field; U+0000 has its own.
func (c *cursor) text(what, rule string) []byte {
	b := c.bytes(what)
	if c.err == nil && !ValidUTF8(b) {
		at, null := badUTF8(b)
		if null {
			c.malformed(pick(c.v, "MQTT-1.5.3-2", "MQTT-1.5.4-2"), c.pos-len(b)+at, "%s contains U+0000", what)
		} else {
			c.malformed(rule, c.pos-len(b)+at, "%s is not valid UTF-8", what)
		}
	}
	return b
}

// packetID reads a Packet Identifier, which is never 0.
func (c *cursor) packetID() uint16 {
	id := c.u16("the packet identifier")
	if id == 0 && c.err == nil {
		c.fail(ProtocolError, pick(c.v, "MQTT-2.3.1-1", "MQTT-2.2.1-3"), c.pos-2, "packet identifier is 0")
	}
	return id
}

// end fails if anything is left over, and returns the outcome.
func (c *cursor) end() error {
	if c.err == nil && c.left() > 0 {
		c.malformed(pick(c.v, "section 2.2.3", "section 2.1.4"), c.pos, "%d bytes follow the end of the packet", c.left())
	}
	return nilable(c.err)
}

// varintSize is the number of bytes of n as Variable Byte Integer.
func varintSize(n int) int {
	switch {
	case n < 1<<7:
		return 1
	case n < 1<<14:
		return 2
	case n < 1<<21:
		return 3
	}
	return 4
}

func appendVarint(dst []byte, n int) []byte {
	for n >= 0x80 {
		dst = append(dst, byte(n)|0x80)
		n >>= 7
	}
	return append(dst, byte(n))
}

func appendU16(dst []byte, n uint16) []byte { return append(dst, byte(n>>8), byte(n)) }

func appendU32(dst []byte, n uint32) []byte {
	return append(dst, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

func appendField(dst, b []byte) []byte {
	return append(append(dst, byte(len(b)>>8), byte(len(b))), b...)
}

// encoding collects the failures of an encoder.
type encoding struct {
	v   Version
	t   PacketType
	err *Error
}

func (e *encoding) fail(code ReasonCode, rule, message string) {
	if e.err == nil {
		e.err = &Error{Version: e.v, Packet: e.t, Code: code, Rule: rule, Message: message}
	}
}

// field checks that b fits a two-byte length and returns its encoded size.
func (e *encoding) field(what string, b []byte) int {
	if len(b) > maxField {
		e.fail(PacketTooLarge, pick(e.v, "section 1.5.3", "section 1.5.4"),
			fmt.Sprintf("%s has %d bytes, at most %d can be encoded", what, len(b), maxField))
	}
	return 2 + len(b)
}

// id checks that a packet identifier is not 0.
func (e *encoding) id(id uint16) {
	if id == 0 {
		e.fail(ProtocolError, pick(e.v, "MQTT-2.3.1-1", "MQTT-2.2.1-3"), "packet identifier is 0")
	}
}

// open appends the fixed header of a packet with a body of n bytes, or returns
// dst untouched with the failure.
func (e *encoding) open(dst []byte, flags byte, n int) ([]byte, error) {
	switch {
	case e.err == nil && !e.v.Supported():
		e.fail(UnsupportedProtocolVersion, "MQTT-3.1.2-2", "cannot encode for "+e.v.String())
	case e.err == nil && n > MaxRemainingLength:
		e.fail(PacketTooLarge, pick(e.v, "section 2.2.3", "section 2.1.4"),
			fmt.Sprintf("remaining length %d is above %d", n, MaxRemainingLength))
	}
	if e.err != nil {
		return dst, e.err
	}
	return appendVarint(append(dst, byte(e.t)<<4|flags), n), nil
}
