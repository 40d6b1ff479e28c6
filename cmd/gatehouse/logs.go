package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	sdklogs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/smithy-go"
)

// logsCmd reads device logs and function logs.
type logsCmd struct {
	Tail  logsTailCmd  `cmd:"" help:"Print log events as they come."`
	Query logsQueryCmd `cmd:"" help:"Run a Logs Insights query."`
	Level logsLevelCmd `cmd:"" help:"Set how much of device traffic is logged."`
}

// Help is the example that `gatehouse logs --help` ends with.
func (c *logsCmd) Help() string {
	return `Examples:

  gatehouse logs tail
  gatehouse logs query 'filter status = "Failure" | stats count(*) as n by clientId, reason'
  gatehouse logs level set DEBUG --client-id boiler-12 --for 30m`
}

// deviceLogs is the log group of device traffic.
const deviceLogs = "AWSIotLogsV2"

// logs is a client of CloudWatch Logs of this Gatehouse.
func (g *gatehouse) logs() *sdklogs.Client {
	return sdklogs.New(sdklogs.Options{Region: g.region, Credentials: g.credentials, BaseEndpoint: &g.apiURL, HTTPClient: g.http})
}

// isCode reports whether err is an AWS exception of that name.
func isCode(err error, code string) bool {
	e, ok := errors.AsType[smithy.APIError](err)
	return ok && e.ErrorCode() == code
}

// noGroup explains that a log group is not there.
func noGroup(err error, group string) error {
	if !isCode(err, "ResourceNotFoundException") {
		return err
	}
	if group == deviceLogs {
		return withHint(fmt.Errorf("the log group %s is not there: no device log event was written yet", group),
			"turn logging on with: aws iot set-v2-logging-options --role-arn arn:aws:iam::123456789012:role/logs --default-log-level INFO")
	}
	return withHint(fmt.Errorf("the log group %s is not there", group), "aws logs describe-log-groups lists those there are")
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
