// Command gatehouse is a self-hosted device gateway that speaks AWS IoT Core's
// protocols and APIs and explains every refusal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes of every subcommand: DESIGN, "The command line".
const (
	exitOK      = 0 // all is well
	exitProblem = 1 // the command ran and found a problem
	exitFailed  = 2 // the command could not run
)

// app is what a subcommand needs from its surroundings: results go to Stdout,
// everything else to Stderr.
type app struct {
	Ctx    context.Context
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Output string // "text" or "json", and what one command alone has: the -o flag
}

// errProblem ends a subcommand with exit code 1: it ran, it reported, and what
// it reported is a problem. Nothing more is printed.
var errProblem = errors.New("found a problem")

// hintError is a failure with the next step for whoever reads it.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }
func (e *hintError) Unwrap() error { return e.err }

// withHint adds to err what the person should try next.
func withHint(err error, format string, args ...any) error {
	return &hintError{err: err, hint: fmt.Sprintf(format, args...)}
}

// commandLine is the whole command line: DESIGN, "The command line (a contract)".
type commandLine struct {
	Output string `help:"Output form: text for people, json for programs; of logs query also table and csv, of diagnose junit." short:"o" enum:"text,json,table,csv,junit" default:"text" env:"GATEHOUSE_OUTPUT"`

	Up         upCmd         `cmd:"" help:"Start everything; the first start makes the data folder, the CA and the API credentials."`
	Env        envCmd        `cmd:"" help:"Print shell exports so that plain 'aws iot ...' talks to this Gatehouse."`
	Device     deviceCmd     `cmd:"" help:"Make devices that may connect."`
	Policy     policyCmd     `cmd:"" help:"Check policy documents and simulate requests against them."`
	Function   functionCmd   `cmd:"" help:"Deploy a folder as a Lambda function, and again when a file in it changes."`
	User       userCmd       `cmd:"" help:"Manage who may sign requests: access keys with IAM policies."`
	Authorizer authorizerCmd `cmd:"" help:"Sign tokens for custom authorizers, and test them."`
	Domain     domainCmd     `cmd:"" help:"Server certificates of domain configurations."`
	Diagnose   diagnoseCmd   `cmd:"" help:"Act as the device, check by check, look into the account, and name what is wrong and what repairs it."`
	Faults     faultsCmd     `cmd:"" help:"A server that misbehaves on demand, to try devices and clients."`
	Explain    explainCmd    `cmd:"" help:"Explain what the gateway saw of a device, check by check, or what the device itself printed."`
	Logs       logsCmd       `cmd:"" help:"Read device logs: live, or with a query of Logs Insights."`
	Version    versionCmd    `cmd:"" help:"Print version, commit and Go version."`
}

// description is what `gatehouse --help` begins with.
const description = `A self-hosted device gateway that speaks AWS IoT Core's protocols and APIs, and explains every refusal.

Start:

  gatehouse up
  eval "$(gatehouse env)"
  gatehouse device add sensor-1 --out certs/
  gatehouse diagnose --from certs/ --client-id sensor-1
  gatehouse explain --last

Exit code 0: all is well; 1: a problem was found; 2: the command could not run.`

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// helpOf is the command that shows the help of whatever was typed.
func helpOf(err error) string {
	words := []string{"gatehouse"}
	if bad, ok := errors.AsType[*kong.ParseError](err); ok {
		for _, p := range bad.Context.Path {
			if p.Command != nil {
				words = append(words, p.Command.Name)
			}
		}
	}
	return strings.Join(append(words, "--help"), " ")
}

// run is the program without its process: arguments in, exit code out.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the first signal ends in good order, the second one at once
	var cli commandLine
	exited := -1
	parser, err := kong.New(&cli,
		kong.Name("gatehouse"),
		kong.Description(description),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.Configuration(func(r io.Reader) (kong.Resolver, error) { return yamlFlags(r) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "gatehouse:", err)
		return exitFailed
	}
	if len(args) == 0 { // nothing was asked: the help is an answer, but not a success
		parser.Stdout = stderr
		args, stdout = []string{"--help"}, io.Discard
	}
	kctx, err := parser.Parse(numbersAreText(args))
	if exited >= 0 { // --help printed its text
		if stdout == io.Discard {
			return exitFailed
		}
		return exited
	}
	if err != nil {
		fmt.Fprintln(stderr, "gatehouse:", err)
		fmt.Fprintln(stderr, "hint:", helpOf(err))
		return exitFailed
	}
	if (cli.Output == "table" || cli.Output == "csv") && !strings.HasPrefix(kctx.Command(), "logs query") {
		fmt.Fprintf(stderr, "gatehouse: --output %s is only for gatehouse logs query\n", cli.Output)
		return exitFailed
	}
	if cli.Output == "junit" && kctx.Command() != "diagnose" {
		fmt.Fprintln(stderr, "gatehouse: --output junit is only for gatehouse diagnose")
		return exitFailed
	}
	err = kctx.Run(&app{Ctx: ctx, Stdin: stdin, Stdout: stdout, Stderr: stderr, Output: cli.Output})
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errProblem):
		return exitProblem
	}
	fmt.Fprintln(stderr, "gatehouse:", err)
	if hinted, ok := errors.AsType[*hintError](err); ok {
		fmt.Fprintln(stderr, "hint:", hinted.hint)
	}
	return exitFailed
}
