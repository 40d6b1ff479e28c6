package insights

// A Source holds the events of one query: those of its log groups and its range
// of times. It is used by several goroutines at once.
type Source interface {
	// Parts lists everything that must be read, in the order of arrival.
	Parts() []Part
}

// A Part is a run of events that is read at once.
type Part interface {
	// Latest is a bound on the times of the events, epoch milliseconds.
	Latest() int64
	// Size is how many events there are, and bytes of messages.
	Size() (events int, bytes int64)
	// Skip reports whether no event can fulfil the hints.
	Skip(Hints) (bool, error)
	// Open returns the events; nil if they are gone meanwhile.
	Open() (Batch, error)
	// Pointer is @ptr of the event at a row, whose time is known.
	Pointer(row int32, time int64) string
}

// A Batch is the opened events of a Part, for one goroutine. Rows number the
// events; codes and times have an element for each.
type Batch interface {
	Rows(into []int32) ([]int32, error) // the events that the query is over; into is room for them
	Times() ([]int64, error)            // @timestamp, epoch milliseconds
	Ingested() ([]int64, error)         // @ingestionTime, epoch milliseconds
	// Column returns a field, @message, @logStream or @log; only the given rows
	// need values.
	Column(name string, rows []int32) (Column, error)
	// Having returns those of the rows whose field, of the message, is the text,
	// which is no number. It may write over rows.
	Having(name, text string, rows []int32) ([]int32, error)
	Close()
}

// A Column holds the values of a field: of each event a code, 0 for absent,
// else 1 + the index of its value. It is only read, until the batch is closed; its
// values may be kept.
type Column struct {
	Codes  []uint32
	Values []string
	Pieces bool // the values are parts of longer texts, which they keep alive
}

// Hints are necessary conditions of a query: an event that breaks one is not in
// its result.
type Hints struct {
	Equal   []Equal
	Present []string // fields that the event has
}

// Equal says that a field has one of the values, compared as the language does:
// "1" is "1.0".
type Equal struct {
	Field  string
	Values []string
}
