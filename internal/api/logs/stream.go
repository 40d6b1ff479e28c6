package logs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/logs"
)

// CreateLogStream makes an empty stream.
func (h *Handlers) CreateLogStream(_ context.Context, in *CreateLogStreamRequest) (*CreateLogStreamResponse, error) {
	return &CreateLogStreamResponse{}, h.cfg.Store.CreateStream(in.LogGroupName, in.LogStreamName)
}

// DeleteLogStream deletes a stream with its events.
func (h *Handlers) DeleteLogStream(_ context.Context, in *DeleteLogStreamRequest) (*DeleteLogStreamResponse, error) {
	return &DeleteLogStreamResponse{}, h.cfg.Store.DeleteStream(in.LogGroupName, in.LogStreamName)
}

// DescribeLogStreams lists streams by name or by their latest events.
func (h *Handlers) DescribeLogStreams(ctx context.Context, in *DescribeLogStreamsRequest) (*DescribeLogStreamsResponse, error) {
	group, err := h.groupOf(in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	byTime := in.OrderBy != nil && *in.OrderBy == OrderByLastEventTime
	if byTime && in.LogStreamNamePrefix != nil {
		return nil, InvalidParameterException("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	down := api.OrZero(in.Descending)
	p, err := page(ctx, in.NextToken, in.Limit, 50, group, in.LogStreamNamePrefix, byTime, down)
	if err != nil {
		return nil, err
	}
	streams, err := h.cfg.Store.Streams(group)
	if err != nil {
		return nil, err
	}
	key := func(s logs.Stream) string {
		if byTime {
			return fmt.Sprintf("%020d/%s", max(0, s.Last), s.Name)
		}
		return s.Name
	}
	order := func(a, b string) int {
		if down {
			return strings.Compare(b, a)
		}
		return strings.Compare(a, b)
	}
	slices.SortFunc(streams, func(a, b logs.Stream) int { return order(key(a), key(b)) })
	out := &DescribeLogStreamsResponse{LogStreams: []LogStream{}}
	last := ""
	for _, s := range streams {
		if !strings.HasPrefix(s.Name, api.OrZero(in.LogStreamNamePrefix)) || p.After != "" && order(key(s), p.After) <= 0 {
			continue
		}
		if len(out.LogStreams) == p.Size {
			out.NextToken = p.Next(true, last)
			break
		}
		last = key(s)
		d := LogStream{LogStreamName: &s.Name, CreationTime: &s.Created, Arn: new(h.arn(group) + ":log-stream:" + s.Name), StoredBytes: new(int64(0)), UploadSequenceToken: new(sequenceToken)}
		if s.Events > 0 {
			d.FirstEventTimestamp, d.LastEventTimestamp, d.LastIngestionTime = &s.First, &s.Last, &s.Arrived
		}
		out.LogStreams = append(out.LogStreams, d)
	}
	return out, nil
}
