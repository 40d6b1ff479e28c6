package messagelog

import "encoding/binary"

// Keys begin with a byte that says what they hold; numbers are big-endian, so that they sort.
const (
	keyMessage  = 'm' // seq -> size, expiry, queues, and the body unless it is large
	keyBody     = 'b' // seq -> body of a large message
	keyCursor   = 'c' // queue -> seq up to which nothing is left in it
	keyRemoved  = 'x' // queue, seq: removed behind the cursor, while other queues hold it
	keySession  = 's' // client ID -> session record
	keyGroup    = 'g' // share name, 0, filter -> queue
	keyRetained = 't' // topic -> modified, message
	keyMeta     = 'v' // name -> value
)

var (
	metaQueue   = []byte{keyMeta, 'q'} // holds the greatest queue ID given out
	metaNumbers = []byte{keyMeta, 'n'} // holds what ReserveNumbers was told
)

func putSeqKey(k []byte, kind byte, n uint64) {
	k[0] = kind
	binary.BigEndian.PutUint64(k[1:], n)
}

func seqKey(kind byte, n uint64) []byte {
	k := make([]byte, 9)
	putSeqKey(k, kind, n)
	return k
}

func removedKey(q QueueID, s Seq) []byte {
	k := make([]byte, 17)
	putSeqKey(k, keyRemoved, uint64(q))
	binary.BigEndian.PutUint64(k[9:], uint64(s))
	return k
}

func stringKey(kind byte, s string) []byte {
	return append(append(make([]byte, 0, 1+len(s)), kind), s...)
}

// number reads what follows the first byte of a key.
func number(k []byte) uint64 { return binary.BigEndian.Uint64(k[1:]) }
