package main

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"

	"github.com/gatehouse-iot/gatehouse/policy"
	"github.com/gatehouse-iot/gatehouse/policy/simulate"
)

// policyCmd checks policy documents and simulates requests against them.
type policyCmd struct {
	Check    policyCheckCmd    `cmd:"" help:"Check policy documents: errors with their position, and what is doubtful."`
	Simulate policySimulateCmd `cmd:"" help:"Decide requests against policy documents, and say why."`
}

// Help is the example that `gatehouse policy --help` ends with.
func (c *policyCmd) Help() string {
	return `Examples:

  gatehouse policy check policy.json
  gatehouse policy simulate --policy policy.json --action iot:Publish --resource topic/a/b --client-id dev-1`
}

// policyCheckCmd checks policy documents.
type policyCheckCmd struct {
	Files []string `arg:"" name:"file" help:"Policy document; - reads standard input. Several files are also judged together, as the policies of one principal."`
}

// Help is the example that `gatehouse policy check --help` ends with.
func (c *policyCheckCmd) Help() string {
	return `Example:

  gatehouse policy check policy.json
  aws iot get-policy --policy-name p --query policyDocument --output text | gatehouse policy check -

Exit code 0: nothing but remarks (info); 1: an error, a problem or a warning was found; 2: a file
could not be read.`
}

// checkedFinding is a finding with the file that it is about.
type checkedFinding struct {
	File string `json:"file"`
	policy.Finding
}

// Run checks every file, then all of them together.
func (c *policyCheckCmd) Run(a *app) error {
	found := []checkedFinding{}
	var docs []policy.Named
	for _, file := range c.Files {
		data, err := readInput(a, file)
		if err != nil {
			return err
		}
		doc, err := policy.Parse(data)
		if err != nil {
			f := policy.Finding{Code: "policy.malformed", Severity: policy.Malformed, Statement: -1, Message: err.Error(), Fix: "Correct the document."}
			if bad, ok := errors.AsType[*policy.SyntaxError](err); ok {
				f.Pos, f.Message = bad.Position, bad.Message
			}
			found = append(found, checkedFinding{file, f})
			continue
		}
		docs = append(docs, policy.Named{Name: file, Doc: doc})
	}
	for _, f := range policy.Lint(docs...) {
		found = append(found, checkedFinding{f.Policy, f})
	}
	if err := printFindings(a, found, c.Files); err != nil {
		return err
	}
	for _, f := range found {
		if f.Severity != policy.Info {
			return errProblem
		}
	}
	return nil
}

// readInput reads a file, or standard input for "-".
func readInput(a *app, file string) ([]byte, error) {
	in := a.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, simulate.MaxLine+1))
	if err == nil && len(data) > simulate.MaxLine {
		err = fmt.Errorf("%s: larger than %d bytes", file, simulate.MaxLine)
	}
	return data, err
}

func printFindings(a *app, found []checkedFinding, files []string) error {
	if a.Output == "json" {
		return printJSON(a.Stdout, struct {
			Findings []checkedFinding `json:"findings"`
		}{found})
	}
	out := bufio.NewWriter(a.Stdout)
	for _, f := range found {
		fmt.Fprintf(out, "%s:%d:%d: %s: %s  [%s]\n", f.File, f.Pos.Line, f.Pos.Column, f.Severity, f.Message, f.Code)
		if f.Severity != policy.Malformed && f.Fix != "" {
			fmt.Fprintf(out, "    fix: %s\n", f.Fix)
		}
	}
	if len(found) == 0 {
		fmt.Fprintf(out, "%s: no findings\n", strings.Join(files, ", "))
	}
	return out.Flush()
}

// printJSON writes v on lines for people and programs alike.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// policySimulateCmd decides requests.
type policySimulateCmd struct {
	Policy      []string `help:"Policy document attached to the principal; may be repeated." placeholder:"FILE"`
	GroupPolicy []string `help:"Policy document attached to a group of the thing; may be repeated." placeholder:"FILE"`
	Action      string   `help:"Action to decide, for example iot:Publish. Without it, requests are read as JSON lines from standard input." placeholder:"ACTION"`
	Resource    string   `help:"ARN, or its last part (topic/a/b) with --region and --account-id." placeholder:"ARN"`
	Region      string   `help:"Region of a resource given without ARN." default:"us-east-1"`
	AccountID   string   `help:"Account of a resource given without ARN." default:"123456789012"`

	Protocol         string            `help:"mqtt, wss or http." enum:"mqtt,wss,http" default:"mqtt"`
	ClientID         string            `help:"Client ID of the connection." placeholder:"ID"`
	Thing            string            `help:"Thing that is attached to the principal." placeholder:"NAME"`
	Exclusive        bool              `help:"The thing is attached exclusively."`
	NotAttached      bool              `help:"The thing is not attached to the principal."`
	ThingType        string            `help:"Type of the thing." placeholder:"NAME"`
	Attribute        map[string]string `help:"Attribute of the thing; may be repeated." placeholder:"NAME=VALUE"`
	Certificate      string            `help:"Client certificate (PEM)." placeholder:"FILE"`
	ConnectAttribute []string          `help:"PersistentConnect or LastWill; may be repeated." placeholder:"NAME"`
	WillTopic        string            `help:"Topic of the last will." placeholder:"TOPIC"`
	SourceIP         string            `name:"source-ip" help:"Address of the device." placeholder:"IP"`
	DomainName       string            `help:"Endpoint that the device connects to." placeholder:"NAME"`
}

// Help is the example that `gatehouse policy simulate --help` ends with.
func (c *policySimulateCmd) Help() string {
	return `Examples:

  gatehouse policy simulate --policy p.json --action iot:Publish --resource topic/a/b --client-id dev-1
  gatehouse policy simulate < requests.jsonl > answers.jsonl

A line is {"policies":[DOCUMENT...],"groupPolicies":[...],"context":{"clientId":"dev-1"},"action":"iot:Publish","resource":"arn:..."}
and is answered by a line {"decision":"ALLOWED|EXPLICIT_DENY|IMPLICIT_DENY",...} or {"error":{...}}.

Exit code for lines 0: all were answered; 1: one was malformed. For one request 0: allowed; 1: denied.
Exit code 2: the command could not run.`
}

// Run answers one request given by flags, or the lines of standard input.
func (c *policySimulateCmd) Run(a *app) error {
	if c.Action == "" {
		if c.Resource != "" || len(c.Policy) > 0 {
			return withHint(errors.New("--action is missing"), "gatehouse policy simulate --policy FILE --action iot:Publish --resource topic/a/b")
		}
		return simulateLines(a)
	}
	if c.Resource == "" {
		return withHint(errors.New("--resource is missing"), "gatehouse policy simulate --action %s --resource topic/a/b", c.Action)
	}
	ctx, err := c.context()
	if err != nil {
		return err
	}
	docs, err := c.documents(a)
	if err != nil {
		return err
	}
	resource := c.Resource
	if resource != "*" && !strings.HasPrefix(resource, "arn:") {
		resource = "arn:aws:iot:" + c.Region + ":" + c.AccountID + ":" + resource
	}
	d, err := policy.Compile(docs...).ExplainARN(ctx, policy.Action(c.Action), resource)
	if err != nil {
		return err
	}
	answer := simulate.AnswerOf(&d)
	if a.Output == "json" {
		err = printJSON(a.Stdout, answer)
	} else {
		err = printAnswer(a.Stdout, answer)
	}
	if err == nil && d.Effect != policy.Allow {
		err = errProblem
	}
	return err
}

func (c *policySimulateCmd) documents(a *app) ([]policy.Named, error) {
	var docs []policy.Named
	for i, file := range append(append([]string{}, c.Policy...), c.GroupPolicy...) {
		data, err := readInput(a, file)
		if err != nil {
			return nil, err
		}
		doc, err := policy.Parse(data)
		if err != nil {
			return nil, withHint(fmt.Errorf("%s: %w", file, err), "gatehouse policy check %s", file)
		}
		named := policy.Named{Name: file, Source: policy.SourceCertificate, Doc: doc}
		if i >= len(c.Policy) {
			named.Source = policy.SourceGroup + "simulated"
		}
		docs = append(docs, named)
	}
	return docs, nil
}

func (c *policySimulateCmd) context() (*policy.Context, error) {
	ctx := &policy.Context{
		Protocol: policy.Protocol(c.Protocol), ClientID: c.ClientID, ConnectAttributes: c.ConnectAttribute,
		LastWillTopic: c.WillTopic, DomainName: c.DomainName,
	}
	if c.Thing != "" {
		ctx.Thing = &policy.Thing{Name: c.Thing, Type: c.ThingType, Attributes: c.Attribute, Attached: !c.NotAttached, Exclusive: c.Exclusive}
	}
	if c.SourceIP != "" {
		addr, err := netip.ParseAddr(c.SourceIP)
		if err != nil {
			return nil, fmt.Errorf("--source-ip %q is no IP address", c.SourceIP)
		}
		ctx.SourceIP = addr
	}
	if c.Certificate != "" {
		data, err := os.ReadFile(c.Certificate)
		if err != nil {
			return nil, err
		}
		block, _ := pem.Decode(data)
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%s holds no PEM certificate", c.Certificate)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Certificate, err)
		}
		ctx.Certificate = policy.CertificateFacts(cert)
	}
	return ctx, nil
}

// simulateLines answers standard input line by line, holding one line at a time.
func simulateLines(a *app) error {
	in := bufio.NewReaderSize(a.Stdin, 64<<10)
	out := bufio.NewWriter(a.Stdout)
	malformed := false
	for number := 1; ; number++ {
		line, tooLong, err := readLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return errors.Join(fmt.Errorf("read requests: %w", err), out.Flush())
		}
		if len(bytes.TrimSpace(line)) > 0 || tooLong {
			reply, bad := simulate.Line(line, number, tooLong)
			malformed = malformed || bad
			if _, err := out.Write(append(reply, '\n')); err != nil {
				return err
			}
		}
		if in.Buffered() == 0 || err != nil { // whoever asks one by one waits for the answer
			if err := out.Flush(); err != nil {
				return err
			}
		}
		if err != nil {
			break
		}
		if a.Ctx.Err() != nil {
			return a.Ctx.Err()
		}
	}
	if malformed {
		return errProblem
	}
	return nil
}

// readLine reads one line. A line longer than the limit is read to its end
// without being kept.
func readLine(in *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if tooLong || len(line)+len(part) > simulate.MaxLine {
			line, tooLong = nil, true
		} else {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, tooLong, err
		}
	}
}

// printAnswer writes a decision for people: verdict, reasons, repair.
func printAnswer(w io.Writer, answer *simulate.Answer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%s  %s on %s\n", answer.Decision, answer.Action, answer.Resource)
	if len(answer.NearMisses) == 0 || answer.NearMisses[0].Code == policy.CodeExplicitDeny {
		fmt.Fprintf(out, "  %s\n", answer.Reason)
	} else {
		fmt.Fprintln(out, "  Nothing allows it.")
	}
	if answer.Code != "" {
		fmt.Fprintf(out, "  check %s\n", answer.Code)
	}
	statement := func(s simulate.Statement) string {
		label := fmt.Sprintf("%s statement %d", s.Policy, s.Statement+1)
		if s.Sid != "" {
			label += " " + s.Sid
		}
		return label
	}
	if len(answer.Matched) > 0 {
		fmt.Fprintln(out, "\nApplies:")
		for _, s := range answer.Matched {
			fmt.Fprintf(out, "  %-5s %s\n", s.Effect, statement(s))
		}
	}
	for _, list := range []struct {
		title  string
		misses []simulate.Miss
	}{{"Nearly applies:", answer.NearMisses}, {"Doubtful:", answer.Warnings}} {
		shown := false
		for _, m := range list.misses {
			if m.Code == policy.CodeExplicitDeny {
				continue // stands above
			}
			if !shown {
				fmt.Fprintf(out, "\n%s\n", list.title)
				shown = true
			}
			fmt.Fprintf(out, "  %-5s %s  [%s]\n        %s\n", m.Effect, statement(m.Statement), m.Code, m.Cause)
			if m.Pattern != "" {
				fmt.Fprintf(out, "        written: %s\n", m.Pattern)
			}
		}
	}
	if len(answer.Variables) > 0 {
		fmt.Fprintln(out, "\nVariables:")
		for _, v := range answer.Variables {
			switch {
			case v.Value != nil && v.Cause != "":
				fmt.Fprintf(out, "  ${%s} = %q, its default: %s\n", v.Name, *v.Value, v.Why)
			case v.Value != nil:
				fmt.Fprintf(out, "  ${%s} = %q\n", v.Name, *v.Value)
			default:
				fmt.Fprintf(out, "  ${%s} has no value: %s\n", v.Name, v.Why)
			}
		}
	}
	if len(answer.MissingContextValues) > 0 {
		fmt.Fprintf(out, "\nUnknown: %s\n", strings.Join(answer.MissingContextValues, ", "))
	}
	if answer.Fix != nil {
		fmt.Fprintf(out, "\nFix: %s\n", answer.Fix.Text)
		if len(answer.Fix.Statement) > 0 {
			fmt.Fprintf(out, "  statement that allows it: %s\n", answer.Fix.Statement)
		}
	}
	return out.Flush()
}
