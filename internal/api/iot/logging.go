package iot

import (
	"context"
	"slices"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// SetV2LoggingOptions changes the account's logging options; what is not given stays.
func (h Handlers) SetV2LoggingOptions(ctx context.Context, in *SetV2LoggingOptionsRequest) (*SetV2LoggingOptionsResponse, error) {
	u := registry.LoggingUpdate{RoleARN: in.RoleArn, DisableAll: in.DisableAllLogs}
	if in.DefaultLogLevel != nil {
		u.DefaultLevel = new(registry.LogLevel(*in.DefaultLogLevel))
	}
	if in.EventConfigurations != nil {
		u.Events = []registry.EventLogging{}
	}
	for _, e := range in.EventConfigurations {
		u.Events = append(u.Events, registry.EventLogging{
			EventType: e.EventType, Level: registry.LogLevel(api.OrZero(e.LogLevel)), Destination: api.OrZero(e.LogDestination),
		})
	}
	return &SetV2LoggingOptionsResponse{}, h.Registry.SetLoggingOptions(ctx, u)
}

// GetV2LoggingOptions answers the account's logging options: with the event types that are
// configured, or verbosely with all of AWS's.
func (h Handlers) GetV2LoggingOptions(ctx context.Context, in *GetV2LoggingOptionsRequest) (*GetV2LoggingOptionsResponse, error) {
	o, err := h.Registry.LoggingOptions(ctx)
	if err != nil {
		return nil, err
	}
	events := o.Events
	if api.OrZero(in.Verbose) {
		for _, name := range registry.LogEventTypes {
			if strings.HasPrefix(name, registry.OwnLogEvents) || slices.ContainsFunc(o.Events, func(e registry.EventLogging) bool { return e.EventType == name }) {
				continue
			}
			events = append(slices.Clip(events), registry.EventLogging{EventType: name, Level: o.TypeLevel(name)})
		}
	}
	out := &GetV2LoggingOptionsResponse{
		RoleArn: &o.RoleARN, DefaultLogLevel: new(LogLevel(o.DefaultLevel)), DisableAllLogs: &o.DisableAll, EventConfigurations: []LogEventConfiguration{},
	}
	for _, e := range events {
		c := LogEventConfiguration{EventType: e.EventType}
		if e.Level != "" {
			c.LogLevel = new(LogLevel(e.Level))
		}
		if e.Destination != "" {
			c.LogDestination = new(e.Destination)
		}
		out.EventConfigurations = append(out.EventConfigurations, c)
	}
	return out, nil
}

// SetV2LoggingLevel sets the log level of a target.
func (h Handlers) SetV2LoggingLevel(ctx context.Context, in *SetV2LoggingLevelRequest) (*SetV2LoggingLevelResponse, error) {
	target := registry.LogTarget{Type: registry.LogTargetType(in.LogTarget.TargetType), Name: api.OrZero(in.LogTarget.TargetName)}
	return &SetV2LoggingLevelResponse{}, h.Registry.SetLogLevel(ctx, target, registry.LogLevel(in.LogLevel))
}

// DeleteV2LoggingLevel takes the log level of a target away.
func (h Handlers) DeleteV2LoggingLevel(ctx context.Context, in *DeleteV2LoggingLevelRequest) (*DeleteV2LoggingLevelResponse, error) {
	target := registry.LogTarget{Type: registry.LogTargetType(in.TargetType), Name: in.TargetName}
	return &DeleteV2LoggingLevelResponse{}, h.Registry.DeleteLogLevel(ctx, target)
}

// pageOfLevels is the default of maxResults; its greatest value is 250 too.
const pageOfLevels = 250

// ListV2LoggingLevels lists the account's log level and those of targets.
func (h Handlers) ListV2LoggingLevels(ctx context.Context, in *ListV2LoggingLevelsRequest) (*ListV2LoggingLevelsResponse, error) {
	only := registry.LogTargetType(api.OrZero(in.TargetType))
	page, err := api.ReadPage(ctx, in.NextToken, in.MaxResults, pageOfLevels, string(only))
	if err != nil {
		return nil, err
	}
	levels, err := h.Registry.LogLevels(ctx, only)
	if err != nil {
		return nil, err
	}
	out := &ListV2LoggingLevelsResponse{LogTargetConfigurations: []LogTargetConfiguration{}}
	last := ""
	for _, l := range levels {
		key := levelKey(l.Target)
		if key <= page.After {
			continue
		}
		if len(out.LogTargetConfigurations) == page.Size {
			out.NextToken = page.Next(true, last)
			break
		}
		last = key
		target := &LogTarget{TargetType: LogTargetType(l.Target.Type)}
		if l.Target.Name != "" {
			target.TargetName = new(l.Target.Name)
		}
		out.LogTargetConfigurations = append(out.LogTargetConfigurations, LogTargetConfiguration{LogTarget: target, LogLevel: new(LogLevel(l.Level))})
	}
	return out, nil
}

// levelKey orders targets as they are listed: the account first.
func levelKey(t registry.LogTarget) string {
	if t.Type == registry.LogTargetDefault {
		return " "
	}
	return string(t.Type) + " " + t.Name
}

// SetLoggingOptions stores the logging options of the first version.
func (h Handlers) SetLoggingOptions(ctx context.Context, in *SetLoggingOptionsRequest) (*SetLoggingOptionsResponse, error) {
	p := in.LoggingOptionsPayload
	level := registry.LogLevel(api.OrZero(p.LogLevel))
	if level == "" {
		level = registry.LogError
	}
	return &SetLoggingOptionsResponse{}, h.Registry.SetLegacyLogging(ctx, registry.LegacyLogging{RoleARN: p.RoleArn, Level: level})
}

// GetLoggingOptions answers the logging options of the first version; a fresh account's are DISABLED.
func (h Handlers) GetLoggingOptions(ctx context.Context, _ *GetLoggingOptionsRequest) (*GetLoggingOptionsResponse, error) {
	l, err := h.Registry.Logging(ctx)
	if err != nil {
		return nil, err
	}
	if l.Legacy.Level == "" {
		return &GetLoggingOptionsResponse{LogLevel: new(LogLevelDisabled)}, nil
	}
	return &GetLoggingOptionsResponse{LogLevel: new(LogLevel(l.Legacy.Level)), RoleArn: &l.Legacy.RoleARN}, nil
}
