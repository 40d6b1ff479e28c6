// Package probe acts as a device: it walks the checks of the catalogue from the
// device's side, with the device's own files and names, against any endpoint.
// It needs no credentials of the account and no access to the server.
//
// It is a good citizen. It sends at most the connections that it announces, in
// [Facts.Connections]; it publishes and subscribes only when it is asked to; and
// it never shows keys, tokens or passwords.
package probe

import (
	"context"
	"crypto/x509"
	"net/netip"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// An Outcome says how a check came out.
type Outcome string

// The outcomes.
const (
	Pass    Outcome = "pass"
	Warn    Outcome = "warn"    // works, but look at it
	Fail    Outcome = "fail"    // the device can't work like this
	Skipped Outcome = "skipped" // meaningless after a failure before it, or not asked for: Note says which
	Unknown Outcome = "unknown" // the probe could not find out: Note says why
)

// A Result is one check with its outcome.
type Result struct {
	Check    *check.Check
	Outcome  Outcome
	Stage    string         // stage of the probe: a name of Stages, finer than Check.Stage
	Evidence attempt.Fields // names of check.Evidence
	Causes   []*check.Check // what can be behind a failure that looks the same for many causes, the likeliest first
	Took     time.Duration
	Note     string // a sentence for people: what was seen; may be empty
}

// The stages of a run, in order.
const (
	StageFiles    = "files"
	StageEndpoint = "endpoint"
	StageDNS      = "dns"
	StageTCP      = "tcp"
	StageTLS      = "tls"
	StageConnect  = "connect" // MQTT CONNECT, or the WebSocket upgrade and CONNECT
	StageMessages = "messages"
)

// Stages returns the names of the stages in order.
func Stages() []string {
	return []string{StageFiles, StageEndpoint, StageDNS, StageTCP, StageTLS, StageConnect, StageMessages}
}

// Options say what device to act as. Only Endpoint is required, and From may give it.
type Options struct {
	Endpoint string // host name; what was pasted in its place is judged, not repaired
	Port     int    // 0: 8883, or 443 for WebSocket and custom authorizers
	CertFile string // PEM or DER; may hold the chain
	KeyFile  string
	CAFile   string // trust store; empty: that of this machine
	KeyForm  string // form of key that the device's TLS library reads: pem, der, pkcs1, pkcs8 or sec1; empty: any
	From     string // folder with the device's files and settings, found by content; what is given above wins

	ClientID string // empty: a random one that no device has
	Thing    string // thing name: the client ID when ClientID is empty
	Force    bool   // connect as ClientID although that may cut a live device off

	Publish   string // topic; empty: publish nothing
	Subscribe string // filter; empty: subscribe to nothing
	Payload   []byte // of the message; nil: a short JSON document

	SNI       string   // server name to send; empty: Endpoint
	NoSNI     bool     // send no server name, as some clients do
	ALPN      []string // protocols to offer; nil: what the port needs; empty and not nil: none
	TLS       uint16   // the one TLS version that the device speaks, such as tls.VersionTLS12; 0: 1.2 and 1.3
	WebSocket bool     // MQTT over WebSocket
	Version   int      // MQTT version: 3 or 5; 0: both

	Authorizer string // name of the custom authorizer
	TokenKey   string // name of the parameter that carries the token
	Token      string // never shown
	Signature  string // never shown
	Username   string // MQTT user name; never shown
	Password   string // never shown

	Proxy    string        // HTTP proxy to go through: http://[USER:PASSWORD@]HOST:PORT; empty: none, whatever the environment says
	Variants bool          // try SNI and TLS variants also when all is well
	Timeout  time.Duration // of each step that waits for the network; 0: 5s

	// Live tells whether clientID is connected now, and as whom; nil: nobody knows.
	// known is false when the side that was asked could not tell.
	Live func(ctx context.Context, clientID string) (live, known bool, who string)

	Env func(string) string // nil: os.Getenv; read for proxy variables only
	Now func() time.Time    // nil: time.Now
}

// A Report is what a run found.
type Report struct {
	Results []Result // in the order in which the checks were made
	Facts   Facts
	Stopped error // why the run ended early: the context's error; nil if it came to its end
	Took    time.Duration
}

// First returns the first failed result, nil without one.
func (r Report) First() *Result {
	for i := range r.Results {
		if r.Results[i].Outcome == Fail {
			return &r.Results[i]
		}
	}
	return nil
}

// Facts is what the run learned on the way; what it did not learn is zero.
type Facts struct {
	Endpoint    string // host name that was used
	Port        int
	Region      string // of an AWS endpoint's name
	ClientID    string // that was used
	Files       Files
	Certificate *x509.Certificate // the device's
	Chain       []*x509.Certificate
	Fingerprint string // SHA-256 of the device's certificate in lower-case hex: its ID at AWS
	TrustStore  []*x509.Certificate
	ServerChain []*x509.Certificate // as presented, leaf first
	TLSVersion  string              // "1.3"
	ALPN        string
	Addresses   []netip.Addr
	ServerTime  time.Time     // from a Date header
	ClockOffset time.Duration // ServerTime minus our clock; a Date header is exact to a second
	Connections []Connection
}

// Files are the paths that were used.
type Files struct{ Certificate, Key, CA string }

// A Connection is one that the run announced.
type Connection struct {
	Purpose string         // "TCP on 443", "MQTT 3.1.1 over TLS 1.2"
	Remote  netip.AddrPort // zero until it is made
	Local   netip.AddrPort // by which a server's record of it is found; zero until it is made
	Began   time.Time      // zero: announced, but not needed
}

// Run walks the stages. progress, which may be nil, is told each stage as it
// begins. A run ends in good order when ctx does, with what it found so far.
func Run(ctx context.Context, o Options, progress func(stage string)) Report {
	if progress == nil {
		progress = func(string) {}
	}
	p := newRun(o)
	return p.walk(ctx, progress)
}
