package packed

import (
	"bytes"
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"
)

// What was written comes back; what was cut short is bad, and nothing is made up.
func TestReader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u, i := rapid.Uint64().Draw(t, "unsigned"), rapid.Int64().Draw(t, "signed")
		piece, one := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "piece"), rapid.Byte().Draw(t, "byte")
		b := binary.AppendVarint(binary.AppendUvarint([]byte{one}, u), i)
		b = append(binary.AppendUvarint(b, uint64(len(piece))), piece...)
		b = append(b, piece...)

		r := Reader{B: b}
		gotByte, gotU, gotI, gotPiece, rest := r.Byte(), r.Uvarint(), r.Varint(), r.Bytes(), r.Take(len(piece))
		if gotByte != one || gotU != u || gotI != i || !bytes.Equal(gotPiece, piece) || !bytes.Equal(rest, piece) || r.Bad || len(r.B) > 0 {
			t.Fatalf("%x: got %d %d %d %x %x, bad %v, %d bytes left", b, gotByte, gotU, gotI, gotPiece, rest, r.Bad, len(r.B))
		}

		short := Reader{B: b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")]}
		short.Byte()
		short.Uvarint()
		short.Varint()
		short.Bytes()
		short.Take(len(piece))
		if !short.Bad || len(short.B) > 0 || short.Uvarint() != 0 || short.Bytes() != nil {
			t.Fatalf("%x cut short: bad %v, %d bytes left", b, short.Bad, len(short.B))
		}
	})
}
