package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// functionCmd works on Lambda functions of the running Gatehouse.
type functionCmd struct {
	Run functionRunCmd `cmd:"" help:"Deploy a folder as a function, redeploy it when a file changes, and show its log until Ctrl-C."`
}

// Help is the example that `gatehouse function --help` ends with.
func (c *functionCmd) Help() string {
	return `Example:

  gatehouse function run ./authorizer`
}

// functionRunCmd is the loop of whoever writes a function: save, and it is deployed.
type functionRunCmd struct {
	serverFlags
	Dir     string            `arg:"" help:"Folder of the function." type:"existingdir"`
	Name    string            `help:"Name of the function. Default: the folder's."`
	Runtime string            `help:"Runtime, such as nodejs20.x. Default: what the folder looks like."`
	Handler string            `help:"Handler, such as index.handler. Default: what the folder looks like."`
	Timeout int               `help:"Seconds after which an invocation is ended." default:"3"`
	Memory  int               `help:"Memory size in MB." default:"128"`
	Env     map[string]string `help:"Environment variable of the function. Repeat for more." placeholder:"KEY=VALUE"`
	Once    bool              `help:"Deploy once and leave."`
}

// Help is the example that `gatehouse function run --help` ends with.
func (c *functionRunCmd) Help() string {
	return `Examples:

  gatehouse function run ./authorizer
  gatehouse function run ./authorizer --name auth --env TABLE=devices --once

A folder with index.mjs, index.js or index.cjs is a Node function (handler index.handler), one with
lambda_function.py a Python function (lambda_function.lambda_handler), one with an executable bootstrap a function
of the runtime provided.al2023, and one with go.mod is built with the go command first.`
}

// source is what a folder looks like.
type source struct {
	runtime, handler string
	build            bool // with go
}

// detect tells what the folder is from the files at its root.
func detect(dir string) (source, error) {
	has := func(name string) bool {
		info, err := os.Stat(filepath.Join(dir, name))
		return err == nil && info.Mode().IsRegular()
	}
	switch {
	case has("bootstrap"):
		return source{runtime: "provided.al2023", handler: "bootstrap"}, nil
	case has("go.mod"):
		return source{runtime: "provided.al2023", handler: "bootstrap", build: true}, nil
	case has("index.mjs"), has("index.js"), has("index.cjs"):
		return source{runtime: "nodejs22.x", handler: "index.handler"}, nil
	case has("lambda_function.py"):
		return source{runtime: "python3.13", handler: "lambda_function.lambda_handler"}, nil
	}
	return source{}, withHint(fmt.Errorf("%s holds none of index.mjs, index.js, lambda_function.py, bootstrap and go.mod", dir),
		"say what it is, for example: --runtime nodejs22.x --handler auth.handler")
}

var functionNameForm = regexp.MustCompile(`^[a-zA-Z0-9-_]{1,64}$`)

// Run deploys, watches and tails.
func (c *functionRunCmd) Run(a *app) error {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	if c.Name == "" {
		c.Name = filepath.Base(dir)
	}
	if !functionNameForm.MatchString(c.Name) {
		return withHint(fmt.Errorf("%q is no name of a function: 1 to 64 letters, digits, hyphens and underscores", c.Name), "choose one with --name NAME")
	}
	src := source{runtime: c.Runtime, handler: c.Handler}
	if c.Runtime == "" || c.Handler == "" {
		if src, err = detect(dir); err != nil {
			return err
		}
		if c.Runtime != "" {
			src.runtime = c.Runtime
		}
		if c.Handler != "" {
			src.handler = c.Handler
		}
	}
	gw, err := c.connect(a.Ctx)
	if err != nil {
		return err
	}
	state, err := folderState(dir)
	if err != nil {
		return err
	}
	if err := c.deploy(a, gw, dir, src); err != nil {
		return err
	}
	if c.Once {
		return nil
	}
	return c.follow(a, gw, dir, src, state)
}

// deployed is what the Lambda API answers, and `function run -o json` prints.
type deployed struct {
	FunctionName string
	FunctionArn  string
	Runtime      string
	Handler      string
	CodeSize     int64
}

// deploy makes the function, or changes it.
func (c *functionRunCmd) deploy(a *app, gw *gatehouse, dir string, src source) error {
	began := time.Now()
	raw, err := packFolder(a.Ctx, a.Stderr, dir, src.build)
	if err != nil {
		return err
	}
	settings := map[string]any{
		"Runtime": src.runtime, "Handler": src.handler, "Timeout": c.Timeout, "MemorySize": c.Memory, "Environment": map[string]any{"Variables": c.Env},
	}
	var out deployed
	path := "/2015-03-31/functions/" + url.PathEscape(c.Name)
	err = lambda(a.Ctx, gw, http.MethodPut, path+"/configuration", settings, &out)
	if refused, ok := errors.AsType[*apiError](err); ok && refused.Status == http.StatusNotFound {
		settings["FunctionName"], settings["Role"] = c.Name, "arn:aws:iam::000000000000:role/gatehouse"
		settings["Code"] = map[string]any{"ZipFile": raw}
		err = lambda(a.Ctx, gw, http.MethodPost, "/2015-03-31/functions", settings, &out)
	} else if err == nil {
		err = lambda(a.Ctx, gw, http.MethodPut, path+"/code", map[string]any{"ZipFile": raw}, &out)
	}
	if err != nil {
		return fmt.Errorf("deploy %s: %w", c.Name, err)
	}
	if a.Output == "json" {
		return json.NewEncoder(a.Stdout).Encode(out)
	}
	_, err = fmt.Fprintf(a.Stdout, "%s deployed %s (%s, %s, %d bytes, %d ms)\n",
		began.Format(time.TimeOnly), out.FunctionArn, out.Runtime, out.Handler, out.CodeSize, time.Since(began).Milliseconds())
	return err
}

// lambda calls the Lambda API.
func lambda(ctx context.Context, gw *gatehouse, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answer, err := gw.doAs(ctx, "lambda", method, path, body, http.Header{"Content-Type": {"application/json"}})
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

// How often the folder and the log are looked at.
const (
	scanEvery = 400 * time.Millisecond
	tailEvery = time.Second
)

// follow redeploys at a change and prints the function's log, until Ctrl-C.
func (c *functionRunCmd) follow(a *app, gw *gatehouse, dir string, src source, deployedState string) error {
	fmt.Fprintf(a.Stderr, "watching %s; Ctrl-C ends (the function stays)\n", dir)
	scan, look := time.NewTicker(scanEvery), time.NewTicker(tailEvery)
	defer scan.Stop()
	defer look.Stop()
	tail := logTail{group: "/aws/lambda/" + c.Name, since: time.Now().Add(-time.Second).UnixMilli()}
	last := deployedState
	for {
		select {
		case <-a.Ctx.Done():
			return nil
		case <-look.C:
			tail.print(a, gw)
		case <-scan.C:
			state, err := folderState(dir)
			if err != nil { // a file that goes while we look
				continue
			}
			settled := state == last // an editor may be in the middle of several writes
			last = state
			if !settled || state == deployedState {
				continue
			}
			deployedState = state
			if err := c.deploy(a, gw, dir, src); err != nil && a.Ctx.Err() == nil {
				fmt.Fprintln(a.Stderr, "gatehouse:", err) // the next save may mend it
			}
		}
	}
}

// logTail prints a log group's new events.
type logTail struct {
	group string
	since int64 // epoch milliseconds
	seen  map[string]bool
	off   bool
}

// print shows what came since the last time; a log that can't be read is said once.
func (t *logTail) print(a *app, gw *gatehouse) {
	if t.off {
		return
	}
	in, err := json.Marshal(map[string]any{"logGroupName": t.group, "startTime": t.since})
	if err != nil {
		return
	}
	header := http.Header{"X-Amz-Target": {"Logs_20140328.FilterLogEvents"}, "Content-Type": {"application/x-amz-json-1.1"}}
	answer, err := gw.doAs(a.Ctx, "logs", http.MethodPost, "/", in, header)
	if refused, ok := errors.AsType[*apiError](err); ok && strings.HasPrefix(refused.Code, "ResourceNotFoundException") || a.Ctx.Err() != nil {
		return // nothing has run yet
	} else if err != nil {
		t.off = true
		fmt.Fprintln(a.Stderr, "gatehouse: the log is not shown:", err)
		return
	}
	var out struct {
		Events []struct {
			EventID   string `json:"eventId"`
			Timestamp int64  `json:"timestamp"`
			Message   string `json:"message"`
		} `json:"events"`
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return
	}
	seen := map[string]bool{}
	for _, e := range out.Events {
		if !t.seen[e.EventID] {
			fmt.Fprintf(a.Stdout, "%s %s\n", time.UnixMilli(e.Timestamp).Format("15:04:05.000"), strings.ReplaceAll(strings.TrimRight(e.Message, "\r\n"), "\r", "\n  "))
		}
		if t.since = max(t.since, e.Timestamp); e.Timestamp == t.since {
			seen[e.EventID] = true
		}
	}
	if len(seen) > 0 {
		t.seen = seen
	}
}
