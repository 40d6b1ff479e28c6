package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	sdklogs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/gatehouse-iot/gatehouse/internal/layout"
)

// logsTailCmd prints log events as they come.
type logsTailCmd struct {
	serverFlags
	Group  string `arg:"" optional:"" help:"Log group; default AWSIotLogsV2, that of the devices." default:"AWSIotLogsV2"`
	Filter string `help:"CloudWatch Logs filter pattern, such as '{ $.status = \"Failure\" }'." placeholder:"PATTERN"`
	Since  span   `help:"Begin with the events of this time before now, such as 10m or 2d." default:"0s"`
}

// Help is the example that `gatehouse logs tail --help` ends with.
func (c *logsTailCmd) Help() string {
	return `Examples:

  gatehouse logs tail
  gatehouse logs tail --filter '{ $.status = "Failure" }' --since 10m
  gatehouse logs tail /aws/lambda/my-authorizer -o json

It goes on when the server restarts, and misses nothing meanwhile. Interrupt it to end it.`
}

const (
	logsEvery   = 500 * time.Millisecond
	tailOverlap = 10 * time.Second // events may be written this long after their time
)

func (c *logsTailCmd) Run(a *app) error {
	t := &tail{cmd: c, app: a, paint: paintFor(a), seen: map[string]int64{}, from: time.Now().Add(-time.Duration(c.Since)).UnixMilli()}
	for {
		gw, err := c.connect(a.Ctx)
		if err == nil {
			err = t.follow(a.Ctx, gw.logs())
		}
		switch {
		case a.Ctx.Err() != nil:
			return nil // interrupted: that is how it ends
		case err != nil && (!t.connected || isCode(err, "InvalidParameterException") || isCode(err, "AccessDeniedException")):
			return c.refused(err)
		case !t.away:
			t.away = true
			fmt.Fprintln(a.Stderr, "gatehouse: the server went away; waiting for it to come back")
		}
		if pause(a.Ctx, logsEvery) != nil {
			return nil
		}
	}
}

// refused says why the API does not answer.
func (c *logsTailCmd) refused(err error) error {
	switch {
	case isCode(err, "InvalidParameterException") && c.Filter != "":
		return withHint(apiFailure("--filter "+shellQuote(c.Filter), err), `words, or conditions on members such as '{ $.status = "Failure" && $.clientId = "c*" }'`)
	case isCode(err, "AccessDeniedException"), isCode(err, "InvalidParameterException"):
		return apiFailure("read the log group "+c.Group, err)
	}
	return err
}

// tail is what is known of the events so far.
type tail struct {
	cmd       *logsTailCmd
	app       *app
	paint     layout.Paint
	from      int64            // epoch ms: nothing older is asked for
	latest    int64            // time of the latest event that was printed
	seen      map[string]int64 // IDs of events that were printed, with their times
	connected bool             // the server has answered
	away      bool             // and then no more
	waiting   bool             // said that the group is not there yet
}

// follow prints events until ctx ends or the server does not answer.
func (t *tail) follow(ctx context.Context, client *sdklogs.Client) error {
	for {
		err := t.page(ctx, client)
		if isCode(err, "ResourceNotFoundException") {
			if !t.waiting {
				t.waiting = true
				fmt.Fprintf(t.app.Stderr, "gatehouse: waiting for the first event of %s\n", t.cmd.Group)
			}
			err = nil
		}
		if err != nil {
			return err
		}
		t.connected, t.away = true, false
		if err := pause(ctx, logsEvery); err != nil {
			return err
		}
	}
}

// page prints what came since the last page.
func (t *tail) page(ctx context.Context, client *sdklogs.Client) error {
	in := &sdklogs.FilterLogEventsInput{LogGroupName: &t.cmd.Group, StartTime: &t.from}
	if t.cmd.Filter != "" {
		in.FilterPattern = &t.cmd.Filter
	}
	pages := sdklogs.NewFilterLogEventsPaginator(client, in)
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, e := range out.Events {
			if _, printed := t.seen[*e.EventId]; printed {
				continue
			}
			t.seen[*e.EventId] = *e.Timestamp
			t.latest = max(t.latest, *e.Timestamp)
			t.print(e)
		}
	}
	t.from = max(t.from, t.latest-tailOverlap.Milliseconds())
	for id, ms := range t.seen {
		if ms < t.from {
			delete(t.seen, id)
		}
	}
	return nil
}

// entry is what is shown of a device's log event.
type entry struct {
	LogLevel, EventType, Status, ClientID, TopicName, SourceIP, Reason, Details, DisconnectReason string

	Gatehouse struct{ Check, Cause string }
}

func (t *tail) print(e types.FilteredLogEvent) {
	if t.app.Output == "json" {
		raw, err := json.Marshal(map[string]any{"timestamp": *e.Timestamp, "logStreamName": *e.LogStreamName, "eventId": *e.EventId, "message": *e.Message})
		if err == nil {
			fmt.Fprintln(t.app.Stdout, string(raw))
		}
		return
	}
	fmt.Fprintln(t.app.Stdout, t.line(*e.Timestamp, *e.Message))
}

// line is an event for people: a device's in columns, coloured by its outcome,
// any other as it is.
func (t *tail) line(ms int64, message string) string {
	at := painted(t.paint.Faint, time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05.000"))
	var e entry
	if json.Unmarshal([]byte(message), &e) != nil || e.EventType == "" {
		return at + " " + printable(strings.TrimRight(message, "\r\n"))
	}
	paint := t.paint.Good
	switch {
	case e.Status == "Failure":
		paint = t.paint.Bad
	case e.LogLevel == "WARN":
		paint = t.paint.Doubt
	}
	parts := []string{at, fmt.Sprintf("%-5s", printable(e.LogLevel)), painted(paint, printable(e.EventType+" "+e.Status))}
	for _, f := range []struct{ name, value string }{
		{"client", e.ClientID}, {"topic", e.TopicName}, {"from", e.SourceIP}, {"reason", e.Reason}, {"disconnect", e.DisconnectReason}, {"check", e.Gatehouse.Check},
	} {
		if f.value != "" {
			parts = append(parts, f.name+"="+printable(f.value))
		}
	}
	if why := cmp.Or(e.Gatehouse.Cause, e.Details); why != "" { // ours says more
		parts = append(parts, printable(why))
	}
	return strings.Join(parts, " ")
}

// painted is s in colour, unless nobody wants colours.
func painted(paint func(string) string, s string) string {
	if paint == nil {
		return s
	}
	return paint(s)
}

// printable takes control characters out of what a device sent: it must not
// write to somebody's terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\ufffd'
		}
		return r
	}, s)
}
