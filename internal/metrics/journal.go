package metrics

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/gatehouse-iot/gatehouse/internal/packed"
)

// A journal is the file that a store survives in. It is a sequence of records, each
// with its length and checksum before it; a record is a sequence of entries. A
// torn end is cut off. When much of it is out of date, it is written anew.
//
//	'S' number namespace name unit dimensions: what number a series has
//	'P' number minute point: samples of a minute, to be added
//	'B' number length points: an hour as it is packed, to be added
type journal struct {
	mu        sync.Mutex // held while the disk is written; guards what follows
	path      string
	file      *os.File
	numbers   map[*series]uint64 // in the file
	next      uint64             // number
	end       int64              // bytes
	compactAt int64              // bytes
	broken    error              // a failed write could not be taken back

	size atomic.Int64 // of the file, in bytes
}

const (
	journalMagic = "gatehouse metrics 1\n"
	maxRecord    = 64 << 20 // bytes
	compactLeast = 8 << 20  // bytes that a file may grow by whatever it holds
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seriesMinute is a point of a series.
type seriesMinute struct {
	*series
	minute
}

// open reads the file into s and cuts off what was torn.
func (j *journal) open(path string, s *Store) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	j.path, j.file, j.numbers = path, f, map[*series]uint64{}
	good, err := j.load(s)
	if err == nil && good == 0 {
		if err = f.Truncate(0); err == nil {
			_, err = f.WriteAt([]byte(journalMagic), 0)
		}
		good = int64(len(journalMagic))
	}
	if err == nil {
		err = f.Truncate(good)
	}
	if err != nil {
		f.Close()
		return err
	}
	j.end, j.compactAt = good, 2*good+compactLeast
	j.size.Store(good)
	return nil
}

// load adds what the file has to s, and returns how far it is good.
func (j *journal) load(s *Store) (good int64, err error) {
	r := bufio.NewReaderSize(j.file, 1<<20)
	magic := make([]byte, len(journalMagic))
	if n, err := io.ReadFull(r, magic); n == 0 || errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	if string(magic) != journalMagic {
		return 0, fmt.Errorf("%s is no journal of metrics of this version; move it away to start without it", j.path)
	}
	good = int64(len(journalMagic))
	byNumber := map[uint64]*series{}
	var head [8]byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return good, ignoreEOF(err)
		}
		n := binary.LittleEndian.Uint32(head[:4])
		if n > maxRecord {
			return good, nil
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			return good, ignoreEOF(err)
		}
		if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(head[4:]) || !j.replay(s, body, byNumber) {
			return good, nil
		}
		good += int64(len(head)) + int64(n)
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// replay adds the entries of a record; false where it is corrupt.
func (j *journal) replay(s *Store, body []byte, byNumber map[uint64]*series) bool {
	oldest := s.oldest()
	r := reader{packed.Reader{B: body}}
	for len(r.B) > 0 {
		kind, number := r.Byte(), r.Uvarint()
		switch kind {
		case 'S':
			id := ID{Namespace: string(r.Bytes()), Name: string(r.Bytes())}
			unit := string(r.Bytes())
			for range r.Uvarint() {
				if r.Bad {
					return false
				}
				id.Dimensions = append(id.Dimensions, Dimension{string(r.Bytes()), string(r.Bytes())})
			}
			if r.Bad {
				return false
			}
			j.next = max(j.next, number+1)
			if sr := s.findLocked(id, unit, s.cfg.MaxSeries+reserved); sr != nil {
				byNumber[number], j.numbers[sr] = sr, number
			}
		case 'P':
			at, p := int64(r.Uvarint()), r.point()
			if sr := byNumber[number]; sr != nil && !r.Bad && at >= oldest {
				s.bytes += sr.add(at, &p)
			}
		case 'B':
			points := unpackPoints(r.Bytes())
			if sr := byNumber[number]; sr != nil && !r.Bad {
				for i := range points {
					if points[i].at >= oldest {
						s.bytes += sr.add(points[i].at, &points[i].Point)
					}
				}
			}
		default:
			return false
		}
		if r.Bad {
			return false
		}
	}
	return true
}

// append writes the points that take returns and, when the disk has them, calls
// done, all while nothing else is written.
func (j *journal) append(take func() ([]seriesMinute, error), done func([]seriesMinute)) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return ErrClosed
	}
	if j.broken != nil {
		return j.broken
	}
	points, err := take()
	if err != nil || len(points) == 0 {
		return err
	}
	var fresh []*series
	body := make([]byte, 0, 64*len(points))
	for i := range points {
		if _, ok := j.numbers[points[i].series]; !ok {
			fresh = append(fresh, points[i].series)
		}
		body = j.define(body, points[i].series)
		body = append(body, 'P')
		body = binary.AppendUvarint(body, j.numbers[points[i].series])
		body = binary.AppendUvarint(body, uint64(points[i].at))
		body = appendPoint(body, &points[i].Point)
	}
	if err := j.write(body); err != nil {
		for _, sr := range fresh {
			delete(j.numbers, sr)
		}
		return err
	}
	done(points)
	return nil
}

// define numbers a series that the file does not know.
func (j *journal) define(b []byte, sr *series) []byte {
	if _, ok := j.numbers[sr]; ok {
		return b
	}
	number := j.next
	j.next++
	j.numbers[sr] = number
	b = binary.AppendUvarint(append(b, 'S'), number)
	for _, text := range []string{sr.id.Namespace, sr.id.Name, sr.unit} {
		b = appendBytes(b, []byte(text))
	}
	b = binary.AppendUvarint(b, uint64(len(sr.id.Dimensions)))
	for _, d := range sr.id.Dimensions {
		b = appendBytes(appendBytes(b, []byte(d.Name)), []byte(d.Value))
	}
	return b
}

// write appends one record and syncs it; a failure leaves the file as it was.
func (j *journal) write(body []byte) error {
	record := frame(body)
	_, err := j.file.WriteAt(record, j.end)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		if cutErr := j.file.Truncate(j.end); cutErr != nil {
			j.broken = fmt.Errorf("the journal of metrics is broken: %w", errors.Join(err, cutErr))
		}
		return err
	}
	j.end += int64(len(record))
	j.size.Store(j.end)
	return nil
}

func frame(body []byte) []byte {
	record := binary.LittleEndian.AppendUint32(make([]byte, 0, len(body)+8), uint32(len(body)))
	record = binary.LittleEndian.AppendUint32(record, crc32.Checksum(body, castagnoli))
	return append(record, body...)
}

// compact writes the file anew with what s holds, when that is worth it.
func (j *journal) compact(s *Store) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil || j.end < j.compactAt {
		return nil
	}
	tmp := j.path + ".new"
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write the metrics anew: %w", err)
	}
	old, pending := j.numbers, map[*series][]minute{}
	j.numbers = map[*series]uint64{}
	end, err := j.dump(f, s, &pending)
	if err == nil {
		err = os.Rename(tmp, j.path)
	}
	if err != nil {
		f.Close()
		os.Remove(tmp)
		j.numbers = old
		s.mu.Lock()
		for sr, list := range pending {
			s.pending[sr] = append(list, s.pending[sr]...)
		}
		s.mu.Unlock()
		j.compactAt = j.end + compactLeast // not again at once
		return fmt.Errorf("write the metrics anew: %w", err)
	}
	syncDir(filepath.Dir(j.path))
	j.file.Close()
	j.file, j.end, j.compactAt, j.broken = f, end, 2*end+compactLeast, nil
	j.size.Store(end)
	return nil
}

// dump writes all of s to f, what is pending included, which it takes.
func (j *journal) dump(f *os.File, s *Store, pending *map[*series][]minute) (end int64, err error) {
	w := bufio.NewWriterSize(f, 1<<20)
	if _, err := w.WriteString(journalMagic); err != nil {
		return 0, err
	}
	end = int64(len(journalMagic))
	s.mu.Lock()
	all := make([]*series, 0, len(s.series))
	blocks := make([][]block, 0, len(s.series)) // packed ones are never written to: they outlive the lock
	for _, sr := range s.series {
		list := make([]block, len(sr.blocks))
		for i, b := range sr.blocks {
			if b.packed == nil {
				b.packed = packPoints(b.points)
			}
			list[i] = block{hour: b.hour, packed: b.packed}
		}
		all, blocks = append(all, sr), append(blocks, list)
	}
	*pending, s.pending = s.pending, map[*series][]minute{}
	s.mu.Unlock()
	for i, sr := range all {
		body := j.define(nil, sr)
		for _, b := range blocks[i] {
			body = binary.AppendUvarint(append(body, 'B'), j.numbers[sr])
			body = appendBytes(body, b.packed)
		}
		record := frame(body)
		if _, err := w.Write(record); err != nil {
			return 0, err
		}
		end += int64(len(record))
	}
	if err := w.Flush(); err != nil {
		return 0, err
	}
	return end, f.Sync()
}

// syncDir makes a rename durable; where the system can't, the next write will.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return ErrClosed
	}
	err := j.file.Close()
	j.file = nil
	return err
}
