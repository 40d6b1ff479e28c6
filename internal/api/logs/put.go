package logs

import (
	"context"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/logs"
)

// sequenceToken is what clients of old expect; it is ignored when it comes back.
const sequenceToken = "49039859573636363636363636363636363636363636363636363636"

// Limits of PutLogEvents. Source: logs sheet 4.2.
const (
	maxPutBytes = 1 << 20 // with putOverhead an event
	putOverhead = 26
	putSpan     = 24 * time.Hour
	putFuture   = 2 * time.Hour
	putPast     = 14 * 24 * time.Hour
	dayInMillis = 24 * 60 * 60 * 1000
)

// PutLogEvents appends a batch. When it answers, the batch is on disk.
func (h *Handlers) PutLogEvents(_ context.Context, in *PutLogEventsRequest) (*PutLogEventsResponse, error) {
	group, ok := h.cfg.Store.Group(in.LogGroupName)
	if !ok {
		return nil, logs.ErrNoGroup
	}
	size := 0
	events := make([]logs.Event, len(in.LogEvents))
	for i, e := range in.LogEvents {
		size += len(e.Message) + putOverhead
		if i > 0 && e.Timestamp < events[i-1].Time {
			return nil, InvalidParameterException("Log events in a single PutLogEvents request must be in chronological order.")
		}
		events[i] = logs.Event{Time: e.Timestamp, Message: e.Message}
	}
	if size > maxPutBytes {
		return nil, InvalidParameterException("Upload too large: %d bytes exceeds limit of %d", size, maxPutBytes)
	}
	if n := len(events); n > 0 && events[n-1].Time-events[0].Time > putSpan.Milliseconds() {
		return nil, InvalidParameterException("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
	}
	now := time.Now().UnixMilli()
	out := &PutLogEventsResponse{NextSequenceToken: new(sequenceToken)}
	expired, tooOld, tooNew := 0, 0, len(events)
	for i, e := range events {
		switch {
		case group.RetentionDays > 0 && e.Time < now-int64(group.RetentionDays)*dayInMillis:
			expired = i + 1
		case e.Time < now-putPast.Milliseconds():
			tooOld = i + 1
		case e.Time > now+putFuture.Milliseconds():
			tooNew = min(tooNew, i)
		}
	}
	if expired > 0 || tooOld > 0 || tooNew < len(events) {
		r := &RejectedLogEventsInfo{}
		if expired > 0 {
			r.ExpiredLogEventEndIndex = new(int32(expired))
		}
		if tooOld > 0 {
			r.TooOldLogEventEndIndex = new(int32(tooOld))
		}
		if tooNew < len(events) {
			r.TooNewLogEventStartIndex = new(int32(tooNew))
		}
		out.RejectedLogEventsInfo = r
	}
	return out, h.cfg.Store.PutExisting(in.LogGroupName, in.LogStreamName, events[min(max(expired, tooOld), tooNew):tooNew])
}
