package mqttconn

import (
	"errors"
	"net"
	"sync"

	"github.com/gatehouse-iot/gatehouse/mqtt"
)

const (
	smallBuffer = 128      // what an idle connection holds
	largeBuffer = 16 << 10 // pooled, while much comes in
	muchRead    = 2 << 10  // a read of so many bytes makes the next one large too
)

var errNeedMore = errors.New("the packet is not complete")

// A reader splits what comes in into packets. It waits with a small buffer of its own and takes a
// larger one from a pool only while more comes in than that; one above the pool's size grows with
// the bytes that have arrived, never with what a length claims.
type reader struct {
	nc     net.Conn
	buf    []byte // holds the unread bytes from start to end
	start  int
	end    int
	pooled *[largeBuffer]byte // buf, if it is from the pool
	small  [smallBuffer]byte
	need   int   // bytes still missing of the packet at start
	last   int   // bytes of the last read
	asked  int   // bytes that it could have taken
	total  int64 // bytes read since the connection began
	frame  int   // bytes of the packet split off last

	version mqtt.Version // once the CONNECT has said it; 0 before
}

var largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}

// next splits off the next packet, which is valid until the next read. The error is errNeedMore or
// an *mqtt.Error.
func (r *reader) next() (header byte, body []byte, err error) {
	header, body, n, err := mqtt.NextPacket(r.buf[r.start:r.end], maxPacket)
	if err != nil {
		return header, nil, err
	}
	if n < 0 {
		r.need = -n
		return header, nil, errNeedMore
	}
	if err := mqtt.CheckLength(r.version, header, n, len(body)); err != nil {
		return header, nil, err
	}
	r.start += n
	r.frame = n
	return header, body, nil
}

// read waits for more bytes.
func (r *reader) read() error {
	r.fit()
	free := r.buf[r.end:]
	n, err := r.nc.Read(free)
	r.end += n
	r.last, r.asked = n, len(free)
	r.total += int64(n)
	if n > 0 {
		return nil
	}
	return err
}

// fit chooses the buffer for the next read and moves the unread bytes to its beginning.
func (r *reader) fit() {
	unread := r.buf[r.start:r.end]
	size := smallBuffer
	if r.last >= muchRead || r.last > 0 && r.last == r.asked {
		size = largeBuffer
	}
	if len(unread) > 0 {
		switch want := len(unread) + r.need; {
		case want > largeBuffer: // twice what is there, so that the claim alone costs nothing
			size = max(largeBuffer, min(want, 2*len(unread)))
		case want > size:
			size = largeBuffer
		}
	}
	if size == len(r.buf) || size < len(r.buf) && len(unread) > 0 && len(r.buf) > largeBuffer {
		r.end = copy(r.buf, unread)
		r.start = 0
		return
	}
	old, oldPooled := unread, r.pooled
	r.pooled = nil
	switch size {
	case smallBuffer:
		r.buf = r.small[:]
	case largeBuffer:
		r.pooled = largeBuffers.Get().(*[largeBuffer]byte)
		r.buf = r.pooled[:]
	default:
		r.buf = make([]byte, size)
	}
	r.end = copy(r.buf, old)
	r.start = 0
	if oldPooled != nil {
		largeBuffers.Put(oldPooled)
	}
}

// release gives a pooled buffer back, with what it holds.
func (r *reader) release() {
	if r.pooled != nil {
		largeBuffers.Put(r.pooled)
	}
	r.pooled, r.buf, r.start, r.end = nil, nil, 0, 0
}

// rest gives a pooled buffer back that holds nothing.
func (r *reader) rest() {
	if r.start == r.end {
		r.release()
		r.last = 0 // the next read is a small one
	}
}

// empty tells whether nothing has ever come in.
func (r *reader) empty() bool { return r.total == 0 }

// first returns up to n of the unread bytes.
func (r *reader) first(n int) []byte { return r.buf[r.start:min(r.end, r.start+n)] }
