package mqtt

import (
	"encoding/binary"
	"unicode/utf8"
)

// ValidUTF8 reports whether b may stand in an MQTT string: well-formed UTF-8
// without surrogates and without U+0000. Control characters and non-characters
// are allowed, as the standards only discourage them.
// Source: MQTT 3.1.1 section 1.5.3, MQTT 5 section 1.5.4.
func ValidUTF8(b []byte) bool {
	i := 0
	for ; len(b)-i >= 8; i += 8 { // eight ASCII bytes at once, none of them zero
		w := binary.LittleEndian.Uint64(b[i:])
		if (w|(w-0x0101010101010101))&0x8080808080808080 != 0 {
			return validSlow(b[i:])
		}
	}
	for _, c := range b[i:] {
		if c == 0 || c >= utf8.RuneSelf {
			return validSlow(b[i:])
		}
	}
	return true
}

func validSlow(b []byte) bool {
	for i := 0; i < len(b); {
		if c := b[i]; c < utf8.RuneSelf {
			if c == 0 {
				return false
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return false
		}
		i += n
	}
	return true
}

// badUTF8 finds what ValidUTF8 refused.
func badUTF8(b []byte) (at int, null bool) {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == 0 || r == utf8.RuneError && n == 1 {
			return i, r == 0
		}
		i += n
	}
	return len(b), false
}
