package registry

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// A LogTargetType says what a log level belongs to.
type LogTargetType string

// The types. Source: logs sheet 1.
const (
	LogTargetDefault     LogTargetType = "DEFAULT" // the account
	LogTargetThingGroup  LogTargetType = "THING_GROUP"
	LogTargetClientID    LogTargetType = "CLIENT_ID"
	LogTargetSourceIP    LogTargetType = "SOURCE_IP"
	LogTargetPrincipalID LogTargetType = "PRINCIPAL_ID"
)

// A LogTarget is what a log level belongs to.
type LogTarget struct {
	Type LogTargetType
	Name string // empty for the account
}

// A TargetLevel is the log level of a target.
type TargetLevel struct {
	Target  LogTarget
	Level   LogLevel
	Expires time.Time // zero: it lasts
}

// Quotas of log levels. Source: logs sheet 1.1.
const (
	maxLogTargets  = 1000
	maxTemporary   = 30 * 24 * time.Hour
	maxLogTargetID = 512 // bytes
)

// check refuses a target that can be none, and brings an address to its one spelling.
func (t *LogTarget) check() error {
	if t.Type == LogTargetDefault {
		if t.Name != "" {
			return Errorf(InvalidRequest, "The target DEFAULT has no name.")
		}
		return nil
	}
	if !slices.Contains([]LogTargetType{LogTargetThingGroup, LogTargetClientID, LogTargetSourceIP, LogTargetPrincipalID}, t.Type) {
		return Errorf(InvalidRequest, "There is no target type %q.", t.Type)
	}
	if t.Name == "" || len(t.Name) > maxLogTargetID {
		return Errorf(InvalidRequest, "A target of type %s needs a targetName of 1 to %d bytes.", t.Type, maxLogTargetID)
	}
	if t.Type == LogTargetSourceIP {
		ip, err := netip.ParseAddr(t.Name)
		if err != nil {
			return Errorf(InvalidRequest, "targetName %q is not an IPv4 or IPv6 address.", t.Name)
		}
		t.Name = ip.Unmap().WithZone("").String()
	}
	return nil
}

// SetLogLevel sets the level of a target for good; that of [LogTargetDefault] is the default level of
// the options. A temporary level of the target ends. Refusals: NotConfigured, InvalidRequest,
// LimitExceeded beyond 1,000 targets. Source: logs sheet 1.1.
func (r *Registry) SetLogLevel(ctx context.Context, target LogTarget, level LogLevel) error {
	if err := target.check(); err != nil {
		return err
	}
	if !level.Valid() {
		return Errorf(InvalidRequest, "%q is not a log level.", level)
	}
	if target.Type == LogTargetDefault {
		if _, err := r.LoggingOptions(ctx); err != nil {
			return err
		}
		return r.SetLoggingOptions(ctx, LoggingUpdate{DefaultLevel: &level})
	}
	return r.write(ctx, func(t *tx) error {
		if found, err := getJSON(ctx, t.Queries, loggingSetting, new(LoggingOptions)); err != nil {
			return err
		} else if !found {
			return errNotConfigured()
		}
		if err := checkLogTarget(ctx, t, target); err != nil {
			return err
		}
		row := registrydb.PutLogLevelParams{TargetType: string(target.Type), TargetName: target.Name, Level: string(level)}
		if err := t.PutLogLevel(ctx, row); err != nil {
			return err
		}
		if n, err := t.CountLogLevels(ctx); err != nil {
			return err
		} else if n > maxLogTargets {
			return Errorf(LimitExceeded, "There are %d targets with a log level already.", maxLogTargets)
		}
		t.changed(Change{Kind: LoggingChanged})
		_, err := t.DeleteTemporaryLogLevel(ctx, registrydb.DeleteTemporaryLogLevelParams{TargetType: row.TargetType, TargetName: row.TargetName})
		return err
	})
}

// checkLogTarget refuses a thing group that does not exist.
func checkLogTarget(ctx context.Context, t *tx, target LogTarget) error {
	if target.Type != LogTargetThingGroup {
		return nil
	}
	_, err := t.GetThingGroup(ctx, target.Name)
	if store.IsNotFound(err) {
		return Errorf(InvalidRequest, "There is no thing group %s.", target.Name)
	}
	return err
}

// SetLogLevelFor sets the level of a target for d, at most 30 days. After that the level before is
// in force again, also over a restart. It works before logging is configured. It returns when it
// ends. Refusals: InvalidRequest.
func (r *Registry) SetLogLevelFor(ctx context.Context, target LogTarget, level LogLevel, d time.Duration) (time.Time, error) {
	if err := target.check(); err != nil {
		return time.Time{}, err
	}
	if !level.Valid() {
		return time.Time{}, Errorf(InvalidRequest, "%q is not a log level.", level)
	}
	if d < time.Second || d > maxTemporary {
		return time.Time{}, Errorf(InvalidRequest, "A level can be set for one second to 30 days.")
	}
	ends := time.Now().Add(d).Truncate(time.Millisecond)
	return ends, r.write(ctx, func(t *tx) error {
		if err := checkLogTarget(ctx, t, target); err != nil {
			return err
		}
		if _, err := t.DeleteExpiredLogLevels(ctx, time.Now().UnixMilli()); err != nil {
			return err
		}
		t.changed(Change{Kind: LoggingChanged})
		return t.PutLogLevel(ctx, registrydb.PutLogLevelParams{
			TargetType: string(target.Type), TargetName: target.Name, Temporary: 1, Level: string(level), ExpiresAt: ends.UnixMilli(),
		})
	})
}

// DeleteLogLevel takes the level of a target away, also a temporary one. There need not be one.
// Refusals: InvalidRequest, for [LogTargetDefault] too.
func (r *Registry) DeleteLogLevel(ctx context.Context, target LogTarget) error {
	if target.Type == LogTargetDefault {
		return Errorf(InvalidRequest, "The default level can be set to DISABLED, not deleted.")
	}
	if err := target.check(); err != nil {
		return err
	}
	return r.write(ctx, func(t *tx) error {
		n, err := t.DeleteLogLevels(ctx, registrydb.DeleteLogLevelsParams{TargetType: string(target.Type), TargetName: target.Name})
		if n > 0 {
			t.changed(Change{Kind: LoggingChanged})
		}
		return err
	})
}

// EndTemporaryLogLevel puts the lasting level of a target, or of the account, in force again.
// There need not be a temporary one. Refusals: InvalidRequest.
func (r *Registry) EndTemporaryLogLevel(ctx context.Context, target LogTarget) error {
	if err := target.check(); err != nil {
		return err
	}
	return r.write(ctx, func(t *tx) error {
		n, err := t.DeleteTemporaryLogLevel(ctx, registrydb.DeleteTemporaryLogLevelParams{TargetType: string(target.Type), TargetName: target.Name})
		if n > 0 {
			t.changed(Change{Kind: LoggingChanged})
		}
		return err
	})
}

// LogLevels returns the levels that are in force, of the account and then of the targets of one
// type, or of all with "". Refusals: NotConfigured.
func (r *Registry) LogLevels(ctx context.Context, only LogTargetType) ([]TargetLevel, error) {
	l, err := r.Logging(ctx)
	if err != nil {
		return nil, err
	}
	if !l.Configured {
		return nil, errNotConfigured()
	}
	all := append([]TargetLevel{{Target: LogTarget{Type: LogTargetDefault}, Level: l.Options.DefaultLevel}}, l.Levels...)
	var out []TargetLevel
	for _, t := range all {
		same := func(o TargetLevel) bool { return o.Target == t.Target }
		if i := slices.IndexFunc(out, same); i >= 0 { // a temporary one, in front of the lasting one
			out[i] = t
		} else if only == "" || only == t.Target.Type {
			out = append(out, t)
		}
	}
	return out, nil
}

func targetLevel(row registrydb.LogLevel) TargetLevel {
	t := TargetLevel{Target: LogTarget{LogTargetType(row.TargetType), row.TargetName}, Level: LogLevel(row.Level)}
	if row.Temporary == 1 {
		t.Expires = time.UnixMilli(row.ExpiresAt)
	}
	return t
}

// ThingsOfGroups returns the things to which the levels of thing groups reach: a group's level
// reaches those of its descendants, as far as these have none of their own. pick chooses among the
// levels of a thing in several groups. Source: logs sheet 1.2.
func (r *Registry) ThingsOfGroups(ctx context.Context, levels map[string]LogLevel, pick func(a, b LogLevel) LogLevel) (map[string]LogLevel, error) {
	things := map[string]LogLevel{}
	err := r.view(ctx, func(q *registrydb.Queries) error {
		groups, err := q.ListThingGroupParents(ctx)
		if err != nil {
			return err
		}
		parents := make(map[string]string, len(groups))
		for _, g := range groups {
			parents[g.GroupName] = g.ParentName
		}
		for _, g := range groups {
			level, has := LogLevel(""), false
			for name := g.GroupName; name != "" && !has; name = parents[name] {
				level, has = levels[name]
			}
			if !has {
				continue
			}
			if err := eachThing(ctx, q, g.GroupName, func(thing string) {
				if other, ok := things[thing]; ok {
					things[thing] = pick(other, level)
				} else {
					things[thing] = level
				}
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return things, err
}

func eachThing(ctx context.Context, q *registrydb.Queries, group string, fn func(thing string)) error {
	const page = 1000
	for after := ""; ; {
		names, err := q.ListThingsInGroup(ctx, registrydb.ListThingsInGroupParams{GroupName: group, After: after, Limit: page})
		if err != nil {
			return err
		}
		for _, name := range names {
			fn(name)
		}
		if len(names) < page {
			return nil
		}
		after = names[page-1]
	}
}
