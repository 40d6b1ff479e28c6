package main

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/fatih/color"
	"golang.org/x/term"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/layout"
)

// explainCmd says what the gateway saw of a device.
type explainCmd struct {
	serverFlags
	Last      bool   `help:"The latest attempt of any device."`
	ClientID  string `name:"client-id" help:"The latest attempt of this MQTT client ID, or of the thing of that name." placeholder:"ID"`
	Principal string `help:"The latest attempt of this certificate (ID or ARN), or of another principal." placeholder:"ID"`
	SourceIP  string `name:"source-ip" help:"The latest attempt from this address." placeholder:"IP"`
	Trace     string `help:"The attempt with this trace ID." placeholder:"ID"`

	Certificate bool     `help:"Print the certificate that the device presented, in PEM form, and nothing else."`
	Symptom     []string `arg:"" optional:"" name:"text" help:"What a device or SDK printed: a line, a number, an exit code; - reads a log from standard input."`
}

// Help is the example that `gatehouse explain --help` ends with.
func (c *explainCmd) Help() string {
	return `Examples:

  gatehouse explain --last
  gatehouse explain --client-id sensor-1
  gatehouse explain --principal arn:aws:iot:us-east-1:123456789012:cert/3f2a...
  gatehouse explain --source-ip 192.0.2.7 -o json
  gatehouse explain "mbedtls_ssl_handshake returned -0x7780"
  gatehouse explain mosquitto_pub exit 7
  gatehouse explain - < device.log

A text needs no running Gatehouse; where one runs, its latest attempts narrow the causes.

A device that is refused before its CONNECT has not said its client ID: use --last, --source-ip or
--principal. Exit code 0: the attempt succeeded; 1: it was refused, or the text tells of a
fault; 2: nothing could be explained.`
}

// explained is what `gatehouse explain -o json` prints.
type explained struct {
	attempt.Detail
	Earlier []attempt.Summary `json:"earlier"` // other recent attempts that the same flags choose
}

func (c *explainCmd) Run(a *app) error {
	if text, err := c.symptomText(a); err != nil {
		return err
	} else if text != nil {
		return c.explainSymptom(a, text)
	}
	if !c.choosesAttempt() {
		return withHint(errors.New("say which attempt: --last, --client-id, --principal, --source-ip or --trace; or give the error text of a device"), "gatehouse explain --last")
	}
	gw, err := c.connect(a.Ctx)
	if err != nil {
		return err
	}
	e, err := c.find(a.Ctx, gw)
	if err != nil {
		return err
	}
	switch {
	case c.Certificate:
		if e.Attempt.Certificate == nil {
			return fmt.Errorf("the device presented no certificate in attempt %s", e.Attempt.ID)
		}
		return pem.Encode(a.Stdout, &pem.Block{Type: "CERTIFICATE", Bytes: e.Attempt.Certificate})
	case a.Output == "json":
		enc := json.NewEncoder(a.Stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(e); err != nil {
			return err
		}
	default:
		if err := e.text(a); err != nil {
			return err
		}
	}
	if e.Report.Refused {
		return errProblem
	}
	return nil
}

// choosesAttempt says whether the flags choose an attempt.
func (c *explainCmd) choosesAttempt() bool {
	return c.Last || c.ClientID != "" || c.Principal != "" || c.SourceIP != "" || c.Trace != ""
}

// find asks the server for the attempt that the flags choose.
func (c *explainCmd) find(ctx context.Context, gw *gatehouse) (explained, error) {
	e := explained{Earlier: []attempt.Summary{}}
	id := c.Trace
	if id == "" {
		q := url.Values{"maxResults": {"4"}}
		for name, value := range map[string]string{"clientId": c.ClientID, "principal": c.Principal, "sourceIp": c.SourceIP} {
			if value != "" {
				q.Set(name, value)
			}
		}
		raw, err := gw.Get(ctx, attempt.Path+"?"+q.Encode())
		if err != nil {
			return e, err
		}
		var page attempt.Page
		if err := json.Unmarshal(raw, &page); err != nil {
			return e, fmt.Errorf("list of attempts: %w", err)
		}
		if len(page.Attempts) == 0 {
			return e, c.nothing()
		}
		id, e.Earlier = page.Attempts[0].ID, page.Attempts[1:]
	}
	raw, err := gw.Get(ctx, attempt.Path+"/"+url.PathEscape(id))
	if refused, ok := errors.AsType[*apiError](err); ok && refused.Status == http.StatusNotFound {
		return e, withHint(errors.New(refused.Message), "gatehouse explain --last")
	} else if err != nil {
		return e, err
	}
	if err := json.Unmarshal(raw, &e.Detail); err != nil {
		return e, fmt.Errorf("attempt %s: %w", id, err)
	}
	return e, nil
}

// nothing says that no attempt was found, which is a finding of its own: the
// device never arrived. PROBLEMS A-10.
func (c *explainCmd) nothing() error {
	switch {
	case c.ClientID != "":
		return withHint(fmt.Errorf("no attempt of client ID %q is recorded", c.ClientID),
			"a device that is refused before its CONNECT has not said its client ID: gatehouse explain --last")
	case c.SourceIP != "":
		return withHint(fmt.Errorf("no attempt from %s is recorded: nothing of a device there has arrived (net.never_arrived)", c.SourceIP),
			"check the host name and port that the device uses, and its way here: DNS, firewall, proxy. Behind NAT it has another address: gatehouse explain --last")
	case c.Principal != "":
		return withHint(errors.New("no such attempt is recorded"), "see who came at all: gatehouse explain --last")
	}
	return withHint(errors.New("no attempt is recorded yet: no device has reached this gateway"),
		"check the host name and port that the device uses, and its way here: DNS, firewall, proxy")
}

// text prints the explanation for people.
func (e explained) text(a *app) error {
	if err := e.Text(a.Stdout, paintFor(a)); err != nil {
		return err
	}
	for i, other := range e.Earlier {
		if i == 0 {
			fmt.Fprintln(a.Stdout, "\nEarlier")
		}
		outcome := string(other.Outcome)
		if other.Code != "" {
			outcome = other.Code
		}
		times := ""
		if other.Count > 1 {
			times = fmt.Sprintf(" (%d times)", other.Count)
		}
		fmt.Fprintf(a.Stdout, "  %s  %s%s\n    gatehouse explain --trace %s\n", other.Last.UTC().Format(time.RFC3339), outcome, times, other.ID)
	}
	return nil
}

// paintFor gives colours when results go to a terminal whose owner wants them.
func paintFor(a *app) layout.Paint {
	f, isFile := a.Stdout.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return layout.Paint{}
	}
	paint := func(attrs ...color.Attribute) func(string) string {
		c := color.New(attrs...)
		c.EnableColor()
		return func(s string) string { return c.Sprint(s) }
	}
	return layout.Paint{
		Good: paint(color.FgGreen, color.Bold), Bad: paint(color.FgRed, color.Bold), Doubt: paint(color.FgYellow, color.Bold),
		Strong: paint(color.Bold), Faint: paint(color.Faint),
	}
}
