package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/fatih/color"
	"github.com/goccy/go-yaml"

	"github.com/gatehouse-iot/gatehouse/internal/otlp"
	"github.com/gatehouse-iot/gatehouse/internal/server"
)

// upCmd starts everything. Its flags are DESIGN's table "gatehouse up flags";
// each is also an environment variable and a key of the YAML file, flags win.
type upCmd struct {
	Config                 kong.ConfigFlag `help:"YAML file with any of these flags, such as 'mqtt-port: 18883'." placeholder:"FILE" env:"GATEHOUSE_CONFIG"`
	DataDir                string          `help:"Folder for everything that Gatehouse keeps." default:"./gatehouse-data" env:"GATEHOUSE_DATA_DIR"`
	Host                   string          `help:"Address to listen on." default:"127.0.0.1" env:"GATEHOUSE_HOST"`
	Endpoint               string          `help:"Host name that devices use: what describe-endpoint answers, in the server certificate, and the SNI that is accepted." default:"localhost" env:"GATEHOUSE_ENDPOINT"`
	MQTTPort               int             `name:"mqtt-port" help:"MQTT with client certificates. 0: any free port, as for every port." default:"8883" env:"GATEHOUSE_MQTT_PORT"`
	HTTPSPort              int             `name:"https-port" help:"HTTPS with client certificates." default:"8443" env:"GATEHOUSE_HTTPS_PORT"`
	ALPNPort               int             `name:"alpn-port" help:"Everything that AWS serves on 443, told apart by ALPN. Where 443 can't be bound: 10443." default:"443" env:"GATEHOUSE_ALPN_PORT"`
	APIPort                int             `name:"api-port" help:"The AWS APIs, /healthz and /gatehouse/v1/." default:"4610" env:"GATEHOUSE_API_PORT"`
	APIPlaintext           bool            `name:"api-plaintext" help:"Plain HTTP on an API address that is not loopback." env:"GATEHOUSE_API_PLAINTEXT"`
	AccountID              string          `name:"account-id" help:"AWS account ID that this Gatehouse plays." default:"123456789012" env:"GATEHOUSE_ACCOUNT_ID"`
	Region                 string          `help:"AWS Region that this Gatehouse plays." default:"us-east-1" env:"GATEHOUSE_REGION"`
	Database               string          `help:"PostgreSQL URL of the registry; only SQLite in the data folder is built so far." placeholder:"URL" env:"GATEHOUSE_DATABASE"`
	NATS                   string          `name:"nats" help:"NATS URLs of a cluster; only a single node is built so far." placeholder:"URLS" env:"GATEHOUSE_NATS"`
	Limits                 string          `help:"aws: every documented limit; open: rates lifted, shapes kept." enum:"aws,open" default:"aws" env:"GATEHOUSE_LIMITS"`
	Refusals               string          `help:"How MQTT 3.1.1 refusals look on the wire: aws closes silently, explain answers CONNACK and SUBACK codes." enum:"aws,explain" default:"aws" env:"GATEHOUSE_REFUSALS"`
	Durability             string          `help:"When a message that a stored session must not lose is acknowledged: sync, or interval=DURATION (a crash loses what is younger)." default:"sync" env:"GATEHOUSE_DURABILITY"`
	CertificateRejection   string          `help:"When a certificate that may not connect is refused: handshake or afterConnect." enum:"handshake,afterConnect" default:"handshake" env:"GATEHOUSE_CERTIFICATE_REJECTION"`
	LambdaEndpoint         string          `help:"URL of another Lambda API, such as https://lambda.us-east-1.amazonaws.com, that runs the functions of authorizers, called with AWS credentials from the environment. Default: this Gatehouse runs them." placeholder:"URL" env:"GATEHOUSE_LAMBDA_ENDPOINT"`
	SecurityPolicy         string          `help:"TLS versions and ciphers that devices may use, by the name of AWS's security policy." default:"IoTSecurityPolicy_TLS13_1_2_2022_10" env:"GATEHOUSE_SECURITY_POLICY"`
	RecordAuthorizerEvents bool            `name:"record-authorizer-events" help:"Keep what authorizers' functions are invoked with, tokens and passwords included, in memory for 'gatehouse authorizer replay'." env:"GATEHOUSE_RECORD_AUTHORIZER_EVENTS"`
	OTLPEndpoint           string          `name:"otlp-endpoint" help:"Export the devices' log and attempts to the OpenTelemetry collector at this base URL, such as http://localhost:4318, by OTLP over HTTP. The variables OTEL_EXPORTER_OTLP_* work too." placeholder:"URL" env:"GATEHOUSE_OTLP_ENDPOINT"`
	LogLevel               string          `help:"Level of Gatehouse's own log." enum:"debug,info,warn,error" default:"info" env:"GATEHOUSE_LOG_LEVEL"`
	LogFormat              string          `help:"Form of Gatehouse's own log, on stderr." enum:"text,json" default:"text" env:"GATEHOUSE_LOG_FORMAT"`
}

// Help is the example that `gatehouse up --help` ends with.
func (c *upCmd) Help() string {
	return `Examples:

  gatehouse up
  gatehouse up --endpoint gw.example.com --host 0.0.0.0
  gatehouse up --config gatehouse.yaml
  gatehouse up --mqtt-port 0 --https-port 0 --alpn-port 0 --api-port 0

Exit code 0: it was stopped; 2: it could not start, or something broke.`
}

func (c *upCmd) Run(a *app) error {
	switch {
	case c.Database != "":
		return withHint(errors.New("--database: PostgreSQL is not built yet"), "leave it out: the registry is SQLite in --data-dir")
	case c.NATS != "":
		return withHint(errors.New("--nats: clustering is not built yet"), "leave it out: one node serves alone")
	}
	export, err := otlp.FromEnvironment(c.OTLPEndpoint, os.Getenv)
	if err != nil {
		return fmt.Errorf("--otlp-endpoint: %w", err)
	}
	started := time.Now()
	s, err := server.Start(a.Ctx, server.Config{
		DataDir: c.DataDir, Host: c.Host, Endpoint: c.Endpoint,
		MQTTPort: c.MQTTPort, HTTPSPort: c.HTTPSPort, ALPNPort: c.ALPNPort, APIPort: c.APIPort, APIPlaintext: c.APIPlaintext,
		AccountID: c.AccountID, Region: c.Region, Limits: c.Limits, Refusals: c.Refusals,
		CertificateRejection: c.CertificateRejection, Durability: c.Durability, SecurityPolicy: c.SecurityPolicy, LambdaEndpoint: c.LambdaEndpoint, Log: c.logger(a.Stderr),
		RecordAuthorizerEvents: c.RecordAuthorizerEvents, OTLP: export,
	})
	if err != nil {
		return startHint(err)
	}
	if err := c.announce(a, s.Info(), time.Since(started)); err != nil {
		return errors.Join(err, s.Stop())
	}
	return s.Wait(a.Ctx)
}

// startHint adds what to try next to the failures that people meet.
func startHint(err error) error {
	if busy, ok := errors.AsType[*server.PortError](err); ok {
		return withHint(err, "choose another port with %s N, or let the kernel choose with %s 0", busy.Flag, busy.Flag)
	}
	if _, unusable := errors.AsType[*fs.PathError](err); unusable {
		return withHint(err, "choose a folder that you may write with --data-dir DIR")
	}
	return err
}

func (c *upCmd) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // the enum of the flag allows nothing else
	opts := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// announce prints where the server listens and what to do next.
func (c *upCmd) announce(a *app, info server.RunFile, took time.Duration) error {
	if a.Output == "json" {
		info.SecretAccessKey = "" // it is in gatehouse.json, mode 0600, and in nobody's log
		return json.NewEncoder(a.Stdout).Encode(info)
	}
	dataDir := "" // the other terminal does not have this one's variables
	if c.DataDir != defaultDataDir {
		dataDir = " --data-dir " + shellQuote(absolute(c.DataDir))
	}
	bold := color.New(color.Bold).SprintFunc()
	_, err := fmt.Fprintf(a.Stdout, `%s is up (%d ms)

  endpoint     %s
  MQTT         port %d, client certificate
  HTTPS        port %d, client certificate
  ALPN         port %d, what AWS serves on 443
  AWS API      %s
  root CA      %s
  account      %s in %s

What next, in another terminal:
%s
  # plain 'aws iot ...' and the commands below now talk to this Gatehouse
  eval "$(gatehouse env%s)"

  # a device that may connect, and the command that connects it
  gatehouse device add sensor-1 --out certs/

  # what the gateway saw of it, check by check
  gatehouse explain --last

Stop with Ctrl-C.
`, bold("Gatehouse"), took.Milliseconds(), info.Endpoint, info.Ports.MQTT, info.Ports.HTTPS, info.Ports.ALPN,
		info.APIURL, info.CAFile, info.AccountID, info.Region, ontoPath(), dataDir)
	return err
}

// ontoPath is the step that makes `gatehouse` a command, or "" where it is one:
// `go run` leaves nothing on the PATH.
func ontoPath() string {
	if _, err := exec.LookPath("gatehouse"); err == nil {
		return ""
	}
	bin, err := os.Executable()
	if err != nil || strings.Contains(bin, "go-build") {
		return `
  # once: put gatehouse on the PATH
  go install ./cmd/gatehouse && export PATH="$PATH:$(go env GOPATH)/bin"
`
	}
	return fmt.Sprintf("\n  # once: put gatehouse on the PATH\n  export PATH=\"$PATH:%s\"\n", filepath.Dir(bin))
}

// yamlFlags reads flags from the YAML file of --config, over which flags and
// environment win. An unknown key is an error that names it.
func yamlFlags(r io.Reader) (kong.Resolver, error) {
	raw, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	if err := yaml.Unmarshal(raw, &values); err != nil {
		return nil, fmt.Errorf("configuration: %w", err) // goccy/go-yaml says line and column
	}
	return yamlResolver(values), nil
}

// yamlResolver is flag name -> value.
type yamlResolver map[string]any

// Validate implements [kong.Resolver].
func (y yamlResolver) Validate(app *kong.Application) error {
	known := map[string]bool{}
	for _, node := range app.Children {
		if node.Name == "up" {
			for _, flag := range node.Flags {
				known[flag.Name] = true
			}
		}
	}
	for key := range y {
		if !known[strings.ReplaceAll(key, "_", "-")] {
			return fmt.Errorf("configuration: %q is not a flag of gatehouse up", key)
		}
	}
	return nil
}

// Resolve implements [kong.Resolver].
func (y yamlResolver) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs { // kong itself lets a resolver win over the environment
		if os.Getenv(name) != "" {
			return nil, nil //nolint:nilnil // as below
		}
	}
	for _, key := range []string{flag.Name, strings.ReplaceAll(flag.Name, "-", "_")} {
		if v, ok := y[key]; ok {
			return fmt.Sprint(v), nil
		}
	}
	return nil, nil //nolint:nilnil // kong's contract: nothing resolved
}

// shellQuote writes s so that a POSIX shell reads it back as one word.
func shellQuote(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool {
		plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("@%+=:,./_-", r)
		return !plain
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// absolute is path as an absolute one where that works, for messages that
// outlive the folder they were made in.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
