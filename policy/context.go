package policy

import (
	"net/netip"
	"time"
)

// A Protocol is how the request reached the gateway; it decides which facts exist.
type Protocol string

// Protocols. The zero Protocol counts as MQTT.
const (
	MQTT        Protocol = "mqtt"        // MQTT over TLS
	WSS         Protocol = "wss"         // MQTT over WebSocket
	HTTP        Protocol = "http"        // no client ID, no thing
	Credentials Protocol = "credentials" // HTTPS to the credentials provider: no client ID, the thing named by its header
)

// Context is what is known about a connection or an HTTPS request. A zero field
// is unknown to the policy: variables and condition keys that need it are absent.
// It must not change after [Set.Bind]. Source: policy sheet 7 and 9.4.
type Context struct {
	Partition string // of the requested resource; default "aws"
	Region    string
	Account   string

	Protocol Protocol
	ClientID string // iot:ClientId; ignored over HTTP

	// ClientIDAssigned says that the server invented ClientID for an empty one.
	// It changes the explanation alone.
	ClientIDAssigned bool

	// Thing is the thing that the connection may belong to: the one attached
	// exclusively to the principal, else the one whose name is the client ID.
	// [Context.ConnectionThing] decides whether the connection belongs to it.
	Thing *Thing

	Certificate *Certificate // nil for principals without certificate
	CognitoID   string       // cognito-identity.amazonaws.com:sub

	// ConnectAttributes is iot:ConnectAttributes of the CONNECT: nil is unknown,
	// empty is a clean session without will. Only iot:Connect sees it.
	ConnectAttributes []string
	LastWillTopic     string // topic or topic ARN of the will; only iot:Connect sees it

	DomainName  string     // iot:DomainName: SNI or host
	SourceIP    netip.Addr // aws:SourceIp; absent when one of the next three is set
	SourceVPC   string
	SourceVPCE  string
	VPCSourceIP netip.Addr

	Topic                    string // iot:Topic, of SendDirectMessage
	IncludeSocketInformation *bool  // of GetConnection

	SecureTransport *bool            // aws:SecureTransport
	Now             func() time.Time // aws:CurrentTime, aws:EpochTime; nil: unknown
}

// A Thing holds the facts of a registered thing.
type Thing struct {
	Name       string
	Type       string            // "" where it has none
	Attributes map[string]string // nil where it has none
	Attached   bool              // to the connecting principal
	Exclusive  bool              // attached as EXCLUSIVE_THING
}

// Attributes of a CONNECT, the values of iot:ConnectAttributes.
const (
	PersistentConnect = "PersistentConnect" // the session outlives the connection
	LastWill          = "LastWill"          // it carries a will
)

// ConnectionThing returns the thing that the connection belongs to, or nil: the
// one attached exclusively whatever the client ID, else the attached one whose
// name equals the client ID byte for byte. Over HTTP there is none.
// Source: policy sheet 8.2.
func (c *Context) ConnectionThing() *Thing {
	t := c.Thing
	switch {
	case t == nil || t.Name == "" || !t.Attached || c.Protocol == HTTP:
		return nil
	case t.Exclusive || c.Protocol == Credentials || t.Name == c.ClientID:
		return t
	}
	return nil
}

// overVPC reports whether the request came through a VPC endpoint, where
// aws:SourceIp does not exist. Source: policy sheet 7.1.
func (c *Context) overVPC() bool {
	return c.SourceVPC != "" || c.SourceVPCE != "" || c.VPCSourceIP.IsValid()
}

// hasConnection reports whether the request belongs to an MQTT connection.
func (c *Context) hasConnection() bool { return c.Protocol != HTTP && c.Protocol != Credentials }
