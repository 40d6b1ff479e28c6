package metrics

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Retention is how long a point is kept. Source: metrics sheet 5 (one-minute points).
const Retention = 15 * 24 * time.Hour

const retentionMinutes = int64(Retention / time.Minute)

// Config is what a Store needs. Optional fields have defaults.
type Config struct {
	File      string           // required: the journal; made when it is not there
	MaxSeries int              // metrics that may be put, each unit of one counting; default 10,000
	MaxBytes  int              // of points in memory, above which the oldest hours go; default 64 MiB
	Now       func() time.Time // default time.Now
	Log       *slog.Logger     // default: nothing is logged
}

// A Store keeps metrics. Make it with [Open]; safe for concurrent use.
type Store struct {
	cfg     Config
	journal journal

	stop    chan struct{}
	stopped sync.WaitGroup

	mu       sync.Mutex // guards what follows
	series   map[string]*series
	order    []*series // those of series, in the order of their IDs; nil: to be sorted
	bytes    int       // of points
	pending  map[*series][]minute
	refused  uint64 // samples of metrics that there was no room for
	counters []*counter
	families []*family
}

// A Datum is a point of a metric.
type Datum struct {
	ID    ID
	Unit  string // of CloudWatch: "Count", "None"
	Time  time.Time
	Point Point
}

// ErrFull is the answer of a store that keeps as many metrics as it may.
var ErrFull = errors.New("metrics: there is no room for another metric")

// ErrClosed is the answer of a store that was closed.
var ErrClosed = errors.New("metrics: closed")

// Open reads the journal and begins to write what is counted to it, once a minute.
func Open(cfg Config) (*Store, error) {
	cfg.MaxSeries = cmp.Or(cfg.MaxSeries, 10_000)
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, 64<<20)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{cfg: cfg, series: map[string]*series{}, pending: map[*series][]minute{}, stop: make(chan struct{})}
	if err := s.journal.open(cfg.File, s); err != nil {
		return nil, fmt.Errorf("open the metrics: %w", err)
	}
	s.sweep()
	s.stopped.Go(s.run)
	return s, nil
}

// run counts and writes at the end of every minute: what happened in it belongs to it.
func (s *Store) run() {
	for {
		now := s.cfg.Now()
		wait := time.NewTimer(now.Truncate(time.Minute).Add(time.Minute - time.Millisecond).Sub(now))
		select {
		case <-s.stop:
			wait.Stop()
			return
		case <-wait.C:
		}
		if err := s.Flush(); err != nil {
			s.cfg.Log.Error("metrics were not written; they are kept in memory and tried again", "error", err)
		}
		s.sweep()
		select {
		case <-s.stop:
			return
		case <-time.After(2 * time.Millisecond): // into the next minute
		}
	}
}

// Close counts once more, and writes everything to disk.
func (s *Store) Close() error {
	s.mu.Lock()
	select {
	case <-s.stop:
		s.mu.Unlock()
		return ErrClosed
	default:
		close(s.stop)
	}
	s.mu.Unlock()
	s.stopped.Wait()
	return errors.Join(s.Flush(), s.journal.close())
}

// Add adds samples to a metric, at a time of the last minutes. They are on disk
// within a minute. Samples of a new metric are dropped, and counted, when there is
// no room for it.
func (s *Store) Add(id ID, unit string, at time.Time, p Point) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addLocked(id, unit, at.Unix()/60, &p)
}

func (s *Store) addLocked(id ID, unit string, at int64, p *Point) {
	sr := s.findLocked(id, unit, s.cfg.MaxSeries+reserved)
	if sr == nil {
		s.refused++
		return
	}
	s.bytes += sr.add(at, p)
	list := s.pending[sr]
	if k := len(list) - 1; k >= 0 && list[k].at == at {
		list[k].merge(p)
		return
	}
	m := minute{at: at}
	m.merge(p)
	s.pending[sr] = append(list, m)
}

// reserved is how many metrics there is room for beyond MaxSeries that only
// Gatehouse itself may use: nobody can put its own out.
const reserved = 5000

// findLocked returns the series of a metric, a new one while there are fewer than
// room, or nil.
func (s *Store) findLocked(id ID, unit string, room int) *series {
	key := id.Key() + "\x01" + unit
	sr := s.series[key]
	if sr == nil {
		if len(s.series) >= room {
			return nil
		}
		sr = &series{id: id.sorted(), unit: unit}
		s.series[key], s.order = sr, nil
		s.bytes += seriesSize + 2*len(key)
	}
	return sr
}

// Put adds points, all or none, and returns when they are on disk. Errors:
// [ErrFull], [ErrClosed]; others are of the disk, which has none of them then.
func (s *Store) Put(data []Datum) error {
	oldest := s.oldest()
	return s.journal.append(func() ([]seriesMinute, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		fresh := map[string]bool{}
		for i := range data {
			if key := data[i].ID.Key() + "\x01" + data[i].Unit; s.series[key] == nil {
				fresh[key] = true
			}
		}
		if len(fresh) > 0 && len(s.series)+len(fresh) > s.cfg.MaxSeries {
			return nil, ErrFull
		}
		var out []seriesMinute
		for i := range data {
			if at := data[i].Time.Unix() / 60; at >= oldest {
				out = append(out, seriesMinute{s.findLocked(data[i].ID, data[i].Unit, s.cfg.MaxSeries), minute{at, data[i].Point}})
			}
		}
		return out, nil
	}, func(points []seriesMinute) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i := range points {
			s.bytes += points[i].series.add(points[i].at, &points[i].Point)
		}
	})
}

// Flush counts, and writes what is not on disk yet.
func (s *Store) Flush() error {
	s.Collect()
	var taken map[*series][]minute
	err := s.journal.append(func() ([]seriesMinute, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		var out []seriesMinute
		for sr, list := range s.pending {
			for _, m := range list {
				out = append(out, seriesMinute{sr, m})
			}
		}
		taken, s.pending = s.pending, map[*series][]minute{}
		return out, nil
	}, func([]seriesMinute) {})
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		for sr, list := range taken {
			s.pending[sr] = append(list, s.pending[sr]...)
			if over := len(s.pending[sr]) - maxPending; over > 0 {
				s.pending[sr] = s.pending[sr][over:]
			}
		}
		return err
	}
	return s.journal.compact(s)
}

// maxPending bounds how many minutes of a metric wait for a disk that is broken.
const maxPending = 60

func (s *Store) oldest() int64 { return s.cfg.Now().Unix()/60 - retentionMinutes }

// sweep packs hours that are over, and drops what is too old or too much.
func (s *Store) sweep() {
	oldest := s.oldest() / hourMinutes
	hour := s.cfg.Now().Unix() / 3600
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, sr := range s.series {
		s.dropLocked(sr, oldest)
		for i := range sr.blocks {
			if sr.blocks[i].hour < hour {
				s.bytes -= sr.blocks[i].pack()
			}
		}
		if len(sr.blocks) == 0 && len(s.pending[sr]) == 0 {
			delete(s.series, key)
			delete(s.pending, sr)
			s.order = nil
			s.bytes -= seriesSize + 2*len(key)
		}
	}
	for s.bytes > s.cfg.MaxBytes && oldest < hour {
		first := hour
		for _, sr := range s.series {
			if len(sr.blocks) > 0 {
				first = min(first, sr.blocks[0].hour)
			}
		}
		oldest = first + 1
		for _, sr := range s.series {
			s.dropLocked(sr, oldest)
		}
	}
}

// dropLocked drops the hours of a series before one.
func (s *Store) dropLocked(sr *series, before int64) {
	n := 0
	for n < len(sr.blocks) && sr.blocks[n].hour < before {
		s.bytes -= sr.blocks[n].size() + blockSize
		n++
	}
	sr.blocks = slices.Delete(sr.blocks, 0, n)
}

// Listed is a metric and when it last had a sample.
type Listed struct {
	ID   ID
	Last time.Time // the minute
}

// List returns the metrics that match, in order, each once whatever its units.
func (s *Store) List(match func(ID) bool) []Listed {
	s.Collect()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.order == nil {
		for _, sr := range s.series {
			s.order = append(s.order, sr)
		}
		slices.SortFunc(s.order, func(a, b *series) int { return cmp.Or(a.id.compare(b.id), cmp.Compare(a.unit, b.unit)) })
	}
	var out []Listed
	for _, sr := range s.order {
		if len(sr.blocks) == 0 || !match(sr.id) {
			continue
		}
		last := time.Unix(sr.last*60, 0).UTC()
		if k := len(out) - 1; k >= 0 && out[k].ID.compare(sr.id) == 0 {
			out[k].Last = later(out[k].Last, last)
			continue
		}
		out = append(out, Listed{sr.id, last})
	}
	return out
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Usage is how much a store holds.
type Usage struct {
	Series    int
	Bytes     int // of points in memory
	DiskBytes int64
	Refused   uint64 // samples dropped because there was no room for their metric
}

// Usage counts.
func (s *Store) Usage() Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Usage{len(s.series), s.bytes, s.journal.size.Load(), s.refused}
}
