// Package messagelog keeps what messages must survive: persistent sessions with their queued QoS 1
// messages, the queues of shared subscriptions, retained messages and held wills. A message's body
// is stored once, however many queues want it, and all who wait for the disk share one sync.
package messagelog

import (
	"errors"
	"iter"
	"time"
)

// Seq is the position of a message in the log. It grows with every message appended while the log is
// open; 0 is none. After a restart positions of which nothing is left may be given again.
type Seq uint64

// QueueID names the queue of one session or of one shared subscription group. The log assigns it and
// does not use it again; 0 is none.
type QueueID uint64

// A Message is what is stored of one publish. Whoever passes one to a [Log] keeps its slices: they
// are copied. Those of a Message that a Log returns belong to the caller. Times have milliseconds.
type Message struct {
	Topic      string
	Payload    []byte
	Properties []byte // MQTT 5 properties, encoded, without their length, message expiry and topic alias
	QoS        byte
	Retain     bool
	Published  time.Time // when the broker took it
	Expires    time.Time // when it is no longer worth delivering; zero: never
}

// A Reference puts a message into a queue.
type Reference struct {
	Queue QueueID
	Flags byte // the broker's own, 0 to [MaxFlags]; comes back in [Queued]
}

// MaxFlags is the greatest value of the flags of a [Reference].
const MaxFlags = 7

// Queued is a message in a queue.
type Queued struct {
	Seq   Seq
	Flags byte
	Message
}

// Depth is what waits in a queue.
type Depth struct {
	Messages int
	Bytes    int64 // of topics, properties and payloads
}

// A Log is the durable part of a broker. It is safe for concurrent use. What its methods change is
// seen by every later call at once, is on disk in the order of the calls, and is known to be on disk
// when a later [Log.OnDurable] says so. No method waits for a sync.
//
// Methods that store answer [ErrFull] while there is no room, [ErrClosed] after Close, and
// [ErrBroken] while the disk cannot be written; nothing was stored then. The log tries by itself to
// come back from the first and the last.
type Log interface {
	// Append puts m into the queues of to, each named once, behind what they hold. Queues that no
	// longer exist are passed over; it answers 0 when none is left, and stores nothing.
	Append(m *Message, to []Reference) (Seq, error)

	// OnDurable calls f once: with nil when all that was stored before this call is on disk, or with
	// the error because of which it may not be: then it may come back after a restart, or not.
	// With [Interval] durability it calls f before the sync. It calls f from a goroutine of its own,
	// in the order of the calls; f must not block and must not call Close.
	OnDurable(f func(error))

	// Remove takes messages out of a queue, which need not hold them. The body goes with its last
	// reference. A removal reaches the disk within a second; after a crash in between the message is
	// in the queue again.
	Remove(q QueueID, seqs ...Seq)

	// Read returns the messages of q behind after, oldest first: at most maxMessages, and of at most
	// maxBytes bytes, but at least one if there is one. It passes over messages that have expired.
	Read(q QueueID, after Seq, maxMessages, maxBytes int) ([]Queued, error)

	// Depth tells what waits in q; it costs no disk access. Expired messages count until they are
	// swept, within a minute.
	Depth(q QueueID) Depth

	// PutSession stores s under its client ID in place of what was there, and sets s.Queue: the
	// queue it had, or, when s.Queue is 0, a new one; a queue that it replaces is gone with all in it.
	PutSession(s *SessionRecord) error
	// DeleteSession removes a session with its queue, if there is one.
	DeleteSession(clientID string) error
	// Sessions yields all sessions in the order of their client IDs, or ends with an error.
	Sessions() iter.Seq2[*SessionRecord, error]

	// PutGroup answers the queue of a shared subscription group, which it makes if there is none.
	PutGroup(g Group) (QueueID, error)
	// DeleteGroup removes a group with its queue, if there is one.
	DeleteGroup(g Group) error
	// Groups yields all groups with their queues.
	Groups() iter.Seq2[Group, QueueID]

	// PutRetained makes m the retained message of its topic.
	PutRetained(m *Message, modified time.Time) error
	// DeleteRetained removes the retained message of a topic, if there is one. It works while the
	// log is full.
	DeleteRetained(topic string) error
	// Retained returns the retained message of a topic, nil when there is none or it has expired.
	Retained(topic string) (*Retained, error)
	// RetainedPage lists at most maxTopics retained messages with topics behind after, in the order
	// of their topics, without payload and properties.
	RetainedPage(after string, maxTopics int) ([]RetainedSummary, error)
	// RetainedCount counts the retained messages.
	RetainedCount() int

	// ReserveNumbers remembers that connections may have numbers below limit; see ReservedNumbers.
	ReserveNumbers(limit int64) error
	// ReservedNumbers is the last limit of ReserveNumbers, also of an earlier run; 0 without one.
	ReservedNumbers() int64

	// Usage tells how much the log holds.
	Usage() Usage

	// Close writes and syncs what is stored, and calls what OnDurable still owes.
	Close() error
}

// A SessionRecord is what a broker needs to resume a persistent session.
type SessionRecord struct {
	ClientID      string         `cbor:"1,keyasint"`
	Protocol      byte           `cbor:"2,keyasint"` // 4: MQTT 3.1.1, 5: MQTT 5
	Expiry        time.Duration  `cbor:"3,keyasint"` // how long it outlives its connection
	Created       time.Time      `cbor:"4,keyasint"`
	Disconnected  time.Time      `cbor:"5,keyasint,omitzero"`  // zero: it had a connection
	Principal     string         `cbor:"6,keyasint,omitempty"` // who used it last
	Subscriptions []Subscription `cbor:"7,keyasint,omitempty"`
	Will          *Will          `cbor:"8,keyasint,omitempty"` // not published yet
	Queue         QueueID        `cbor:"9,keyasint"`
	Number        int64          `cbor:"10,keyasint,omitempty"` // of its latest connection among those of the client ID
}

// A Subscription of a session. The filter of a shared one begins with $share/.
type Subscription struct {
	Filter            string `cbor:"1,keyasint"`
	QoS               byte   `cbor:"2,keyasint,omitempty"`
	NoLocal           bool   `cbor:"3,keyasint,omitempty"`
	RetainAsPublished bool   `cbor:"4,keyasint,omitempty"`
}

// A Will is a message that a session leaves when its connection breaks.
type Will struct {
	Topic      string        `cbor:"1,keyasint"`
	Payload    []byte        `cbor:"2,keyasint,omitempty"`
	Properties []byte        `cbor:"3,keyasint,omitempty"` // as in [Message]
	QoS        byte          `cbor:"4,keyasint,omitempty"`
	Retain     bool          `cbor:"5,keyasint,omitempty"`
	Expiry     time.Duration `cbor:"6,keyasint,omitempty"` // message expiry interval, counted from its publication; 0: none
	Delay      time.Duration `cbor:"7,keyasint,omitempty"` // counted from the end of the connection
	Due        time.Time     `cbor:"8,keyasint,omitzero"`  // when it is published unless the session is resumed; zero: the connection lives
}

// A Group is a shared subscription: the same name with another filter is another group.
type Group struct {
	ShareName string
	Filter    string
}

// Retained is the retained message of a topic.
type Retained struct {
	Message
	Modified time.Time
}

// A RetainedSummary is a retained message in a list.
type RetainedSummary struct {
	Topic       string
	PayloadSize int
	QoS         byte
	Modified    time.Time
}

// Usage is how much a log holds.
type Usage struct {
	Messages   int   // bodies in queues
	References int   // of queues to them
	Bytes      int64 // of their topics, properties and payloads
	DiskBytes  int64 // all files, some of which are empty and wait to be written over
	Sessions   int
	Retained   int
	Err        error // why nothing is added: wraps ErrBroken or ErrFull; nil while all is well
}

// ErrClosed is the answer of a log that was closed.
var ErrClosed = errors.New("message log: closed")

// ErrBroken is the answer of a log that cannot write to its disk. Errors that wrap it say why.
var ErrBroken = errors.New("message log: broken")

// ErrFull is the answer of a log that has no room. Errors that wrap it say why.
var ErrFull = errors.New("message log: full")

// ErrInUse is the answer of [Open] when another process has the folder open.
var ErrInUse = errors.New("message log: in use by another process")
