package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/gatehouse-iot/gatehouse/internal/server"
)

// logsLevelCmd sets how much of device traffic is logged.
type logsLevelCmd struct {
	Set    logsLevelSetCmd    `cmd:"" help:"Set a log level, for good or for a limited time."`
	List   logsLevelListCmd   `cmd:"" help:"List the log levels that are in force."`
	Delete logsLevelDeleteCmd `cmd:"" help:"Take a log level away, or end a temporary one."`
}

// Help is the example that `gatehouse logs level --help` ends with.
func (c *logsLevelCmd) Help() string {
	return `Examples:

  gatehouse logs level set DEBUG --client-id boiler-12 --for 30m
  gatehouse logs level set INFO
  gatehouse logs level list`
}

// targetFlags choose what a level belongs to: at most one is given.
type targetFlags struct {
	ClientID    string `help:"The client with this ID." xor:"target" placeholder:"ID"`
	ThingGroup  string `help:"The things in this group and its descendants." xor:"target" placeholder:"NAME"`
	SourceIP    string `help:"Devices that come from this address." xor:"target" placeholder:"IP"`
	PrincipalID string `help:"A certificate ID, or what an authorizer returned." xor:"target" placeholder:"ID"`
}

// target returns the type and the name; DEFAULT is the account.
func (f *targetFlags) target() (kind types.LogTargetType, name string) {
	switch {
	case f.ClientID != "":
		return types.LogTargetTypeClientId, f.ClientID
	case f.ThingGroup != "":
		return types.LogTargetTypeThingGroup, f.ThingGroup
	case f.SourceIP != "":
		return types.LogTargetTypeSourceIp, f.SourceIP
	case f.PrincipalID != "":
		return types.LogTargetTypePrincipalId, f.PrincipalID
	}
	return types.LogTargetTypeDefault, ""
}

// targetWords names a target for people.
func targetWords(kind, name string) string {
	if kind == string(types.LogTargetTypeDefault) {
		return "all devices"
	}
	return strings.ToLower(strings.ReplaceAll(kind, "_", " ")) + " " + name
}

type logsLevelSetCmd struct {
	serverFlags
	targetFlags
	Level string `arg:"" help:"DEBUG, INFO, WARN, ERROR or DISABLED." enum:"DEBUG,INFO,WARN,ERROR,DISABLED,debug,info,warn,error,disabled"`
	For   *span  `help:"How long; then the level before is in force again, also over a restart. Default: for good." placeholder:"30m"`
}

// Help is the example that `gatehouse logs level set --help` ends with.
func (c *logsLevelSetCmd) Help() string {
	return `Examples:

  gatehouse logs level set DEBUG --client-id boiler-12 --for 30m
  gatehouse logs level set WARN --thing-group plant
  gatehouse logs level set INFO`
}

func (c *logsLevelSetCmd) Run(a *app) error {
	if c.For != nil && *c.For == 0 {
		return withHint(errors.New("--for 0 would be over at once"), "--for 30m, or leave it out for a level that lasts")
	}
	gw, err := c.connect(a.Ctx)
	if err != nil {
		return err
	}
	kind, name := c.target()
	level := strings.ToUpper(c.Level)
	set := server.LogLevel{TargetType: string(kind), TargetName: name, Level: level}
	if c.For != nil {
		set.Seconds = time.Duration(*c.For).Seconds()
		body, err := json.Marshal(set)
		if err != nil {
			return err
		}
		raw, err := gw.do(a.Ctx, http.MethodPut, server.LogLevelsPath, body)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(raw, &set); err != nil {
			return err
		}
	} else if err := c.setForGood(a, gw, kind, name, types.LogLevel(level)); err != nil {
		return apiFailure("set the level of "+targetWords(string(kind), name), err)
	}
	if a.Output == "json" {
		return json.NewEncoder(a.Stdout).Encode(set)
	}
	until := ""
	if set.ExpiresAt != nil {
		until = " until " + set.ExpiresAt.Local().Format(time.DateTime)
	}
	fmt.Fprintf(a.Stdout, "%s: %s%s\n", targetWords(string(kind), name), level, until)
	if level == "DEBUG" && c.For == nil {
		fmt.Fprintln(a.Stderr, "hint: DEBUG logs every message and ping; do not leave it on. --for 30m resets it by itself")
	}
	return nil
}

// setForGood uses AWS's API. Where logging was never configured, it is first: so
// that what was in force without options stays so.
func (c *logsLevelSetCmd) setForGood(a *app, gw *gatehouse, kind types.LogTargetType, name string, level types.LogLevel) error {
	client := gw.iot()
	target := &types.LogTarget{TargetType: kind}
	if name != "" {
		target.TargetName = &name
	}
	_, err := client.SetV2LoggingLevel(a.Ctx, &iot.SetV2LoggingLevelInput{LogTarget: target, LogLevel: level})
	if _, never := errors.AsType[*types.NotConfiguredException](err); !never {
		return err
	}
	raw, err := gw.Get(a.Ctx, "/gatehouse/v1/server")
	if err != nil {
		return err
	}
	var about server.About
	if err := json.Unmarshal(raw, &about); err != nil {
		return err
	}
	role, event := "arn:aws:iam::"+about.AccountID+":role/gatehouse-logging", "Connection.AuthNError"
	if _, err := client.SetV2LoggingOptions(a.Ctx, &iot.SetV2LoggingOptionsInput{
		RoleArn: &role, DefaultLogLevel: types.LogLevelError,
		EventConfigurations: []types.LogEventConfiguration{{EventType: &event, LogLevel: types.LogLevelError}},
	}); err != nil {
		return err
	}
	_, err = client.SetV2LoggingLevel(a.Ctx, &iot.SetV2LoggingLevelInput{LogTarget: target, LogLevel: level})
	return err
}

type logsLevelListCmd struct{ serverFlags }

// Help is the example that `gatehouse logs level list --help` ends with.
func (c *logsLevelListCmd) Help() string {
	return `Examples:

  gatehouse logs level list
  gatehouse logs level list -o json`
}

func (c *logsLevelListCmd) Run(a *app) error {
	gw, err := c.connect(a.Ctx)
	if err != nil {
		return err
	}
	raw, err := gw.Get(a.Ctx, server.LogLevelsPath)
	if err != nil {
		return err
	}
	if a.Output == "json" {
		_, err := a.Stdout.Write(raw)
		return err
	}
	var list server.LogLevels
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	tab := tabwriter.NewWriter(a.Stdout, 0, 0, 2, ' ', 0)
	if !list.Configured {
		fmt.Fprintln(tab, "all devices\tERROR\tnot configured: failures are logged")
	}
	slices.SortStableFunc(list.Levels, func(a, b server.LogLevel) int { // a temporary one stands below the lasting one of its target
		return cmp.Or(cmp.Compare(min(len(a.TargetName), 1), min(len(b.TargetName), 1)), cmp.Compare(a.TargetType, b.TargetType), cmp.Compare(a.TargetName, b.TargetName))
	})
	for _, l := range list.Levels {
		until := "lasting"
		if l.ExpiresAt != nil {
			until = "until " + l.ExpiresAt.Local().Format(time.DateTime)
		}
		if list.DisableAll {
			until += ", but all logs are disabled"
		}
		fmt.Fprintf(tab, "%s\t%s\t%s\n", targetWords(l.TargetType, l.TargetName), l.Level, until)
	}
	return tab.Flush()
}

type logsLevelDeleteCmd struct {
	serverFlags
	targetFlags
}

// Help is the example that `gatehouse logs level delete --help` ends with.
func (c *logsLevelDeleteCmd) Help() string {
	return `Examples:

  gatehouse logs level delete --client-id boiler-12
  gatehouse logs level delete

Without a target it ends the temporary level of all devices; their lasting level is set, not deleted.`
}

func (c *logsLevelDeleteCmd) Run(a *app) error {
	gw, err := c.connect(a.Ctx)
	if err != nil {
		return err
	}
	kind, name := c.target()
	if kind == types.LogTargetTypeDefault {
		_, err = gw.do(a.Ctx, http.MethodDelete, server.LogLevelsPath+"?"+url.Values{"targetType": {string(kind)}}.Encode(), nil)
	} else {
		_, err = gw.iot().DeleteV2LoggingLevel(a.Ctx, &iot.DeleteV2LoggingLevelInput{TargetType: kind, TargetName: &name})
	}
	what := "a level"
	if kind == types.LogTargetTypeDefault {
		what = "a temporary level"
	}
	switch {
	case err != nil:
		return apiFailure("delete the level of "+targetWords(string(kind), name), err)
	case a.Output != "json":
		fmt.Fprintf(a.Stdout, "%s: without %s of its own from now on\n", targetWords(string(kind), name), what)
	}
	return nil
}
