package function

import (
	"bytes"
	"os"
	"sync"
	"time"
)

// A Log takes the functions' output.
type Log interface {
	// NewStream makes a log stream, or finds it.
	NewStream(group, stream string) (LogStream, error)
}

// A LogStream takes events and keeps them all. Whoever appends calls Wait now and
// then, so that what is not written yet stays bounded: the function waits for its
// log, and no line is lost.
type LogStream interface {
	// Append adds a copy of an event of time ms (epoch milliseconds). It never waits.
	Append(ms int64, message []byte)
	// Wait returns when there is room for what one invocation may write.
	Wait()
	// Close writes what is left, and waits for it.
	Close() error
}

// Bounds of a function's output. Source: logs sheet 4.2 (256 KB of an event as
// Lambda writes it); the bound on an invocation is ours.
const (
	maxLine          = 256 << 10
	maxOutput        = 1 << 20 // bytes that are kept of one invocation, and of one start
	maxTail          = 4 << 10
	drainPause       = time.Millisecond // for each read beyond maxOutput: an endless writer must not cost a core
	cutNote          = "gatehouse: the function wrote more than 1 MiB; the rest of this invocation's output is dropped"
	settlePause      = 100 * time.Microsecond
	settleTime       = 20 * time.Millisecond
	outputBufferSize = 32 << 10
)

// output reads what one process writes and keeps it, within bounds.
type output struct {
	pipe   *os.File
	stream LogStream // nil: nothing is kept
	done   chan struct{}

	mu   sync.Mutex
	line []byte // not ended yet
	kept int    // bytes since begin
	cut  bool
	tail []byte // the last lines since begin, at most 2*maxTail
}

func newOutput(pipe *os.File, stream LogStream) *output {
	o := &output{pipe: pipe, stream: stream, done: make(chan struct{})}
	go o.read()
	return o
}

// read copies until all writers are gone, or the pipe is closed. What it takes out
// of the pipe it keeps before it lets go of mu: see settle.
func (o *output) read() {
	defer close(o.done)
	buf := make([]byte, outputBufferSize)
	for open := true; open; {
		kept := true
		open = readPipe(o.pipe, buf, &o.mu, func(p []byte) { kept = o.takeLocked(p) })
		if !kept {
			time.Sleep(drainPause)
		}
		o.room()
	}
	o.mu.Lock()
	o.endLineLocked()
	o.mu.Unlock()
}

// takeLocked keeps p; false if it was beyond the bound.
func (o *output) takeLocked(p []byte) bool {
	for len(p) > 0 {
		if o.kept >= maxOutput {
			if !o.cut {
				o.cut = true
				o.endLineLocked()
				o.writeLocked([]byte(cutNote))
			}
			return false
		}
		part, rest, ended := bytes.Cut(p, []byte{'\n'})
		room := min(maxLine-len(o.line), maxOutput-o.kept)
		if len(part) > room {
			part, rest, ended = p[:room], p[room:], true
		}
		o.line = append(o.line, part...)
		o.kept += len(part) + 1
		if ended {
			o.endLineLocked()
		}
		p = rest
	}
	return true
}

func (o *output) endLineLocked() {
	if len(o.line) > 0 {
		o.writeLocked(bytes.TrimSuffix(o.line, []byte{'\r'}))
	}
	if cap(o.line) > 4<<10 {
		o.line = nil
	}
	o.line = o.line[:0]
}

func (o *output) writeLocked(line []byte) {
	line = bytes.ToValidUTF8(line, []byte("\uFFFD"))
	if o.stream != nil {
		o.stream.Append(time.Now().UnixMilli(), line)
	}
	o.tail = append(append(o.tail, line...), '\n')
	if surplus := len(o.tail) - maxTail; surplus > maxTail {
		o.tail = append(o.tail[:0], o.tail[surplus:]...)
	}
}

// begin starts an invocation: its bounds are fresh. What the start wrote belongs
// to the first one's tail.
func (o *output) begin(line string, first bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.endLineLocked()
	o.kept, o.cut = 0, false
	if !first {
		o.tail = o.tail[:0]
	}
	o.writeLocked([]byte(line))
}

// note adds a line of ours.
func (o *output) note(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.endLineLocked()
	o.writeLocked([]byte(line))
}

// last returns the end of the invocation's log.
func (o *output) last() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.tail[max(0, len(o.tail)-maxTail):])
}

// room waits until the log has taken most of what was written.
func (o *output) room() {
	if o.stream != nil {
		o.stream.Wait()
	}
}

// settle waits until what the process has written so far is read, or for
// settleTime: a process may write for ever.
func (o *output) settle() {
	for end := time.Now().Add(settleTime); time.Now().Before(end); time.Sleep(settlePause) {
		select {
		case <-o.done:
			return
		default:
		}
		o.mu.Lock() // what is out of the pipe is kept
		rest := pending(o.pipe)
		o.mu.Unlock()
		if rest == 0 {
			return
		}
	}
}

// close ends the reading and the stream.
func (o *output) close() {
	o.pipe.Close()
	<-o.done
	if o.stream != nil {
		_ = o.stream.Close() // it has said what it could not write
	}
}
