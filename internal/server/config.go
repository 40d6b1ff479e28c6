package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"regexp"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/gateway"
	"github.com/gatehouse-iot/gatehouse/internal/messagelog"
	"github.com/gatehouse-iot/gatehouse/internal/otlp"
)

// Config is a running Gatehouse's configuration: the flags of `gatehouse up`.
// DESIGN, "gatehouse up flags". The zero value of a field is not its default:
// use [DefaultConfig].
type Config struct {
	DataDir      string // everything it keeps
	Host         string // address to listen on
	Endpoint     string // host name that devices use; in the server certificate, and the SNI that is accepted
	MQTTPort     int    // 0 lets the kernel choose, as for every port
	HTTPSPort    int
	ALPNPort     int // DefaultALPNPort falls back to FallbackALPNPort when it can't be bound
	APIPort      int
	APIPlaintext bool   // plain HTTP on an API address that is not loopback
	AccountID    string // 12 digits
	Region       string
	Limits       string // "aws" or "open"
	Refusals     string // "aws" or "explain"
	// CertificateRejection says when a certificate that may not connect is
	// refused: "handshake" or "afterConnect" (connect sheet 5, "Stage conflict").
	CertificateRejection string
	Durability           string // "sync" or "interval=DURATION": when a stored message is acknowledged
	SecurityPolicy       string // TLS security policy of the endpoint, by AWS's name; empty: AWS's default
	LambdaEndpoint       string // URL of a Lambda API that runs authorizers' functions; empty: this Gatehouse does
	Log                  *slog.Logger

	// RecordAuthorizerEvents keeps what authorizers' functions are invoked with
	// as it is, with tokens and passwords, for `gatehouse authorizer replay`.
	RecordAuthorizerEvents bool

	// OTLP says where logs and traces are exported; the zero value: nowhere.
	OTLP otlp.Destination
}

// Ports that `gatehouse up` uses unless it is told otherwise.
const (
	DefaultMQTTPort  = 8883
	DefaultHTTPSPort = 8443
	DefaultALPNPort  = 443
	FallbackALPNPort = 10443
	DefaultAPIPort   = 4610
)

// DefaultConfig is what `gatehouse up` without a flag runs.
func DefaultConfig() Config {
	return Config{
		DataDir: "./gatehouse-data", Host: "127.0.0.1", Endpoint: "localhost",
		MQTTPort: DefaultMQTTPort, HTTPSPort: DefaultHTTPSPort, ALPNPort: DefaultALPNPort, APIPort: DefaultAPIPort,
		AccountID: "123456789012", Region: "us-east-1",
		Limits: "aws", Refusals: "aws", CertificateRejection: "handshake", Durability: "sync",
		Log: slog.New(slog.DiscardHandler),
	}
}

var (
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	regionForm  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]+$`)
	labelForm   = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$`)
)

// check answers every fault of the configuration at once, each naming its flag.
func (c *Config) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.DataDir == "" {
		fault("--data-dir is empty")
	}
	if net.ParseIP(c.Host) == nil && checkHostName(c.Host) != nil {
		fault("--host %q is neither an IP address nor a host name", c.Host)
	}
	if err := checkHostName(c.Endpoint); err != nil {
		fault("--endpoint %q is not a host name that a device can use: %w", c.Endpoint, err)
	}
	ports := map[int]string{}
	for _, p := range []struct {
		flag string
		port int
	}{{"--mqtt-port", c.MQTTPort}, {"--https-port", c.HTTPSPort}, {"--alpn-port", c.ALPNPort}, {"--api-port", c.APIPort}} {
		switch other, taken := ports[p.port]; {
		case p.port < 0 || p.port > 65535:
			fault("%s %d is not a port (0 to 65535)", p.flag, p.port)
		case p.port != 0 && taken:
			fault("%s and %s are both %d", other, p.flag, p.port)
		}
		ports[p.port] = p.flag
	}
	if !accountForm.MatchString(c.AccountID) {
		fault("--account-id %q is not 12 digits", c.AccountID)
	}
	if !regionForm.MatchString(c.Region) {
		fault("--region %q does not look like a Region, such as us-east-1", c.Region)
	}
	for _, e := range []struct{ flag, value, allowed string }{
		{"--limits", c.Limits, "aws open"},
		{"--refusals", c.Refusals, "aws explain"},
		{"--certificate-rejection", c.CertificateRejection, "handshake afterConnect"},
	} {
		if !strings.Contains(" "+e.allowed+" ", " "+e.value+" ") {
			fault("%s %q is none of %s", e.flag, e.value, e.allowed)
		}
	}
	if _, err := messagelog.ParseDurability(c.Durability); err != nil {
		fault("--durability: %w", err)
	}
	if _, ok := gateway.LookupSecurityPolicy(c.SecurityPolicy, gateway.DoorMQTT); !ok {
		fault("--security-policy %q is not one of AWS's, such as %s", c.SecurityPolicy, gateway.DefaultSecurityPolicy)
	}
	return errors.Join(faults...)
}

// checkHostName says why name can't be the DNS name that devices send as SNI:
// what users paste there is a URL, a port, an address or nothing (PROBLEMS ).
func checkHostName(name string) error {
	switch {
	case name == "":
		return errors.New("it is empty")
	case strings.Contains(name, "://"), strings.Contains(name, "/"):
		return errors.New("give the bare name, without scheme and path")
	case len(name) > 253:
		return fmt.Errorf("it has %d characters, a name has at most 253", len(name))
	}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return errors.New("an IP address can't be sent as SNI; give a DNS name such as localhost")
	}
	if _, _, err := net.SplitHostPort(name); err == nil {
		return errors.New("give the name without a port; ports have flags of their own")
	}
	for label := range strings.SplitSeq(name, ".") {
		if !labelForm.MatchString(label) {
			return fmt.Errorf("label %q must be 1 to 63 letters, digits and inner hyphens", label)
		}
	}
	return nil
}
