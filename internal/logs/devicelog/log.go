package devicelog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-iot/gatehouse/internal/logs"
	"github.com/gatehouse-iot/gatehouse/internal/observe"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// Group is the log group of entries whose event type has no destination of its own.
const Group = "AWSIotLogsV2"

// retentionDays is how long a group keeps entries that came into being for them. Source: logs sheet 2.
const retentionDays = 30

// settings is the part of the registry that decides about log entries.
type settings interface {
	AccountID() string
	Region() string
	Logging(ctx context.Context) (registry.Logging, error)
	ThingsOfGroups(ctx context.Context, levels map[string]registry.LogLevel, pick func(a, b registry.LogLevel) registry.LogLevel) (map[string]registry.LogLevel, error)
	Watch(fn func(registry.Change)) (stop func())
}

// An output takes entries so many times, or drops them when it can't keep up: [*logs.Writer].
type output interface {
	Append(key byte, e logs.Entry, times int) bool
	Close() error
}

// Config is what a Log needs.
type Config struct {
	Registry settings     // required
	Store    *logs.Store  // required
	Machine  *slog.Logger // broken machinery only; default: discarded

	// Also is given a copy of every entry that is logged, as one line of JSON that is
	// borrowed for the call, and its time in epoch milliseconds. It must not wait. May be nil.
	Also func(ms int64, entry []byte)

	// Output makes the output of a log group; default: a writer of Store with a
	// stream for this run.
	Output func(group string) (output, error)
}

// A Log is the [observe.Logger] of an account. It follows the registry: a changed
// level counts for every event after the change, on live connections too.
type Log struct {
	cfg    Config
	home   home
	levels atomic.Pointer[snapshot]
	shared *shared

	mu         sync.Mutex        // guards what follows
	outputs    map[string]output // by log group
	generation uint64
	groups     bool // a level of a thing group is in force
	closed     bool

	kick    chan struct{} // capacity 1: load again
	stop    chan struct{}
	done    chan struct{}
	unwatch func()
}

var _ observe.Logger = (*Log)(nil)

// Open reads the levels and follows them until Close.
func Open(cfg Config) (*Log, error) {
	if cfg.Registry == nil || cfg.Store == nil && cfg.Output == nil {
		return nil, errors.New("devicelog: Registry and Store are required")
	}
	cfg.Machine = cmp.Or(cfg.Machine, slog.New(slog.DiscardHandler))
	l := &Log{
		cfg: cfg, home: home{cfg.Registry.AccountID(), cfg.Registry.Region()}, outputs: map[string]output{},
		shared: newShared(home{cfg.Registry.AccountID(), cfg.Registry.Region()}),
		kick:   make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	if cfg.Output == nil {
		stream := fmt.Sprintf("%s_%s_0", uuid.NewString(), l.home.account)
		l.cfg.Output = func(group string) (output, error) { return cfg.Store.NewWriter(group, stream, retentionDays) }
	}
	next, err := l.load()
	if err != nil {
		return nil, errors.Join(err, l.closeOutputs())
	}
	go l.follow(next)
	l.unwatch = cfg.Registry.Watch(l.changed)
	return l, nil
}

// Close hands what is buffered to the store. Nothing is logged after it.
func (l *Log) Close() error {
	l.unwatch()
	close(l.stop)
	<-l.done
	l.levels.Store(newSnapshot(0, registry.Logging{Configured: true, Options: registry.LoggingOptions{DisableAll: true}}, nil))
	return l.closeOutputs()
}

func (l *Log) closeOutputs() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	var errs []error
	for _, o := range l.outputs {
		errs = append(errs, o.Close())
	}
	return errors.Join(errs...)
}

// Wants implements [observe.Logger].
func (l *Log) Wants(by observe.Source, kind observe.Kind, outcome observe.Outcome) bool {
	return l.levels.Load().wants(by, kind, outcome)
}

// buffers hold entries while they are made.
var buffers = sync.Pool{New: func() any { return new(entry) }}

// Log implements [observe.Logger].
func (l *Log) Log(by observe.Source, e *observe.Event) {
	out := l.levels.Load().to[e.Kind]
	if out == nil {
		return // switched off since it was wanted
	}
	at := e.Time
	if at.IsZero() {
		at = time.Now()
	}
	w := by.Who()
	trace := cmp.Or(e.TraceID, w.TraceID)
	b := buffers.Get().(*entry)
	b.write(l.home, at, w, e)
	own := logs.NewMembers(string(b.json))
	buffers.Put(b)
	body := logs.NewBody([logs.MaxParts]*logs.Members{l.shared.levels[importance(e.Kind, e.Outcome)], own})
	l.put(out, trace, logs.Entry{Time: at.UnixMilli(), Body: body}, 1)
}

// Passed implements [observe.Logger]. The bodies of its entries are shared.
func (l *Log) Passed(by observe.Source, p observe.Passage) {
	out := l.levels.Load().to[p.Kind]
	if out == nil {
		return // switched off since it was wanted
	}
	m := l.shared.of(by)
	known := l.shared.passed(l.home, by, m, &p)
	l.put(out, known.traceID, logs.Entry{Time: p.Time.UnixMilli(), Body: known.body}, max(1, p.Times))
}

// put hands an entry on, so many times. Those of one trace keep their order.
func (l *Log) put(out output, trace string, e logs.Entry, times int) {
	out.Append(lastOf(trace), e, times)
	if l.cfg.Also != nil {
		b := buffers.Get().(*entry)
		b.json = e.AppendTo(b.json[:0])
		for range times {
			l.cfg.Also(e.Time, b.json)
		}
		buffers.Put(b)
	}
}

// changed is told of every change of the registry. A changed level is in force
// when the call that changed it returns; things that join groups follow at once,
// but not one by one.
func (l *Log) changed(c registry.Change) {
	switch c.Kind {
	case registry.LoggingChanged:
		if _, err := l.load(); err != nil {
			l.cfg.Machine.Error("log levels not read", slog.Any("error", err))
		}
	case registry.GroupChanged, registry.GroupMemberChanged:
		l.mu.Lock()
		groups := l.groups
		l.mu.Unlock()
		if !groups {
			return
		}
	default:
		return
	}
	select { // also after a load: the next expiry may be another one
	case l.kick <- struct{}{}:
	default:
	}
}

// follow loads the levels again when they changed or a temporary one expires.
func (l *Log) follow(next time.Time) {
	defer close(l.done)
	t := time.NewTimer(time.Until(next))
	defer t.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-l.kick:
		case <-t.C:
		}
		next, err := l.load()
		if err != nil {
			l.cfg.Machine.Error("log levels not read", slog.Any("error", err))
			next = time.Now().Add(time.Second)
		}
		t.Reset(time.Until(next))
	}
}

// idle is when the levels are read again at the latest.
const idle = time.Hour

// load compiles the levels and puts them in force. It returns when the next of
// them expires.
func (l *Log) load() (next time.Time, err error) {
	ctx := context.Background()
	l.mu.Lock()
	defer l.mu.Unlock()
	next = time.Now().Add(idle)
	if l.closed {
		return next, nil
	}
	settings, err := l.cfg.Registry.Logging(ctx)
	if err != nil {
		return next, err
	}
	groups := map[string]registry.LogLevel{}
	for _, t := range settings.Levels {
		if t.Target.Type == registry.LogTargetThingGroup {
			groups[t.Target.Name] = t.Level
		}
		if !t.Expires.IsZero() && t.Expires.Before(next) {
			next = t.Expires
		}
	}
	var things map[string]registry.LogLevel
	if l.groups = len(groups) > 0; l.groups {
		if things, err = l.cfg.Registry.ThingsOfGroups(ctx, groups, verbose); err != nil {
			return next, err
		}
	}
	l.generation++
	s := newSnapshot(l.generation, settings, things)
	used, err := l.directLocked(s, settings.Options)
	if err != nil {
		return next, err
	}
	l.levels.Store(s)
	for group, o := range l.outputs {
		if !used[group] { // what is on its way to it is dropped, and counted
			delete(l.outputs, group)
			if err := o.Close(); err != nil {
				l.cfg.Machine.Error("log output not closed", slog.String("log_group", group), slog.Any("error", err))
			}
		}
	}
	return next, nil
}

// directLocked gives each kind of event its output.
func (l *Log) directLocked(s *snapshot, o registry.LoggingOptions) (used map[string]bool, err error) {
	groupOf := map[string]string{}
	for _, e := range o.Events {
		groupOf[e.EventType] = e.Destination
	}
	used = map[string]bool{}
	for kind := range eventKinds {
		group := cmp.Or(groupOf[eventKinds[kind].name], Group)
		if l.outputs[group] == nil {
			if l.outputs[group], err = l.cfg.Output(group); err != nil {
				return nil, fmt.Errorf("log group %s: %w", group, err)
			}
		}
		used[group], s.to[kind] = true, l.outputs[group]
	}
	return used, nil
}
