package messagelog

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// Pebble's settings: small, because a server at rest must stay small. A memory table begins with
// 256 KiB and grows to its bound as it is used.
const (
	cacheBytes    = 8 << 20
	memTableBytes = 2 << 20 // up to four at a time: with 8 MiB, 100,000 messages took 548 bytes each, with 2 MiB 340
	openFiles     = 256
)

// An engine is Pebble with the guard it writes through.
type engine struct {
	db    *pebble.DB
	guard *guard

	use    sync.RWMutex // read-held by readers; so that close waits for them
	closed bool         // guarded by use

	compacting sync.WaitGroup
	cancel     context.CancelFunc // of the compaction
	ctx        context.Context    //nolint:containedctx // ends with the engine, not with a call
}

// openEngine opens Pebble, and reads what is in memory of its content.
func (s *store) openEngine() (*engine, *index, error) {
	e := &engine{}
	e.guard = newGuard(s.o.fs, s.wakeUp)
	e.ctx, e.cancel = context.WithCancel(context.Background())
	cache := pebble.NewCache(cacheBytes)
	defer cache.Unref() // Pebble holds it from now on
	o := &pebble.Options{
		FS:                          e.guard,
		Lock:                        s.lock,
		Logger:                      pebbleLog{s.o.Log},
		Cache:                       cache,
		MaxOpenFiles:                openFiles,
		MemTableSize:                memTableBytes,
		MemTableStopWritesThreshold: 4,
		FormatMajorVersion:          pebble.FormatNewest,
		CompactionConcurrencyRange:  func() (lower, upper int) { return 1, 1 },
		EventListener: &pebble.EventListener{
			BackgroundError: e.fail,
			DataCorruption:  func(i pebble.DataCorruptionInfo) { e.fail(i.Details) },
		},
	}
	// The usual scheduler wakes ten times a second to see whether more compactions are allowed at
	// once. Here it is one always, and the next is granted when it is done.
	o.Experimental.CompactionScheduler = pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest()
	db, err := pebble.Open(s.o.Dir, o)
	if err != nil {
		e.cancel()
		if cause := e.guard.err(); cause != nil {
			err = cause
		}
		return nil, nil, err
	}
	e.db = db
	ix, err := load(db)
	if err == nil {
		err = e.guard.err()
	}
	if err != nil {
		e.close()
		return nil, nil, err
	}
	return e, ix, nil
}

// fail gives the engine up: a flush or compaction failed, and Pebble would try again at once and for
// ever, or a file cannot be read.
func (e *engine) fail(err error) {
	if e.ctx.Err() == nil {
		go e.guard.shut(err) // it may be called by a write that the guard waits for
	}
}

// close ends Pebble. What it has not written it does not write.
func (e *engine) close() error {
	e.cancel()
	e.compacting.Wait()
	e.use.Lock()
	defer e.use.Unlock()
	e.closed = true
	err := e.db.Close()
	if cause := e.guard.err(); cause != nil {
		return cause
	}
	return err
}

// read calls f, which reads, unless the engine has ended.
func (e *engine) read(f func(*pebble.DB) error) error {
	e.use.RLock()
	defer e.use.RUnlock()
	if e.closed {
		return ErrBroken
	}
	err := f(e.db)
	if cause := e.guard.err(); cause != nil {
		return brokenBy(cause) // files that it wrote since are void
	}
	return err
}

// compact gives the space of what was removed back, in the background.
func (e *engine) compact() {
	e.compacting.Go(func() {
		if err := e.db.Compact(e.ctx, []byte{0}, []byte{0xff}, false); err != nil && e.ctx.Err() == nil {
			e.fail(err)
		}
	})
}

// pebbleLog hands what Pebble logs on. It says much that nobody needs.
type pebbleLog struct{ log *slog.Logger }

func (pebbleLog) Infof(string, ...any) {}

func (l pebbleLog) Errorf(format string, args ...any) {
	l.log.LogAttrs(context.Background(), slog.LevelError, "message log: the store reports an error", slog.String("error", fmt.Sprintf(format, args...)))
}

// Fatalf must not return. Failed writes do not come here, the guard takes care of them: what comes
// is a broken invariant, after which nothing may be written.
func (pebbleLog) Fatalf(format string, args ...any) {
	panic("message log: " + fmt.Sprintf(format, args...))
}
