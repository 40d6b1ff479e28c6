package logs

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/logs"
)

// Bounds of live tails. Source: logs sheet 4.2, StartLiveTail.
const (
	maxTails      = 15
	tailEvery     = time.Second
	tailUpdate    = 500 // events
	tailTime      = 3 * time.Hour
	maxTailGroups = 10
)

// StartLiveTail sends what comes into some groups, once a second.
func (h *Handlers) StartLiveTail(ctx context.Context, in *StartLiveTailRequest) (*StartLiveTailResponse, error) {
	var groups []string
	for _, id := range in.LogGroupIdentifiers {
		if !strings.HasPrefix(id, "arn:") { // unlike elsewhere
			return nil, InvalidParameterException("A live tail takes the ARNs of log groups, and %q is none: use %s.", id, h.arn(id))
		}
		group, err := h.identified(id)
		if err != nil {
			return nil, err
		}
		if _, ok := h.cfg.Store.Group(group); !ok {
			return nil, logs.ErrNoGroup
		}
		groups = append(groups, group)
	}
	if len(groups) > maxTailGroups {
		return nil, InvalidParameterException("A live tail is of at most %d log groups.", maxTailGroups)
	}
	if len(groups) > 1 && len(in.LogStreamNames)+len(in.LogStreamNamePrefixes) > 0 {
		return nil, InvalidParameterException("Log stream names and prefixes need a single log group.")
	}
	streams, err := streamChoice(in.LogStreamNames, in.LogStreamNamePrefixes)
	if err != nil {
		return nil, err
	}
	pat, err := parsePattern(in.LogEventFilterPattern)
	if err != nil {
		return nil, err
	}
	select {
	case h.tails <- struct{}{}:
	default:
		return nil, LimitExceededException("At most %d live tails run at once.", maxTails)
	}
	watch := h.cfg.Store.Watch(groups...)
	match := func(e logs.Seen) bool {
		return (streams == nil || streams(e.Stream)) && (pat.All() || pat.Match(e.Message))
	}
	start := &LiveTailSessionStart{
		RequestId: new(api.RequestID(ctx)), SessionId: new(uuid.NewString()), LogGroupIdentifiers: in.LogGroupIdentifiers,
		LogStreamNames: in.LogStreamNames, LogStreamNamePrefixes: in.LogStreamNamePrefixes, LogEventFilterPattern: in.LogEventFilterPattern,
	}
	return &StartLiveTailResponse{ResponseStream: func(ctx context.Context, send func(string, any) error) error {
		defer func() { watch.Stop(); <-h.tails }()
		if err := send("sessionStart", start); err != nil {
			return nil // the client is gone
		}
		return h.tail(ctx, watch, match, send)
	}}, nil
}

func (h *Handlers) tail(ctx context.Context, watch *logs.Watch, match func(logs.Seen) bool, send func(string, any) error) error {
	tick := time.NewTicker(tailEvery)
	defer tick.Stop()
	end := time.NewTimer(tailTime)
	defer end.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h.stopped:
			return api.Errorf("SessionStreamingException", 400, "Gatehouse is stopping.")
		case <-end.C:
			return api.Errorf("SessionTimeoutException", 400, "The session ended after %v.", tailTime)
		case <-tick.C:
		}
		seen, dropped := watch.Take()
		update := &LiveTailSessionUpdate{SessionMetadata: &LiveTailSessionMetadata{Sampled: new(dropped > 0)}, SessionResults: []LiveTailSessionLogEvent{}}
		for _, e := range seen {
			if !match(e) {
				continue
			}
			if len(update.SessionResults) == tailUpdate {
				update.SessionMetadata.Sampled = new(true)
				break
			}
			update.SessionResults = append(update.SessionResults, LiveTailSessionLogEvent{
				LogStreamName: &e.Stream, LogGroupIdentifier: new(h.cfg.Account + ":" + e.Group), Message: &e.Message, Timestamp: &e.Time, IngestionTime: &e.Ingested,
			})
		}
		if err := send("sessionUpdate", update); err != nil {
			return nil // the client is gone
		}
	}
}
