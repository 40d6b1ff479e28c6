package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"golang.org/x/term"

	"github.com/gatehouse-iot/gatehouse/internal/diagnose"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/inspect"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/probe"
	"github.com/gatehouse-iot/gatehouse/internal/server"
)

// diagnoseCmd acts as the device and looks into the account.
type diagnoseCmd struct {
	Endpoint *string `help:"Host name that the device uses. Left out, it is that of the Gatehouse on --data-dir, with its port and CA." placeholder:"HOST"`
	Port     int     `help:"Port; 8883, or 443 for WebSocket and custom authorizers." placeholder:"N"`
	Cert     string  `help:"The device's certificate, PEM or DER." placeholder:"FILE"`
	Key      string  `help:"Its private key." placeholder:"FILE"`
	KeyForm  string  `name:"key-form" help:"Form of key that the device's TLS library reads: pem, der, pkcs1, pkcs8 or sec1." placeholder:"FORM"`
	CA       string  `name:"ca" help:"The root CA that the device trusts; this machine's roots without it." placeholder:"FILE"`
	From     string  `help:"Folder with the device's files, or an ESP-IDF project: they are found by content." placeholder:"DIR" type:"path"`

	ClientID string `name:"client-id" help:"MQTT client ID of the device. Left out, one is made up that cuts nobody off." placeholder:"ID"`
	Thing    string `help:"Thing name: the client ID, when there is no --client-id." placeholder:"NAME"`
	Force    bool   `help:"Connect under the client ID although that may cut a live device off."`

	Publish     string `help:"Publish a message to this topic." placeholder:"TOPIC"`
	Subscribe   string `help:"Subscribe to this filter." placeholder:"FILTER"`
	MQTTVersion int    `name:"mqtt-version" help:"MQTT version, 3 or 5; both without it." enum:"0,3,5" default:"0" placeholder:"N"`
	WebSocket   bool   `name:"websocket" help:"MQTT over WebSocket."`
	ALPN        string `name:"alpn" help:"ALPN protocols to offer, separated by commas; none offers none. What the port needs without it." placeholder:"P"`
	SNI         string `name:"sni" help:"Server name to send in place of the host name." placeholder:"NAME"`
	NoSNI       bool   `name:"no-sni" help:"Send no server name, as some TLS libraries do unless they are told to."`
	TLSVersion  string `name:"tls-version" help:"The one TLS version that the device speaks, 1.2 or 1.3; both without it." enum:",1.2,1.3" default:"" placeholder:"V"`
	Proxy       string `help:"HTTP proxy to go through: http://[USER:PASSWORD@]HOST:PORT." placeholder:"URL" env:"GATEHOUSE_DEVICE_PROXY"`

	Authorizer string `help:"Name of the custom authorizer." placeholder:"NAME"`
	TokenKey   string `name:"token-key" help:"Name of the parameter that carries the token." placeholder:"KEY"`
	Token      string `help:"The token; - reads it from standard input." placeholder:"TEXT" env:"GATEHOUSE_DEVICE_TOKEN"`
	Signature  string `help:"The token's signature in base64." placeholder:"BASE64" env:"GATEHOUSE_DEVICE_SIGNATURE"`
	UserName   string `name:"user-name" help:"MQTT user name." placeholder:"TEXT" env:"GATEHOUSE_DEVICE_USER_NAME"`
	Password   string `help:"MQTT password; - reads it from standard input." placeholder:"TEXT" env:"GATEHOUSE_DEVICE_PASSWORD"`

	Inspect     bool     `help:"Look into the account with the AWS credentials of this shell. --no-inspect does not." default:"true" negatable:""`
	Regions     []string `help:"Further Regions in which to look for the certificate." placeholder:"REGION"`
	EndpointURL string   `name:"endpoint-url" help:"API of the account, when it is not AWS." placeholder:"URL" env:"AWS_ENDPOINT_URL"`
	DataDir     string   `help:"Data folder of a Gatehouse that runs here." default:"./gatehouse-data" env:"GATEHOUSE_DATA_DIR"`

	Variants bool          `help:"Try other server names, TLS versions and ALPN protocols also when all is well."`
	Timeout  time.Duration `help:"Longest wait of each step." default:"5s"`
	Watch    bool          `help:"Repeat until it works."`
	Bundle   string        `help:"Write a support archive (tar.gz) without keys and tokens." placeholder:"FILE" type:"path"`
}

// Help is the example that `gatehouse diagnose --help` ends with.
func (c *diagnoseCmd) Help() string {
	return `Examples:

  gatehouse diagnose --from certs/ --client-id sensor-1
  gatehouse diagnose --endpoint a3qjexampleffp-ats.iot.us-east-1.amazonaws.com --cert device.pem.crt \
      --key private.pem.key --ca AmazonRootCA1.pem --client-id sensor-1 --publish sensors/sensor-1/test
  gatehouse diagnose --endpoint gw.example.com --authorizer fleet --token-key token --token - --signature "$SIG" < token.txt
  gatehouse diagnose --from certs/ -o junit > diagnose.xml

It does what the device does, on as few connections as the report lists. It publishes and subscribes only if told to, and
changes nothing in the account. Tokens and passwords can come from standard input or GATEHOUSE_DEVICE_TOKEN and the like,
so that no process list has them.

Exit code 0: all is well; 1: a problem was found; 2: it could not run.`
}

// watchEvery is the pause between two runs of --watch. AWS allows a client ID one
// CONNECT a second, and a person who repairs something takes longer.
const watchEvery = 5 * time.Second

func (c *diagnoseCmd) Run(a *app) error {
	if err := c.readSecrets(a.Stdin); err != nil {
		return err
	}
	o, look, secrets, err := c.prepare(a.Ctx)
	if err != nil {
		return err
	}
	said := ""
	for {
		show, clear := progressOn(a)
		d := diagnose.Run(a.Ctx, o, look, show)
		clear()
		if said != "" && d.Report.Verdict == diagnose.Interrupted {
			return errProblem // Ctrl-C in the midst of a repetition: the last verdict stands
		}
		if d.Report.Summary != said || a.Output != "text" {
			if err := c.print(a, d.Report); err != nil {
				return err
			}
		}
		said = d.Report.Summary
		if c.Bundle != "" {
			if err := writeBundle(c.Bundle, d, secrets); err != nil {
				return err
			}
			fmt.Fprintln(a.Stderr, "support archive:", c.Bundle)
		}
		if !c.Watch || d.Report.Verdict != diagnose.Problem {
			return exitOf(d.Report.Verdict)
		}
		select {
		case <-a.Ctx.Done():
			return errProblem
		case <-time.After(watchEvery):
		}
	}
}

// exitOf is the exit of a run with that verdict.
func exitOf(v diagnose.Verdict) error {
	switch v {
	case diagnose.Works:
		return nil
	case diagnose.Problem:
		return errProblem
	default:
		return errors.New("interrupted before it could tell")
	}
}

func (c *diagnoseCmd) print(a *app, r diagnose.Report) error {
	switch a.Output {
	case "json":
		enc := json.NewEncoder(a.Stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(r)
	case "junit":
		return r.JUnit(a.Stdout)
	default:
		return r.Text(a.Stdout, paintFor(a))
	}
}

// maxSecret bounds what is read of a token or password.
const maxSecret = 64 << 10

// readSecrets reads the one secret that was given as "-" from standard input.
func (c *diagnoseCmd) readSecrets(stdin io.Reader) error {
	if c.Token == "-" && c.Password == "-" {
		return errors.New("only one of --token and --password can come from standard input")
	}
	for _, p := range []*string{&c.Token, &c.Password} {
		if *p != "-" {
			continue
		}
		raw, err := io.ReadAll(io.LimitReader(stdin, maxSecret))
		if err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
		*p = strings.TrimRight(string(raw), "\r\n")
	}
	return nil
}

// tlsVersions are the values of --tls-version.
var tlsVersions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// awsRegion is the Region in the host name of an AWS endpoint.
var awsRegion = regexp.MustCompile(`\.iot\.([a-z]{2}(?:-[a-z]+)+-[0-9]+)\.`)

// prepare makes the probe's options and finds whom to ask about the account; look
// is nil for nobody. secrets are the caller's, which nothing may show.
func (c *diagnoseCmd) prepare(ctx context.Context) (o probe.Options, look *inspect.Inspector, secrets []string, err error) {
	o = probe.Options{
		Port: c.Port, CertFile: c.Cert, KeyFile: c.Key, KeyForm: c.KeyForm, CAFile: c.CA, From: c.From, ClientID: c.ClientID, Thing: c.Thing, Force: c.Force,
		Publish: c.Publish, Subscribe: c.Subscribe, SNI: c.SNI, NoSNI: c.NoSNI, TLS: tlsVersions[c.TLSVersion], WebSocket: c.WebSocket, Version: c.MQTTVersion,
		Authorizer: c.Authorizer, TokenKey: c.TokenKey, Token: c.Token, Signature: c.Signature, Username: c.UserName, Password: c.Password,
		Proxy: c.Proxy, Variants: c.Variants, Timeout: c.Timeout,
	}
	switch c.ALPN {
	case "":
	case "none":
		o.ALPN = []string{}
	default:
		o.ALPN = strings.Split(c.ALPN, ",")
	}
	running, notRunning := server.FindRunning(ctx, c.DataDir)
	here := notRunning == nil
	switch {
	case c.Endpoint != nil:
		o.Endpoint = *c.Endpoint
		here = here && strings.EqualFold(o.Endpoint, running.Endpoint)
	case here:
		o.Endpoint = running.Endpoint
		o.CAFile = cmp.Or(o.CAFile, running.CAFile)
		if o.Port == 0 {
			o.Port = running.Ports.MQTT
			if c.WebSocket || c.Authorizer != "" {
				o.Port = running.Ports.ALPN
			}
		}
	case c.From == "":
		return o, nil, nil, withHint(errors.New("say which host name the device uses: --endpoint HOST"), "at AWS: aws iot describe-endpoint --endpoint-type iot:Data-ATS")
	}
	if !c.Inspect {
		return o, nil, nil, nil
	}
	look, secrets, err = c.inspector(ctx, o.Endpoint, running, here)
	return o, look, secrets, err
}

// inspector makes what looks into the account: that of the Gatehouse which runs
// here, if the device uses it, else that of the shell's AWS configuration.
func (c *diagnoseCmd) inspector(ctx context.Context, endpoint string, running server.RunFile, here bool) (*inspect.Inspector, []string, error) {
	if here && c.EndpointURL == "" {
		ca, err := os.ReadFile(running.CAFile)
		if err != nil {
			return nil, nil, fmt.Errorf("root CA: %w", err)
		}
		gw := &gatehouse{apiURL: running.APIURL, region: running.Region, credentials: staticKey{running.AccessKeyID, running.SecretAccessKey}, http: httpClient(ca)}
		cfg := aws.Config{Region: gw.region, Credentials: gw.credentials, BaseEndpoint: &gw.apiURL, HTTPClient: gw.http}
		return inspect.New(cfg, c.Regions, gw.Get), []string{running.AccessKeyID, running.SecretAccessKey}, nil
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("AWS configuration: %w", err)
	}
	regions := slices.Clone(c.Regions)
	if m := awsRegion.FindStringSubmatch(strings.ToLower(endpoint)); m != nil {
		if cfg.Region != "" {
			regions = append(regions, cfg.Region) // where the certificate may have been made by mistake
		}
		cfg.Region = m[1]
	}
	if cfg.Region == "" {
		return nil, nil, withHint(errors.New("no AWS Region is set, and the host name has none"), "set AWS_REGION, or leave the account out: --no-inspect")
	}
	wait, cancel := context.WithTimeout(ctx, 3*time.Second) // the chain may ask an instance that is not there
	defer cancel()
	key, err := cfg.Credentials.Retrieve(wait)
	if err != nil {
		key = aws.Credentials{}
	}
	secrets := []string{key.AccessKeyID, key.SecretAccessKey, key.SessionToken}
	if c.EndpointURL == "" {
		return inspect.New(cfg, regions, nil), secrets, nil
	}
	cfg.BaseEndpoint = &c.EndpointURL
	gw := &gatehouse{apiURL: strings.TrimRight(c.EndpointURL, "/"), region: cfg.Region, credentials: cfg.Credentials}
	var bundle []byte
	if path := os.Getenv("AWS_CA_BUNDLE"); path != "" {
		if bundle, err = os.ReadFile(path); err != nil {
			return nil, nil, fmt.Errorf("AWS_CA_BUNDLE: %w", err)
		}
	}
	gw.http = httpClient(bundle)
	return inspect.New(cfg, regions, gw.Get), secrets, nil
}

// progressOn returns what shows the stage under way on a terminal, and what takes it away.
func progressOn(a *app) (show func(stage string), clear func()) {
	f, isFile := a.Stderr.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" || os.Getenv("CI") != "" {
		return nil, func() {}
	}
	return func(stage string) { fmt.Fprintf(a.Stderr, "\r\x1b[K%s ...", stage) }, func() { fmt.Fprint(a.Stderr, "\r\x1b[K") }
}

// writeBundle writes the support archive, readable by its owner alone.
func writeBundle(path string, d diagnose.Diagnosis, secrets []string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(d.Bundle(f, secrets...), f.Close()); err != nil {
		return fmt.Errorf("support archive: %w", err)
	}
	return nil
}
