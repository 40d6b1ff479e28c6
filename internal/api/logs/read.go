package logs

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/logs"
	"github.com/gatehouse-iot/gatehouse/internal/logs/pattern"
)

const (
	maxPageEvents = 10_000
	maxPageBytes  = 1 << 20
)

// GetLogEvents pages through one stream, in both directions.
func (h *Handlers) GetLogEvents(ctx context.Context, in *GetLogEventsRequest) (*GetLogEventsResponse, error) {
	group, err := h.groupOf(in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	v, err := h.cfg.Store.View(group)
	if err != nil {
		return nil, err
	}
	streams, err := h.cfg.Store.Streams(group)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(streams, func(s logs.Stream) bool { return s.Name == in.LogStreamName }) {
		return nil, logs.ErrNoStream
	}
	q := logs.Read{
		From: logs.NoStart, To: logs.NoEnd, Limit: maxPageEvents, Bytes: maxPageBytes, Backward: !api.OrZero(in.StartFromHead),
		Streams: func(name string) bool { return name == in.LogStreamName },
	}
	if in.StartTime != nil {
		q.From = *in.StartTime
	}
	if in.EndTime != nil {
		q.To = *in.EndTime - 1 // exclusive
	}
	if in.Limit != nil {
		q.Limit = int(*in.Limit)
	}
	if in.NextToken != nil {
		backward, id, ok := parseToken(*in.NextToken)
		if !ok {
			return nil, InvalidParameterException("The specified nextToken is invalid.")
		}
		q.Backward, q.After = backward, &id
	}
	found, err := v.Read(ctx, q)
	if err != nil {
		return nil, err
	}
	records := found.Records
	if q.Backward {
		slices.Reverse(records)
	}
	out := &GetLogEventsResponse{Events: []OutputLogEvent{}}
	for _, r := range records {
		out.Events = append(out.Events, OutputLogEvent{Timestamp: &r.Time, Message: &r.Message, IngestionTime: &r.Ingested})
	}
	first, last := edges(records, q)
	out.NextForwardToken, out.NextBackwardToken = new("f/"+last.String()+"/s"), new("b/"+first.String()+"/s")
	return out, nil
}

// edges are the places before and after a page, from which tokens lead on. On an
// empty page the token of the direction stays what it was, and the other one
// leads back to what has been seen.
func edges(records []logs.Record, q logs.Read) (first, last logs.ID) {
	if n := len(records); n > 0 {
		return records[0].ID, records[n-1].ID
	}
	switch {
	case q.After == nil:
		return logs.ID{Time: max(0, min(q.To+1, math.MaxInt64/8))}, logs.ID{Time: max(0, q.From)}
	case q.Backward:
		before := *q.After
		if before.Row > 0 {
			before.Row--
		} else if before.Seq > 0 {
			before.Seq, before.Row = before.Seq-1, math.MaxInt32
		}
		return *q.After, before
	}
	after := *q.After
	after.Row++
	return after, *q.After
}

func parseToken(token string) (backward bool, id logs.ID, ok bool) {
	parts := strings.Split(token, "/")
	if len(parts) != 3 || parts[2] != "s" || parts[0] != "f" && parts[0] != "b" {
		return false, id, false
	}
	id, ok = logs.ParseID(parts[1])
	return parts[0] == "b", id, ok
}

// streamChoice is the streams that a request chooses: by names or by prefixes.
func streamChoice(names, prefixes []string) (func(string) bool, error) {
	switch {
	case len(names) > 0 && len(prefixes) > 0:
		return nil, InvalidParameterException("Log stream names and a log stream name prefix are mutually exclusive parameters.")
	case len(names) > 0:
		return func(n string) bool { return slices.Contains(names, n) }, nil
	case len(prefixes) > 0:
		return func(n string) bool {
			return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(n, p) })
		}, nil
	}
	return nil, nil
}

func parsePattern(text *string) (*pattern.Pattern, error) {
	p, err := pattern.Parse(api.OrZero(text))
	if err != nil {
		return nil, InvalidParameterException("Invalid filter pattern")
	}
	return p, nil
}

// FilterLogEvents pages through the events of a group that match a pattern.
func (h *Handlers) FilterLogEvents(ctx context.Context, in *FilterLogEventsRequest) (*FilterLogEventsResponse, error) {
	group, err := h.groupOf(in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	var prefixes []string
	if in.LogStreamNamePrefix != nil {
		prefixes = []string{*in.LogStreamNamePrefix}
	}
	streams, err := streamChoice(in.LogStreamNames, prefixes)
	if err != nil {
		return nil, err
	}
	pat, err := parsePattern(in.FilterPattern)
	if err != nil {
		return nil, err
	}
	pg, err := page(ctx, in.NextToken, in.Limit, maxPageEvents, group, in.LogStreamNames, prefixes, in.FilterPattern, in.StartTime, in.EndTime)
	if err != nil {
		return nil, err
	}
	q := logs.Read{From: logs.NoStart, To: logs.NoEnd, Streams: streams, Limit: pg.Size, Bytes: maxPageBytes}
	if !pat.All() {
		q.Match = pat.Match
		for _, n := range pat.Needles() {
			q.Needles = append(q.Needles, logs.Needle(n))
		}
	}
	if in.StartTime != nil {
		q.From = *in.StartTime
	}
	if in.EndTime != nil {
		q.To = *in.EndTime
	}
	if pg.After != "" {
		id, ok := logs.ParseID(pg.After)
		if !ok {
			return nil, InvalidParameterException("The specified nextToken is invalid.")
		}
		q.After = &id
	}
	v, err := h.cfg.Store.View(group)
	if err != nil {
		return nil, err
	}
	found, err := v.Read(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &FilterLogEventsResponse{Events: []FilteredLogEvent{}, SearchedLogStreams: []SearchedLogStream{}, NextToken: pg.Next(found.More, found.Next.String())}
	for _, r := range found.Records {
		out.Events = append(out.Events, FilteredLogEvent{
			LogStreamName: &r.Stream, Timestamp: &r.Time, Message: &r.Message, IngestionTime: &r.Ingested, EventId: new(r.ID.String()),
		})
	}
	return out, nil
}
