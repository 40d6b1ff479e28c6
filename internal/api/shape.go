package api

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
)

// Kind is the type of a shape in the model.
type Kind uint8

// Kinds, and the Go types of their values.
const (
	Structure Kind = iota // a struct; a member is a pointer to it
	List                  // a slice; nil is absent
	Map                   // a map with string keys; nil is absent
	String                // string, or a string type when the shape is an enum
	Integer               // int32
	Long                  // int64
	Float                 // float32
	Double                // float64
	Boolean               // bool
	Timestamp             // Time
	Blob                  // []byte; nil is absent
	Events                // EventStream, of an output; its members are the events
)

// A Shape describes the values of one type of a model: how they travel and what
// constrains them. Generated, immutable.
type Shape struct {
	Name      string
	Kind      Kind
	Members   []Member // of a structure, in the order of the fields of its Go type
	Key       *Shape   // of a map
	Value     *Shape   // of a map's values, of a list's elements
	HasMin    bool
	HasMax    bool
	Min, Max  float64 // of a number, else of the length in characters, elements or bytes
	Pattern   *Pattern
	Enum      []string
	Sensitive bool // never to be printed
}

// A Member is a field of a structure.
type Member struct {
	Name      string // in validation messages
	Wire      string // in the request or response, when it differs from Name
	Shape     *Shape
	In        Location
	Required  bool
	JSONValue bool // a header that holds base64 of JSON
}

func (m *Member) wire() string {
	if m.Wire != "" {
		return m.Wire
	}
	return m.Name
}

// Location is where a member travels.
type Location uint8

// Locations of members of inputs and outputs; nested members are in the Body.
const (
	Body    Location = iota // a member of the JSON object
	Label                   // a segment of the path
	Query                   // a query parameter
	Header                  // a header
	Status                  // the HTTP status of the response
	Payload                 // the whole body
)

// Protocol is how a service's requests and responses are written.
type Protocol uint8

// Protocols.
const (
	RESTJSON Protocol = iota
	QueryXML
	JSON // awsJson: POST /, the operation in X-Amz-Target
	RPC  // rpc-v2-cbor, awsJson or query, as the client likes
)

// A Service is one AWS API, bound to its implementation. The generated packages
// below internal/api make it with NewService.
type Service struct {
	ID           string // "iot"
	Name         string // "AWS IoT"
	Version      string // "2015-05-28"
	Protocol     Protocol
	Scopes       []string // names of the credential scope that mean this service
	XMLNamespace string   // QueryXML and RPC
	JSONVersion  string   // in the content type, JSON and RPC: "1.1"
	Operations   []Operation

	ErrorNamespace string            // before the codes of errors in JSON and CBOR; "": none
	QueryCodes     map[string]string // codes of errors in the query protocol, by their shapes; RPC only

	MaxBody int64         // bytes of a request body, where it is more than Config.MaxBody
	MaxTime time.Duration // of an answer, where it is more than the port's own limit

	// MapError, if set, turns a handler's error into what the client sees, or
	// returns nil for one that it does not know.
	MapError func(error) *Error

	// Done, if set, is told of each call of an operation whose input could be read.
	Done func(Done)
}

// operation returns the operation with that name, or nil.
func (s *Service) operation(name string) *Operation {
	i := slices.IndexFunc(s.Operations, func(o Operation) bool { return o.Info.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Operations[i]
}

// Done is a call of an operation, and what came of it.
type Done struct {
	RequestID string
	Caller    Caller
	Remote    netip.AddrPort
	Attempt   *attempt.Attempt // of a request of the data plane, else nil
	In, Out   any              // pointers to the operation's input and output; Out is nil on failure
	Err       *Error           // what the client sees; nil on success
	Cause     error            // what the handler returned
	Denied    bool             // by the policies, before the handler was called
}

// An Operation is a described and bound operation.
type Operation struct {
	Info *OperationInfo
	New  func() any                                             // a pointer to a zero input
	Call func(ctx context.Context, in any) (out any, err error) // in from New, out a pointer, maybe nil
}

// OperationInfo is what the model says about an operation.
type OperationInfo struct {
	Name     string
	Method   string
	Path     string // with {label} and {label+}
	Code     int    // HTTP status of success; 0 is 200
	Input    *Shape
	Output   *Shape   // nil: the response has no body
	Wrapper  string   // element around the result, QueryXML only
	Invalid  string   // exception that reports violated constraints
	Missing  string   // exception that reports absent members, if that is another
	Errors   []string // exceptions that the operation may answer
	ReadOnly bool
	Paging   *Paging
}

// Paging names the members that an automatic paginator uses.
type Paging struct {
	Input, Output, Limit string
	Results              []string
}

// Time is an instant on the wire: epoch seconds with milliseconds in JSON
// bodies, ISO 8601 in queries, RFC 7231 in headers.
type Time struct{ time.Time }

// TimeOf returns t as an optional member; the zero time is absent.
func TimeOf(t time.Time) *Time {
	if t.IsZero() {
		return nil
	}
	return &Time{t}
}
