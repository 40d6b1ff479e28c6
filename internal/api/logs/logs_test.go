package logs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/logs"
)

// keys knows one access key.
type keys struct{}

func (keys) Lookup(_ context.Context, id string) (api.Credential, bool, error) {
	return api.Credential{SecretAccessKey: "secret", Account: "123456789012", ARN: "arn:aws:iam::123456789012:root"}, id == "AKIAEXAMPLE", nil
}

// world is a store behind the API, and the SDK's client before it.
func world(t *testing.T) (*logs.Store, *sdk.Client) {
	t.Helper()
	store, err := logs.Open(logs.Config{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h := New(Config{Store: store, Account: "123456789012", Region: "us-east-1"})
	srv, err := api.NewServer(api.Config{
		Services: []*api.Service{h.Service()}, Credentials: keys{}, Region: "us-east-1", Log: slog.New(slog.DiscardHandler),
		OnUnmodelled: func(service, op string, e *api.Error) {
			if e.Code != "InvalidParameterException" {
				t.Errorf("%s answers %v, which the model does not list", op, e)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	// The SDK closes a request's body as soon as an answer comes. Where that is before net/http has seen the
	// body's end, it closes the connection under the answer: so nothing is answered within a few milliseconds.
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(5 * time.Millisecond)
		srv.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		h.EndTails()
		hs.Close()
		if err := errors.Join(h.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	client := sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: &hs.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""), RetryMaxAttempts: 1,
		APIOptions: []func(*middlewareStack) error{noHostPrefix},
	})
	return store, client
}

func ok[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// code is the error code that the SDK read.
func code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return fmt.Sprint(err)
}

func TestGroupsStreamsEvents(t *testing.T) {
	_, c := world(t)
	ctx := t.Context()
	for _, name := range []string{"/aws/lambda/b", "/aws/lambda/a", "AWSIotLogsV2"} {
		ok(c.CreateLogGroup(ctx, &sdk.CreateLogGroupInput{LogGroupName: &name}))(t)
	}
	g := aws.String("/aws/lambda/a")
	if _, err := c.CreateLogGroup(ctx, &sdk.CreateLogGroupInput{LogGroupName: g}); code(err) != "ResourceAlreadyExistsException" {
		t.Errorf("second creation: %v", err)
	}
	ok(c.PutRetentionPolicy(ctx, &sdk.PutRetentionPolicyInput{LogGroupName: g, RetentionInDays: aws.Int32(14)}))(t)
	if _, err := c.PutRetentionPolicy(ctx, &sdk.PutRetentionPolicyInput{LogGroupName: g, RetentionInDays: aws.Int32(2)}); code(err) != "InvalidParameterException" {
		t.Errorf("retention of 2 days: %v", err)
	}
	var names []string
	pages := sdk.NewDescribeLogGroupsPaginator(c, &sdk.DescribeLogGroupsInput{Limit: aws.Int32(2)})
	for pages.HasMorePages() {
		for _, lg := range ok(pages.NextPage(ctx))(t).LogGroups {
			names = append(names, *lg.LogGroupName)
			if *lg.LogGroupName == *g && (*lg.RetentionInDays != 14 || *lg.Arn != "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/a:*" || lg.LogGroupClass != "STANDARD") {
				t.Errorf("group %+v", lg)
			}
		}
	}
	if got := strings.Join(names, " "); got != "/aws/lambda/a /aws/lambda/b AWSIotLogsV2" {
		t.Errorf("groups %s", got)
	}
	if _, err := c.DescribeLogGroups(ctx, &sdk.DescribeLogGroupsInput{Limit: aws.Int32(51)}); err == nil || !strings.Contains(err.Error(), "Value '51' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50") {
		t.Errorf("limit 51: %v", err)
	}
	if out := ok(c.ListLogGroups(ctx, &sdk.ListLogGroupsInput{LogGroupNamePattern: aws.String("^/aws|IotLogs")}))(t); len(out.LogGroups) != 3 {
		t.Errorf("listed %d groups", len(out.LogGroups))
	}

	s := aws.String("2026/11/21/[$LATEST]1")
	if _, err := c.PutLogEvents(ctx, &sdk.PutLogEventsInput{LogGroupName: g, LogStreamName: s, LogEvents: []types.InputLogEvent{{Timestamp: aws.Int64(1), Message: aws.String("x")}}}); code(err) != "ResourceNotFoundException" {
		t.Errorf("put into no stream: %v", err)
	}
	ok(c.CreateLogStream(ctx, &sdk.CreateLogStreamInput{LogGroupName: g, LogStreamName: s}))(t)
	now := time.Now().UnixMilli()
	var events []types.InputLogEvent
	for i := range 100 {
		events = append(events, types.InputLogEvent{Timestamp: aws.Int64(now + int64(i/2)), Message: aws.String(fmt.Sprintf(`{"n":%d,"level":"%s"}`, i, []string{"INFO", "ERROR"}[i%2]))})
	}
	put := ok(c.PutLogEvents(ctx, &sdk.PutLogEventsInput{LogGroupName: g, LogStreamName: s, LogEvents: events}))(t)
	if put.NextSequenceToken == nil || put.RejectedLogEventsInfo != nil {
		t.Errorf("put answered %+v", put)
	}
	day := int64(24 * time.Hour / time.Millisecond)
	mixed := []types.InputLogEvent{{Timestamp: aws.Int64(now - 15*day), Message: aws.String("old")}, {Timestamp: aws.Int64(now - 15*day + 1), Message: aws.String("old")}}
	if r := ok(c.PutLogEvents(ctx, &sdk.PutLogEventsInput{LogGroupName: g, LogStreamName: s, LogEvents: mixed}))(t).RejectedLogEventsInfo; r == nil || aws.ToInt32(r.ExpiredLogEventEndIndex) != 2 {
		t.Errorf("events of 15 days ago: %+v", r)
	}
	unsorted := []types.InputLogEvent{events[5], events[0]}
	if _, err := c.PutLogEvents(ctx, &sdk.PutLogEventsInput{LogGroupName: g, LogStreamName: s, LogEvents: unsorted}); err == nil || !strings.Contains(err.Error(), "chronological order") {
		t.Errorf("unsorted: %v", err)
	}

	// Forward by sevens to the end, which the same token twice tells.
	var got []string
	in := &sdk.GetLogEventsInput{LogGroupName: g, LogStreamName: s, StartFromHead: aws.Bool(true), Limit: aws.Int32(7)}
	for {
		out := ok(c.GetLogEvents(ctx, in))(t)
		for _, e := range out.Events {
			got = append(got, *e.Message)
		}
		if in.NextToken != nil && *in.NextToken == *out.NextForwardToken {
			back := ok(c.GetLogEvents(ctx, &sdk.GetLogEventsInput{LogGroupName: g, LogStreamName: s, NextToken: out.NextBackwardToken, Limit: aws.Int32(2)}))(t)
			if len(back.Events) != 2 || *back.Events[1].Message != `{"n":99,"level":"ERROR"}` {
				t.Errorf("back from the end: %+v", back.Events)
			}
			break
		}
		in.NextToken = out.NextForwardToken
	}
	if len(got) != 100 || got[99] != `{"n":99,"level":"ERROR"}` || got[0] != `{"n":0,"level":"INFO"}` {
		t.Errorf("read %d events forward", len(got))
	}
	latest := ok(c.GetLogEvents(ctx, &sdk.GetLogEventsInput{LogGroupIdentifier: aws.String("arn:aws:logs:us-east-1:123456789012:log-group:" + *g), LogStreamName: s, Limit: aws.Int32(3), EndTime: aws.Int64(now + 49)}))(t)
	if len(latest.Events) != 3 || *latest.Events[2].Message != `{"n":97,"level":"ERROR"}` {
		t.Errorf("latest before an end that is not included: %+v", latest.Events)
	}

	got = nil
	filter := sdk.NewFilterLogEventsPaginator(c, &sdk.FilterLogEventsInput{LogGroupName: g, FilterPattern: aws.String(`{ $.level = "ERROR" && $.n > 10 }`), Limit: aws.Int32(4), EndTime: aws.Int64(now + 49)})
	ids := map[string]bool{}
	for filter.HasMorePages() {
		for _, e := range ok(filter.NextPage(ctx))(t).Events {
			got = append(got, *e.Message)
			ids[*e.EventId] = true
			if *e.LogStreamName != *s || len(*e.EventId) != 56 {
				t.Errorf("event %+v", e)
			}
		}
	}
	if len(got) != 45 || len(ids) != 45 || got[44] != `{"n":99,"level":"ERROR"}` {
		t.Errorf("filtered %d events with %d IDs", len(got), len(ids))
	}
	if _, err := c.FilterLogEvents(ctx, &sdk.FilterLogEventsInput{LogGroupName: g, FilterPattern: aws.String("{ $.a")}); code(err) != "InvalidParameterException" {
		t.Errorf("bad pattern: %v", err)
	}
	streams := ok(c.DescribeLogStreams(ctx, &sdk.DescribeLogStreamsInput{LogGroupName: g, OrderBy: types.OrderByLastEventTime, Descending: aws.Bool(true)}))(t).LogStreams
	if len(streams) != 1 || *streams[0].FirstEventTimestamp != now || *streams[0].LastEventTimestamp != now+49 {
		t.Errorf("streams %+v", streams)
	}
	if out := ok(c.GetLogGroupFields(ctx, &sdk.GetLogGroupFieldsInput{LogGroupName: g}))(t); len(out.LogGroupFields) != 7 {
		t.Errorf("%d fields", len(out.LogGroupFields))
	}
	ok(c.DeleteLogStream(ctx, &sdk.DeleteLogStreamInput{LogGroupName: g, LogStreamName: s}))(t)
	ok(c.DeleteLogGroup(ctx, &sdk.DeleteLogGroupInput{LogGroupName: g}))(t)
	if _, err := c.DescribeLogStreams(ctx, &sdk.DescribeLogStreamsInput{LogGroupName: g}); code(err) != "ResourceNotFoundException" {
		t.Errorf("streams of a deleted group: %v", err)
	}
	_, err := c.PutMetricFilter(ctx, &sdk.PutMetricFilterInput{LogGroupName: g, FilterName: aws.String("f"), FilterPattern: aws.String(""), MetricTransformations: []types.MetricTransformation{{MetricName: aws.String("m"), MetricNamespace: aws.String("n"), MetricValue: aws.String("1")}}})
	if e, is := errors.AsType[*smithyhttp.ResponseError](err); !is || e.HTTPStatusCode() != 501 || !strings.Contains(err.Error(), "PutMetricFilter") {
		t.Errorf("what is not built: %v", err)
	}
	if _, err := c.ListAnomalies(ctx, &sdk.ListAnomaliesInput{}); code(err) != "NotImplementedException" {
		t.Errorf("what is in no model: %v", err)
	}
}

// wait polls a query until it ends.
func wait(t *testing.T, c *sdk.Client, id *string) *sdk.GetQueryResultsOutput {
	t.Helper()
	for {
		out := ok(c.GetQueryResults(t.Context(), &sdk.GetQueryResultsInput{QueryId: id}))(t)
		if out.Status != types.QueryStatusScheduled && out.Status != types.QueryStatusRunning {
			return out
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestQueries(t *testing.T) {
	store, c := world(t)
	ctx := t.Context()
	now := time.Now()
	var events []logs.Event
	for i := range 1000 {
		events = append(events, logs.Event{Time: now.UnixMilli() - 1000 + int64(i), Message: fmt.Sprintf(`{"clientId":"c%d","status":"%s"}`, i%10, []string{"Success", "Failure"}[i%3/2])})
	}
	if err := store.Put("AWSIotLogsV2", "s", events); err != nil {
		t.Fatal(err)
	}
	start := func(query string) *string {
		return ok(c.StartQuery(ctx, &sdk.StartQueryInput{
			LogGroupName: aws.String("AWSIotLogsV2"), StartTime: aws.Int64(now.Unix() - 60), EndTime: aws.Int64(now.Unix() + 60), QueryString: &query,
		}))(t).QueryId
	}
	out := wait(t, c, start(`filter status = "Failure" | stats count(*) as n by clientId | sort n desc, clientId asc | limit 2`))
	if out.Status != types.QueryStatusComplete || len(out.Results) != 2 || *out.Results[0][0].Value != "c2" || *out.Results[0][1].Value != "34" || out.Statistics.RecordsMatched != 333 || out.Statistics.RecordsScanned != 1000 {
		t.Errorf("%s %+v %+v", out.Status, out.Results, out.Statistics)
	}
	out = wait(t, c, start(`fields @timestamp, @message | sort @timestamp desc | limit 3`))
	last := out.Results[0][len(out.Results[0])-1]
	if len(out.Results) != 3 || *last.Field != "@ptr" {
		t.Fatalf("%+v", out.Results)
	}
	record := ok(c.GetLogRecord(ctx, &sdk.GetLogRecordInput{LogRecordPointer: last.Value}))(t).LogRecord
	if record["@message"] != events[999].Message || record["clientId"] != "c9" || record["@log"] != "123456789012:AWSIotLogsV2" {
		t.Errorf("record %v", record)
	}
	if out := wait(t, c, start(`filter clientId = "nobody"`)); out.Status != types.QueryStatusComplete || len(out.Results) != 0 || out.Statistics.RecordsMatched != 0 {
		t.Errorf("%s %+v", out.Status, out.Results)
	}
	id := start("fields clientId")
	wait(t, c, id)
	var n int
	var token *string
	for {
		page := ok(c.GetQueryResults(ctx, &sdk.GetQueryResultsInput{QueryId: id, MaxItems: aws.Int32(300), NextToken: token}))(t)
		n += len(page.Results)
		if token = page.NextToken; token == nil {
			break
		}
	}
	if n != 1000 {
		t.Errorf("%d rows in pages, want 1000", n)
	}
	if _, err := c.StopQuery(ctx, &sdk.StopQueryInput{QueryId: id}); code(err) != "InvalidParameterException" {
		t.Errorf("stopping what has ended: %v", err)
	}
	if _, err := c.GetQueryResults(ctx, &sdk.GetQueryResultsInput{QueryId: aws.String("none")}); code(err) != "ResourceNotFoundException" {
		t.Errorf("an unknown query: %v", err)
	}
	_, err := c.StartQuery(ctx, &sdk.StartQueryInput{LogGroupName: aws.String("AWSIotLogsV2"), StartTime: aws.Int64(0), EndTime: aws.Int64(now.Unix()), QueryString: aws.String("fields a | felter b")})
	e, is := errors.AsType[*types.MalformedQueryException](err)
	if !is || e.QueryCompileError == nil || *e.QueryCompileError.Location.StartCharOffset != 11 || *e.QueryCompileError.Location.EndCharOffset != 17 || !strings.Contains(e.ErrorMessage(), "did you mean filter?") {
		t.Errorf("a malformed query: %v", err)
	}
	if _, err := c.StartQuery(ctx, &sdk.StartQueryInput{LogGroupName: aws.String("AWSIotLogsV2"), StartTime: aws.Int64(0), EndTime: aws.Int64(1000), QueryString: aws.String("fields a")}); code(err) != "MalformedQueryException" {
		t.Errorf("a range before the group: %v", err)
	}
	list := ok(c.DescribeQueries(ctx, &sdk.DescribeQueriesInput{MaxResults: aws.Int32(2)}))(t)
	if len(list.Queries) != 2 || *list.Queries[0].QueryId != *id || list.NextToken == nil {
		t.Errorf("queries %+v", list.Queries)
	}
}

// TestSource: a query that chooses its log groups itself.
func TestSource(t *testing.T) {
	store, c := world(t)
	ctx := t.Context()
	now := time.Now()
	for group, n := range map[string]int{"a/1": 1, "a/2": 2, "b": 4} {
		for range n {
			if err := store.Put(group, "s", []logs.Event{{Time: now.UnixMilli(), Message: "{}"}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for text, want := range map[string]string{
		"SOURCE logGroups(namePrefix: ['a/']) | stats count(*) as n":                                           "3 of 2",
		"SOURCE logGroups(namePrefix: ['a/2', 'b'], class: ['STANDARD']) | stats count(*) as n":                "6 of 2",
		"source loggroups() | stats count(*) as n":                                                             "7 of 3",
		"SOURCE logGroups(accountIdentifiers: ['123456789012'], namePrefix: ['b']) | stats count(*) as n":      "4 of 1",
		"SOURCE logGroups(accountIdentifiers: ['210987654321']) | stats count(*) as n":                         " of 0",
		"SOURCE logGroups(class: ['INFREQUENT_ACCESS']) | stats count(*) as n":                                 " of 0",
		"SOURCE logGroups(namePrefix: ['nothing']) | stats count(*) as n # no group is no reason for an error": " of 0",
	} {
		in := &sdk.StartQueryInput{StartTime: aws.Int64(now.Unix() - 60), EndTime: aws.Int64(now.Unix() + 60), QueryString: &text}
		id := ok(c.StartQuery(ctx, in))(t).QueryId
		for {
			out := ok(c.GetQueryResults(ctx, &sdk.GetQueryResultsInput{QueryId: id}))(t)
			if out.Status == types.QueryStatusScheduled || out.Status == types.QueryStatusRunning {
				continue
			}
			got := ""
			if len(out.Results) > 0 {
				got = *out.Results[0][0].Value
			}
			if got = fmt.Sprintf("%s of %.0f", got, out.Statistics.LogGroupsScanned); got != want || out.Status != types.QueryStatusComplete {
				t.Errorf("%s: %s groups, %s, want %s", text, got, out.Status, want)
			}
			break
		}
		in.LogGroupName = aws.String("b")
		if _, err := c.StartQuery(ctx, in); code(err) != "InvalidParameterException" {
			t.Errorf("%s with a log group name: %v", text, err)
		}
	}
	if got := len(ok(c.DescribeQueries(ctx, &sdk.DescribeQueriesInput{}))(t).Queries); got != 7 {
		t.Errorf("%d queries, want 7", got)
	}
}

func TestLiveTail(t *testing.T) {
	store, c := world(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := store.CreateGroup("AWSIotLogsV2"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.StartLiveTail(ctx, &sdk.StartLiveTailInput{LogGroupIdentifiers: []string{"AWSIotLogsV2"}}); code(err) != "InvalidParameterException" || !strings.Contains(err.Error(), "arn:aws:logs:us-east-1:123456789012:log-group:AWSIotLogsV2") {
		t.Errorf("a live tail of a name: %v", err)
	}
	out, err := c.StartLiveTail(ctx, &sdk.StartLiveTailInput{
		LogGroupIdentifiers: []string{"arn:aws:logs:us-east-1:123456789012:log-group:AWSIotLogsV2"}, LogEventFilterPattern: aws.String("ERROR"),
	})
	if err != nil {
		t.Fatal(err)
	}
	stream := out.GetStream()
	defer stream.Close()
	var seen []string
	for event := range stream.Events() {
		switch e := event.(type) {
		case *types.StartLiveTailResponseStreamMemberSessionStart:
			if *e.Value.LogEventFilterPattern != "ERROR" {
				t.Errorf("session %+v", e.Value)
			}
			now := time.Now().UnixMilli()
			if err := store.Put("AWSIotLogsV2", "s", []logs.Event{{Time: now, Message: "INFO x"}, {Time: now, Message: "ERROR y"}}); err != nil {
				t.Fatal(err)
			}
		case *types.StartLiveTailResponseStreamMemberSessionUpdate:
			for _, r := range e.Value.SessionResults {
				seen = append(seen, *r.LogGroupIdentifier+" "+*r.LogStreamName+" "+*r.Message)
			}
		}
		if len(seen) > 0 {
			break
		}
	}
	if got := strings.Join(seen, ";"); got != "123456789012:AWSIotLogsV2 s ERROR y" {
		t.Errorf("seen %q; %v", got, stream.Err())
	}
}
