package logs

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/gatehouse-iot/gatehouse/insights"
	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/logs"
)

// malformed is a MalformedQueryException with its place in the query.
func malformed(e *insights.SyntaxError) *api.Error {
	text, _ := jsontext.AppendQuote(nil, e.Message) // invalid UTF-8 is replaced
	return MalformedQueryException("%s", e.Message).WithMembers(fmt.Sprintf(
		`"queryCompileError":{"location":{"startCharOffset":%d,"endCharOffset":%d},"message":%s}`, e.Start, e.End, text))
}

// StartQuery parses a query completely, and runs it in the background.
func (h *Handlers) StartQuery(_ context.Context, in *StartQueryRequest) (*StartQueryResponse, error) {
	if in.QueryLanguage != nil && *in.QueryLanguage != QueryLanguageCwli {
		return nil, InvalidParameterException("Gatehouse does not run queries in %s yet, only in CWLI.", *in.QueryLanguage)
	}
	if in.EndTime < in.StartTime {
		return nil, InvalidParameterException("The endTime of the query is before its startTime.")
	}
	if in.EndTime > maxSeconds {
		return nil, InvalidParameterException("startTime and endTime are in seconds since 1970, not in milliseconds.")
	}
	parsed, err := insights.Parse(in.QueryString)
	if e, ok := errors.AsType[*insights.SyntaxError](err); ok {
		return nil, malformed(e)
	} else if err != nil {
		return nil, err
	}
	groups, err := h.queryGroups(in, parsed.Groups())
	if err != nil {
		return nil, err
	}
	from, to := in.StartTime*1000, in.EndTime*1000+999 // both seconds are included
	var views []*logs.View
	expired := 0
	for _, g := range groups {
		v, err := h.cfg.Store.View(g)
		if err != nil {
			return nil, err
		}
		if to < v.Earliest || to < v.Created && len(v.Parts(from, to)) == 0 {
			expired++
		}
		views = append(views, v)
	}
	if expired == len(groups) && expired > 0 {
		return nil, malformed(&insights.SyntaxError{Message: "Query's end date and time is either before the log groups creation time or exceeds the log groups log retention settings"})
	}
	q := newQuery(in.QueryString, groups)
	opt := insights.Options{Start: time.UnixMilli(from), End: time.UnixMilli(in.EndTime * 1000), Now: q.created, Limit: int(api.OrZero(in.Limit)), Workers: queryWorkers()}
	if err := h.queries.start(q, parsed, NewSource(h.cfg.Account, views, from, to), opt); err != nil {
		return nil, err
	}
	return &StartQueryResponse{QueryId: &q.id}, nil
}

// maxSeconds is 2286-11-20: what is larger was meant in milliseconds.
const maxSeconds = 9_999_999_999

// queryWorkers leaves half of the processors to the devices.
func queryWorkers() int { return max(2, runtime.GOMAXPROCS(0)/2) }

// queryGroups reads the groups that a query is over, given in one of three ways,
// or chosen by the query itself.
func (h *Handlers) queryGroups(in *StartQueryRequest, chosen *insights.Groups) ([]string, error) {
	ways := 0
	var groups []string
	if in.LogGroupName != nil {
		ways++
		groups = []string{*in.LogGroupName}
	}
	if in.LogGroupNames != nil {
		ways++
		groups = in.LogGroupNames
	}
	if in.LogGroupIdentifiers != nil {
		ways++
		for _, id := range in.LogGroupIdentifiers {
			g, err := h.identified(id)
			if err != nil {
				return nil, err
			}
			groups = append(groups, g)
		}
	}
	if chosen != nil {
		if ways > 0 {
			return nil, InvalidParameterException("A query with SOURCE takes no logGroupName, logGroupNames or logGroupIdentifiers.")
		}
		return h.sourceGroups(chosen)
	}
	if ways != 1 || len(groups) == 0 {
		return nil, InvalidParameterException("Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be given.")
	}
	slices.Sort(groups)
	groups = slices.Compact(groups)
	if len(groups) > maxQueryGroups {
		return nil, InvalidParameterException("A query is over at most %d log groups.", maxQueryGroups)
	}
	return groups, nil
}

// sourceGroups are the groups that SOURCE logGroups(...) chooses: there may be none.
func (h *Handlers) sourceGroups(chosen *insights.Groups) ([]string, error) {
	any := func(list []string, match func(string) bool) bool {
		return len(list) == 0 || slices.ContainsFunc(list, match)
	}
	if !any(chosen.Accounts, func(a string) bool { return a == h.cfg.Account }) || !any(chosen.Classes, func(c string) bool { return strings.EqualFold(c, string(LogGroupClassStandard)) }) {
		return nil, nil
	}
	var groups []string
	for _, g := range h.cfg.Store.Groups() {
		if any(chosen.Prefixes, func(p string) bool { return strings.HasPrefix(g.Name, p) }) {
			groups = append(groups, g.Name)
		}
	}
	if len(groups) > maxSourceGroups {
		return nil, InvalidParameterException("SOURCE chooses %d log groups; a query is over at most %d.", len(groups), maxSourceGroups)
	}
	return groups, nil
}

// findLocked returns the query with an ID. The caller holds h.queries.mu.
func (h *Handlers) findLocked(id string) (*query, error) {
	q := h.queries.byID[id]
	if q == nil {
		return nil, ResourceNotFoundException("The specified query does not exist.")
	}
	return q, nil
}

// GetQueryResults answers what is known of a query: its rows, and while it runs
// those found so far.
func (h *Handlers) GetQueryResults(ctx context.Context, in *GetQueryResultsRequest) (*GetQueryResultsResponse, error) {
	size := int32(rowsOfPage)
	if in.MaxItems != nil && *in.MaxItems > 0 {
		size = *in.MaxItems
	}
	pg, err := page(ctx, in.NextToken, &size, rowsOfPage, in.QueryId)
	if err != nil {
		return nil, err
	}
	q, status, result, err := h.results(in.QueryId)
	if err != nil {
		return nil, err
	}
	out := &GetQueryResultsResponse{
		Status: &status, QueryLanguage: new(QueryLanguageCwli), Results: [][]ResultField{},
		Statistics: &QueryStatistics{
			RecordsMatched: count(q.progress.Matched.Load()), RecordsScanned: count(q.progress.Scanned.Load()), BytesScanned: count(q.progress.Bytes.Load()),
			EstimatedRecordsSkipped: count(q.progress.SkippedRecords.Load()), EstimatedBytesSkipped: count(q.progress.SkippedBytes.Load()), LogGroupsScanned: count(int64(len(q.groups))),
		},
	}
	if result == nil {
		return out, nil
	}
	from := 0
	if pg.After != "" {
		if from, err = strconv.Atoi(pg.After); err != nil {
			return nil, InvalidParameterException("The specified nextToken is invalid.")
		}
	}
	rows := result.Rows[min(from, len(result.Rows)):]
	if len(rows) > pg.Size {
		rows = rows[:pg.Size]
		if status == QueryStatusComplete { // rows of a query that runs change until the next page is asked for
			out.NextToken = pg.Next(true, strconv.Itoa(from+pg.Size))
		}
	}
	for _, row := range rows {
		cells := make([]ResultField, len(row))
		for i := range row {
			cells[i] = ResultField{Field: &row[i].Field, Value: &row[i].Value}
		}
		out.Results = append(out.Results, cells)
	}
	return out, nil
}

// results returns a query with its status and its rows of now, if it has any.
func (h *Handlers) results(id string) (*query, QueryStatus, *insights.Result, error) {
	h.queries.mu.Lock()
	defer h.queries.mu.Unlock()
	q, err := h.findLocked(id)
	if err != nil {
		return nil, "", nil, err
	}
	if q.status != QueryStatusRunning {
		return q, q.status, q.result, nil
	}
	h.queries.mu.Unlock() // the rows take their time
	partial := q.progress.Partial()
	h.queries.mu.Lock()
	if q.status != QueryStatusRunning { // it has ended meanwhile
		return q, q.status, q.result, nil
	}
	return q, q.status, partial, nil
}

func count(n int64) *float64 { return new(float64(n)) }

// StopQuery stops a query that waits or runs.
func (h *Handlers) StopQuery(_ context.Context, in *StopQueryRequest) (*StopQueryResponse, error) {
	h.queries.mu.Lock()
	defer h.queries.mu.Unlock()
	q, err := h.findLocked(in.QueryId)
	if err != nil {
		return nil, err
	}
	if q.status != QueryStatusScheduled && q.status != QueryStatusRunning {
		return nil, InvalidParameterException("The specified query is not running: its status is %s.", q.status)
	}
	q.cancel(errStopped)
	return &StopQueryResponse{Success: new(true)}, nil
}

// DescribeQueries lists queries, the newest first.
func (h *Handlers) DescribeQueries(ctx context.Context, in *DescribeQueriesRequest) (*DescribeQueriesResponse, error) {
	pg, err := page(ctx, in.NextToken, in.MaxResults, maxKept, in.LogGroupName, in.Status, in.QueryLanguage)
	if err != nil {
		return nil, err
	}
	h.queries.mu.Lock()
	defer h.queries.mu.Unlock()
	out := &DescribeQueriesResponse{Queries: []QueryInfo{}}
	seen := pg.After == ""
	for _, q := range slices.Backward(h.queries.list) {
		if !seen {
			seen = q.id == pg.After
			continue
		}
		if in.Status != nil && q.status != *in.Status || in.LogGroupName != nil && !slices.Contains(q.groups, *in.LogGroupName) ||
			in.QueryLanguage != nil && *in.QueryLanguage != QueryLanguageCwli {
			continue
		}
		if n := len(out.Queries); n == pg.Size {
			out.NextToken = pg.Next(true, *out.Queries[n-1].QueryId)
			break
		}
		ended := q.ended
		if ended.IsZero() {
			ended = time.Now()
		}
		info := QueryInfo{
			QueryId: &q.id, QueryString: &q.text, Status: new(q.status), CreateTime: new(q.created.UnixMilli()),
			QueryDuration: new(ended.Sub(q.created).Milliseconds()), BytesScanned: count(q.progress.Bytes.Load()), QueryLanguage: new(QueryLanguageCwli),
		}
		if len(q.groups) > 0 { // SOURCE may choose none
			info.LogGroupName = &q.groups[0]
		}
		out.Queries = append(out.Queries, info)
	}
	return out, nil
}
