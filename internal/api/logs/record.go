package logs

import (
	"context"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/logs"
	"github.com/gatehouse-iot/gatehouse/internal/logs/pattern"
)

// pointer is @ptr of an event.
func pointer(group string, id logs.ID) string {
	return base64.RawURLEncoding.EncodeToString([]byte(id.String() + group))
}

// GetLogRecord answers the fields of one event, by a row's @ptr.
func (h *Handlers) GetLogRecord(_ context.Context, in *GetLogRecordRequest) (*GetLogRecordResponse, error) {
	invalid := InvalidParameterException("The specified logRecordPointer is invalid.")
	raw, err := base64.RawURLEncoding.DecodeString(in.LogRecordPointer)
	if err != nil || len(raw) <= 56 {
		return nil, invalid
	}
	id, ok := logs.ParseID(string(raw[:56]))
	if !ok {
		return nil, invalid
	}
	group := string(raw[56:])
	v, err := h.cfg.Store.View(group)
	if err != nil {
		return nil, err
	}
	r, found, err := v.Find(id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, ResourceNotFoundException("The specified log record does not exist.")
	}
	out := map[string]string{
		"@message": r.Message, "@timestamp": strconv.FormatInt(r.Time, 10), "@ingestionTime": strconv.FormatInt(r.Ingested, 10),
		"@logStream": r.Stream, "@log": h.cfg.Account + ":" + group, "@ptr": in.LogRecordPointer,
	}
	logs.Flatten(r.Message, func(name, value string) { out[name] = value })
	return &GetLogRecordResponse{LogRecord: out}, nil
}

// fieldsWindow is how far around a time GetLogGroupFields looks, and how many events it reads.
const (
	fieldsWindow = 8 * time.Minute
	fieldsEvents = 10_000
)

// GetLogGroupFields answers which fields events have, and how many of them.
func (h *Handlers) GetLogGroupFields(ctx context.Context, in *GetLogGroupFieldsRequest) (*GetLogGroupFieldsResponse, error) {
	group, err := h.groupOf(in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	v, err := h.cfg.Store.View(group)
	if err != nil {
		return nil, err
	}
	q := logs.Read{From: time.Now().Add(-15 * time.Minute).UnixMilli(), To: logs.NoEnd, Limit: fieldsEvents, Backward: true}
	if in.Time != nil {
		q.From, q.To = *in.Time*1000-fieldsWindow.Milliseconds(), *in.Time*1000+fieldsWindow.Milliseconds()
	}
	found, err := v.Read(ctx, q)
	if err != nil {
		return nil, err
	}
	count := map[string]int{}
	for _, r := range found.Records {
		for _, name := range []string{"@timestamp", "@message", "@ingestionTime", "@logStream", "@log"} {
			count[name]++
		}
		logs.Flatten(r.Message, func(name, _ string) { count[name]++ })
	}
	out := &GetLogGroupFieldsResponse{LogGroupFields: []LogGroupField{}}
	for name, n := range count {
		out.LogGroupFields = append(out.LogGroupFields, LogGroupField{Name: &name, Percent: new(int32(n * 100 / len(found.Records)))})
	}
	slices.SortFunc(out.LogGroupFields, func(a, b LogGroupField) int {
		if *a.Percent != *b.Percent {
			return int(*b.Percent - *a.Percent)
		}
		return strings.Compare(*a.Name, *b.Name)
	})
	return out, nil
}

// TestMetricFilter tells which messages match a pattern.
func (h *Handlers) TestMetricFilter(_ context.Context, in *TestMetricFilterRequest) (*TestMetricFilterResponse, error) {
	pat, err := pattern.Parse(in.FilterPattern)
	if err != nil {
		return nil, InvalidParameterException("Invalid filter pattern")
	}
	out := &TestMetricFilterResponse{Matches: []MetricFilterMatchRecord{}}
	for i, m := range in.LogEventMessages {
		if pat.All() || pat.Match(m) {
			out.Matches = append(out.Matches, MetricFilterMatchRecord{EventNumber: new(int64(i + 1)), EventMessage: &m, ExtractedValues: pat.Extract(m)})
		}
	}
	return out, nil
}
