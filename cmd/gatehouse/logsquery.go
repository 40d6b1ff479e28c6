package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdklogs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"golang.org/x/term"
)

// logsQueryCmd runs a Logs Insights query.
type logsQueryCmd struct {
	serverFlags
	Query string   `arg:"" help:"Query in the language of CloudWatch Logs Insights."`
	Group []string `help:"Log groups; default AWSIotLogsV2, that of the devices." default:"AWSIotLogsV2"`
	Since span     `help:"How far back the query looks, such as 30m or 7d." default:"1h"`
	Limit int32    `help:"Rows at most, of a query without limit." default:"10000"`
}

// Help is the example that `gatehouse logs query --help` ends with.
func (c *logsQueryCmd) Help() string {
	return `Examples:

  gatehouse logs query 'filter status = "Failure" | stats count(*) as n by clientId, reason | sort n desc'
  gatehouse logs query 'fields @timestamp, eventType, clientId | limit 20' --since 24h -o csv
  gatehouse logs query 'stats count(*) by bin(5m)' --group /aws/lambda/my-authorizer -o json

Exit code 0: the query ran; 1: it is malformed; 2: it could not run.`
}

const (
	queryPoll     = 50 * time.Millisecond
	progressAfter = 2 * time.Second
)

func (c *logsQueryCmd) Run(a *app) error {
	gw, err := c.connect(a.Ctx)
	if err != nil {
		return err
	}
	client := gw.logs()
	now := time.Now()
	started, err := client.StartQuery(a.Ctx, &sdklogs.StartQueryInput{
		LogGroupNames: c.Group, QueryString: &c.Query, StartTime: aws.Int64(now.Add(-time.Duration(c.Since)).Unix()), EndTime: aws.Int64(now.Unix()), Limit: &c.Limit,
	})
	if bad, ok := errors.AsType[*types.MalformedQueryException](err); ok {
		c.point(a.Stderr, bad)
		return errProblem
	} else if err != nil {
		return noGroup(apiFailure("start the query", err), strings.Join(c.Group, ", "))
	}
	rows, err := c.wait(a, client, started.QueryId, now)
	if err != nil {
		return err
	}
	switch a.Output {
	case "json":
		return rowsJSON(a.Stdout, rows)
	case "csv":
		return rowsCSV(a.Stdout, rows)
	}
	return rowsTable(a.Stdout, rows)
}

// point shows where a query is malformed.
func (c *logsQueryCmd) point(w io.Writer, bad *types.MalformedQueryException) {
	fmt.Fprintln(w, "gatehouse:", bad.ErrorMessage())
	if bad.QueryCompileError == nil || bad.QueryCompileError.Location == nil {
		return
	}
	runes := []rune(c.Query)
	from := min(int(aws.ToInt32(bad.QueryCompileError.Location.StartCharOffset)), len(runes))
	to := max(from+1, int(aws.ToInt32(bad.QueryCompileError.Location.EndCharOffset)))
	start := strings.LastIndexByte(string(runes[:from]), '\n') + 1
	column := len([]rune(string(runes[:from])[start:]))
	line, _, _ := strings.Cut(string(runes[:from])[start:]+string(runes[from:]), "\n")
	marks := min(to-from, max(1, len([]rune(line))-column))
	fmt.Fprintf(w, "\n  %s\n  %s%s\n", line, strings.Repeat(" ", column), strings.Repeat("^", marks))
}

// wait polls the query until it ends, and pages through its rows. An
// interruption stops the query.
func (c *logsQueryCmd) wait(a *app, client *sdklogs.Client, id *string, began time.Time) ([][]types.ResultField, error) {
	var rows [][]types.ResultField
	var token *string
	f, isFile := a.Stderr.(*os.File)
	live := isFile && term.IsTerminal(int(f.Fd()))
	shown := false
	for {
		out, err := client.GetQueryResults(a.Ctx, &sdklogs.GetQueryResultsInput{QueryId: id, NextToken: token})
		if err != nil {
			return nil, err
		}
		switch out.Status {
		case types.QueryStatusScheduled, types.QueryStatusRunning:
			if live && time.Since(began) > progressAfter && out.Statistics != nil {
				shown = true
				fmt.Fprintf(a.Stderr, "\r%d events read, %d match, %.0f MB", int64(out.Statistics.RecordsScanned), int64(out.Statistics.RecordsMatched), out.Statistics.BytesScanned/1e6)
			}
			if err := pause(a.Ctx, queryPoll); err != nil {
				c.stop(client, id)
				return nil, err
			}
			continue
		case types.QueryStatusComplete:
		default:
			return nil, fmt.Errorf("the query ended with status %s; the server's log says more", out.Status)
		}
		rows = append(rows, out.Results...)
		if token = out.NextToken; token == nil {
			if shown {
				fmt.Fprintln(a.Stderr)
			}
			return rows, nil
		}
	}
}

// stop ends a query that nobody waits for any more.
func (c *logsQueryCmd) stop(client *sdklogs.Client, id *string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = client.StopQuery(ctx, &sdklogs.StopQueryInput{QueryId: id}) // it may have ended meanwhile
}

// columnsOf are the fields of all rows, in the order in which they come, without @ptr.
func columnsOf(rows [][]types.ResultField) []string {
	var columns []string
	known := map[string]bool{"@ptr": true}
	for _, row := range rows {
		for i, cell := range row {
			if name := *cell.Field; !known[name] {
				known[name] = true
				at := len(columns) // a cell that earlier rows lacked stands after the one before it
				if i > 0 {
					for k, c := range columns {
						if c == *row[i-1].Field {
							at = k + 1
						}
					}
				} else {
					at = 0
				}
				columns = append(columns[:at], append([]string{name}, columns[at:]...)...)
			}
		}
	}
	return columns
}

func cellsOf(row []types.ResultField, columns []string) []string {
	values := map[string]string{}
	for _, cell := range row {
		values[*cell.Field] = aws.ToString(cell.Value)
	}
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = values[c]
	}
	return out
}

// rowsJSON writes a list of objects; a field without a value is left out.
func rowsJSON(w io.Writer, rows [][]types.ResultField) error {
	list := make([]map[string]string, len(rows))
	for i, row := range rows {
		list[i] = map[string]string{}
		for _, cell := range row {
			list[i][*cell.Field] = aws.ToString(cell.Value)
		}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(list)
}

func rowsCSV(w io.Writer, rows [][]types.ResultField) error {
	columns := columnsOf(rows)
	if len(columns) == 0 {
		return nil
	}
	out := csv.NewWriter(w)
	if err := out.Write(columns); err != nil {
		return err
	}
	for _, row := range rows {
		if err := out.Write(cellsOf(row, columns)); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func rowsTable(w io.Writer, rows [][]types.ResultField) error {
	columns := columnsOf(rows)
	if len(columns) == 0 {
		_, err := fmt.Fprintln(w, "no rows")
		return err
	}
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, strings.Join(columns, "\t"))
	for _, row := range rows {
		cells := cellsOf(row, columns)
		for i := range cells {
			cells[i] = printable(strings.ReplaceAll(strings.TrimRight(cells[i], "\n"), "\t", " "))
		}
		fmt.Fprintln(tab, strings.Join(cells, "\t"))
	}
	return tab.Flush()
}
