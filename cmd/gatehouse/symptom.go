package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/symptom"
)

// minus stands for the sign of a number among the arguments of explain, so that
// -0x7780 is not read as flags.
const minus = "−"

var negative = regexp.MustCompile(`^-(?:0[xX][0-9a-fA-F]+|[0-9]+)$`)

// numbersAreText protects the negative numbers among the arguments of explain.
func numbersAreText(args []string) []string {
	if !slices.Contains(args, "explain") {
		return args
	}
	args = slices.Clone(args)
	for i, a := range args {
		if negative.MatchString(a) {
			args[i] = minus + a[1:]
		}
	}
	return args
}

// symptomText returns the text of a device that was given as arguments, as "-"
// or as a pipe; nil if there is none.
func (c *explainCmd) symptomText(a *app) (io.Reader, error) {
	if len(c.Symptom) > 0 && !slices.Equal(c.Symptom, []string{"-"}) {
		return notBlank(strings.NewReader(strings.ReplaceAll(strings.Join(c.Symptom, " "), minus, "-")))
	}
	if c.choosesAttempt() || a.Stdin == nil {
		return nil, nil
	}
	if f, isFile := a.Stdin.(*os.File); isFile && len(c.Symptom) == 0 {
		info, err := f.Stat()
		if err != nil || info.Mode()&os.ModeNamedPipe == 0 && !info.Mode().IsRegular() {
			return nil, nil
		}
	}
	return notBlank(a.Stdin)
}

// notBlank returns r, or nil if there is nothing but blanks in it.
func notBlank(r io.Reader) (io.Reader, error) {
	text := bufio.NewReader(r)
	for {
		c, err := text.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return nil, nil
		case err != nil:
			return nil, err
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			return text, text.UnreadByte()
		}
	}
}

// explainSymptom explains what a device printed. It needs no server.
func (c *explainCmd) explainSymptom(a *app, text io.Reader) error {
	d, err := symptom.ExplainLog(text)
	if err != nil {
		return err
	}
	if d.Known {
		d = d.Narrow(c.recent(a.Ctx, d.Evidence.ClientID))
	}
	if a.Output == "json" {
		enc := json.NewEncoder(a.Stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(d); err != nil {
			return err
		}
	}
	if !d.Known {
		return withHint(errors.New("nothing in this text is known as an error of a device, client or SDK"),
			"give the line with the error and those around it (gatehouse explain - < device.log), an error number or exit code with its client's name, or ask what the gateway saw: gatehouse explain --last")
	}
	if a.Output != "json" {
		if err := d.Text(a.Stdout, paintFor(a)); err != nil {
			return err
		}
	}
	return errProblem
}

// recent are the latest attempts of a running Gatehouse, or none: whoever
// explains a text may have no server at all.
func (c *explainCmd) recent(ctx context.Context, clientID string) []attempt.Summary {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	gw, err := c.connect(ctx)
	if err != nil {
		return nil
	}
	read := func(q url.Values) []attempt.Summary {
		raw, err := gw.Get(ctx, attempt.Path+"?"+q.Encode())
		if err != nil {
			return nil
		}
		var page attempt.Page
		if json.Unmarshal(raw, &page) != nil {
			return nil
		}
		return page.Attempts
	}
	var list []attempt.Summary
	if clientID != "" {
		list = read(url.Values{"maxResults": {"10"}, "clientId": {clientID}})
	}
	return append(list, read(url.Values{"maxResults": {"20"}})...)
}
