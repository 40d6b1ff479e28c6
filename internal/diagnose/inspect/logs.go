package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/diagnose/probe"
)

// logging reads whether the account logs at all.
func (l *look) logging(ctx context.Context) []probe.Result {
	out, err := ask(ctx, l.iot.GetV2LoggingOptions, &iot.GetV2LoggingOptionsInput{})
	switch {
	case code(err) == "NotConfiguredException":
		if _, ok := l.server(); ok { // it logs failures until it is told what to log
			return []probe.Result{result(check.AccountLoggingOff, probe.Pass, attempt.F("status", string(types.LogLevelError)))}
		}
		return []probe.Result{result(check.AccountLoggingOff, probe.Warn, attempt.F("status", "not configured"))}
	case err != nil:
		return []probe.Result{l.unseen("iot:GetV2LoggingOptions", err)}
	case out.DisableAllLogs || out.DefaultLogLevel == types.LogLevelDisabled:
		return []probe.Result{result(check.AccountLoggingOff, probe.Warn, attempt.F("status", "DISABLED"))}
	}
	return []probe.Result{result(check.AccountLoggingOff, probe.Pass, attempt.F("status", string(out.DefaultLogLevel)))}
}

// The query for failures of a device.
const (
	logGroup  = "AWSIotLogsV2"
	logPeriod = time.Hour
	logLines  = 10
	logPoll   = 100 * time.Millisecond // between two looks at a query that runs
)

// log asks Logs Insights for the latest failures of the device.
func (l *look) log(ctx context.Context) []probe.Result {
	query := l.device.logQuery()
	if query == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	before := l.device.Since.Add(-time.Second) // what the probe itself ran into is known
	if l.device.Since.IsZero() {
		before = time.Now()
	}
	started, err := l.logs.StartQuery(ctx, &logs.StartQueryInput{
		LogGroupName: aws.String(logGroup), QueryString: &query, StartTime: aws.Int64(before.Add(-logPeriod).Unix()), EndTime: aws.Int64(before.Unix()), Limit: aws.Int32(logLines),
	})
	// The query itself is well-formed: what AWS calls malformed is a range before the group was there.
	if _, early := errors.AsType[*logtypes.MalformedQueryException](err); early || absent(err) {
		return nil // nothing was logged: what logging says of itself is enough
	} else if err != nil {
		return []probe.Result{l.unseen("logs:StartQuery", err)}
	}
	for {
		out, err := l.logs.GetQueryResults(ctx, &logs.GetQueryResultsInput{QueryId: started.QueryId})
		if err != nil {
			return []probe.Result{l.unseen("logs:GetQueryResults", err)}
		}
		switch out.Status {
		case logtypes.QueryStatusComplete:
			return l.logged(out.Results)
		case logtypes.QueryStatusRunning, logtypes.QueryStatusScheduled:
		default:
			return []probe.Result{result(check.AccountNotAnswered, probe.Unknown, attempt.F("action", "logs:StartQuery"), attempt.F("error", "the query is "+string(out.Status)))}
		}
		select {
		case <-ctx.Done():
			return []probe.Result{l.unseen("logs:GetQueryResults", ctx.Err())}
		case <-time.After(logPoll):
		}
	}
}

// logQuery asks for failures of the device's client ID or certificate.
func (d *Device) logQuery() string {
	var who []string
	for _, field := range []struct{ name, value string }{{"clientId", d.ClientID}, {"principalId", d.Fingerprint}} {
		if field.value != "" {
			text, err := json.Marshal(field.value)
			if err != nil {
				return "" // strings always encode
			}
			who = append(who, field.name+" = "+string(text))
		}
	}
	if len(who) == 0 {
		return ""
	}
	return `fields @timestamp, eventType, status, reason, clientId | filter status = "Failure" and (` + strings.Join(who, " or ") + `) | sort @timestamp desc | limit ` + strconv.Itoa(logLines)
}

// logged reads the answer of the query.
func (l *look) logged(rows [][]logtypes.ResultField) []probe.Result {
	for _, row := range rows {
		var line LogLine
		into := map[string]*string{"@timestamp": &line.Time, "eventType": &line.Event, "status": &line.Status, "reason": &line.Reason, "clientId": &line.ClientID}
		for _, f := range row {
			if p := into[aws.ToString(f.Field)]; p != nil {
				*p = check.Visible(aws.ToString(f.Value))
			}
		}
		l.report.Log = append(l.report.Log, line)
	}
	if len(l.report.Log) == 0 {
		return nil
	}
	latest := l.report.Log[0]
	reason := strings.TrimSpace(latest.Event + " " + latest.Reason)
	count := strconv.Itoa(len(l.report.Log))
	if len(l.report.Log) == logLines {
		count += " or more"
	}
	return []probe.Result{result(check.AccountLoggedFailure, probe.Warn, attempt.F("count", count), attempt.F("period", hours(logPeriod)), attempt.F("reason", reason))}
}

// hours words a time of whole hours.
func hours(d time.Duration) string {
	if d == time.Hour {
		return "1 hour"
	}
	return fmt.Sprintf("%d hours", d/time.Hour)
}
