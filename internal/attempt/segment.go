package attempt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/packed"
)

// A segment holds many records of one burst in one piece: a row of its own, with
// indexes and JSON, costs several times as much CPU time as all else that is done
// to record a connection. What the records share (server name, ciphers, address,
// keys of evidence) is written once. Form, all numbers as uvarints:
//
//	version (1), number of strings, strings (length, bytes), number of records, records
//
// Text in a record is a number: 0 for none, else the place in the list of strings.

// segmentVersion is the first byte of a segment.
const segmentVersion = 1

// segmentLeast is how many records make a segment worth it: fewer get a row each,
// so that a quiet installation looks everything up by an index.
const segmentLeast = 32

// unremarkable tells whether nothing will be asked about rec but who it was: it
// ended well, and never changes again.
func unremarkable(rec *Record) bool {
	if rec.Outcome != Passed || rec.Count != 1 || rec.Code != "" {
		return false
	}
	for i := range rec.Steps {
		if rec.Steps[i].Outcome != Passed {
			return false
		}
	}
	return true
}

// A segmentWriter encodes records. It is used again, so that it hardly allocates.
type segmentWriter struct {
	strings []byte
	places  map[string]uint64
	records []byte
	count   int
	keys    []uint32
	first   int64
	last    int64
	scratch []byte
}

func (w *segmentWriter) reset() {
	if w.places == nil {
		w.places = map[string]uint64{}
	}
	clear(w.places)
	w.strings, w.records, w.keys, w.count = w.strings[:0], w.records[:0], w.keys[:0], 0
	w.first, w.last = math.MaxInt64, math.MinInt64
}

func (w *segmentWriter) number(n uint64) { w.records = binary.AppendUvarint(w.records, n) }

func (w *segmentWriter) text(s string) {
	if s == "" {
		w.number(0)
		return
	}
	place, ok := w.places[s]
	if !ok {
		w.strings = append(binary.AppendUvarint(w.strings, uint64(len(s))), s...)
		place = uint64(len(w.places)) + 1
		w.places[s] = place
	}
	w.number(place)
}

func (w *segmentWriter) address(a netip.AddrPort) {
	if !a.IsValid() {
		w.number(0)
		return
	}
	w.scratch = a.Addr().AppendTo(w.scratch[:0])
	place, ok := w.places[string(w.scratch)]
	if ok {
		w.number(place)
	} else {
		w.text(string(w.scratch))
	}
	w.number(uint64(a.Port()))
}

func (w *segmentWriter) fields(list Fields) {
	w.number(uint64(len(list)))
	for _, f := range list {
		w.text(f.Key)
		w.text(f.Value)
	}
}

// moment writes a time in milliseconds, which is what the JSON form keeps.
func (w *segmentWriter) moment(t time.Time) {
	if t.IsZero() {
		w.number(0)
		return
	}
	w.number(uint64(t.UnixMilli()))
}

func (w *segmentWriter) add(rec *Record) {
	if id, err := uuid.Parse(rec.ID); err == nil && id.String() == rec.ID {
		w.records = append(append(w.records, 1), id[:]...)
	} else {
		w.records = append(w.records, 0)
		w.text(rec.ID)
	}
	w.moment(rec.Began)
	w.moment(rec.Last)
	w.moment(rec.Ended)
	w.text(string(rec.Door))
	w.address(rec.Source)
	w.address(rec.Local)
	w.text(rec.SNI)
	w.number(uint64(len(rec.ALPNOffered)))
	for _, name := range rec.ALPNOffered {
		w.text(name)
	}
	for _, s := range [...]string{
		rec.ALPN, rec.TLSVersion, rec.Cipher, rec.CertificateID, string(rec.Certificate), rec.Principal,
		rec.PrincipalARN, rec.Protocol, rec.ClientID, rec.Thing, rec.SDK,
	} {
		w.text(s)
	}
	w.fields(rec.Facts)
	w.number(uint64(len(rec.Steps)))
	for i := range rec.Steps {
		s := &rec.Steps[i]
		w.text(s.Check.Code)
		w.number(uint64(s.At.Microseconds()))
		w.number(uint64((s.Last - s.At).Microseconds()))
		w.number(uint64(s.Count))
		w.fields(s.Evidence)
	}
	w.number(uint64(rec.Dropped))

	w.count++
	ms := rec.Last.UnixMilli()
	w.first, w.last = min(w.first, ms), max(w.last, ms)
	w.keys = append(w.keys, keyHash(keyID, rec.ID), keyHash(keyClient, rec.searchName()))
	w.keys = append(w.keys, keyHash(keyPrincipal, rec.Principal), keyHash(keyPrincipal, rec.PrincipalARN), keyHash(keyPrincipal, rec.CertificateID))
	if rec.Source.IsValid() {
		w.scratch = rec.Source.Addr().AppendTo(w.scratch[:0])
		w.keys = append(w.keys, keyHash(keySource, string(w.scratch)))
	}
}

// body returns the segment.
func (w *segmentWriter) body() []byte {
	out := make([]byte, 0, len(w.strings)+len(w.records)+16)
	out = append(out, segmentVersion)
	out = binary.AppendUvarint(out, uint64(len(w.places)))
	out = append(out, w.strings...)
	out = binary.AppendUvarint(out, uint64(w.count))
	return append(out, w.records...)
}

// index returns the keys of the segment, sorted, each once.
func (w *segmentWriter) index() []byte {
	slices.Sort(w.keys)
	w.keys = slices.Compact(w.keys)
	out := make([]byte, 0, 4*len(w.keys))
	for _, k := range w.keys {
		out = binary.LittleEndian.AppendUint32(out, k)
	}
	return out
}

// Kinds of keys.
const (
	keyID        = 'i'
	keyClient    = 'c'
	keyPrincipal = 'p'
	keySource    = 's'
)

// keyHash is the key of a value; two values may share one.
func keyHash(kind byte, value string) uint32 {
	const prime = 16777619 // FNV-1a, as hash/fnv has it, without its interface
	h := (uint32(2166136261) ^ uint32(kind)) * prime
	for i := range len(value) {
		h = (h ^ uint32(value[i])) * prime
	}
	return h
}

// hasKey tells whether an index holds a key.
func hasKey(index []byte, key uint32) bool {
	lo, hi := 0, len(index)/4
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		switch k := binary.LittleEndian.Uint32(index[4*mid:]); {
		case k == key:
			return true
		case k < key:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return false
}

var errSegment = errors.New("damaged segment")

// A segmentReader decodes a segment. What it reads may be damaged: every number
// is checked, and after the first wrong one everything is empty.
type segmentReader struct {
	packed.Reader
	strings []string
}

// length reads how many things of at least one byte each follow.
func (r *segmentReader) length() int { return r.Size(len(r.B)) }

func (r *segmentReader) text() string {
	place := r.Uvarint()
	if place == 0 || r.Bad {
		return ""
	}
	if place > uint64(len(r.strings)) {
		r.Fail()
		return ""
	}
	return r.strings[place-1]
}

func (r *segmentReader) address() netip.AddrPort {
	text := r.text()
	if text == "" {
		return netip.AddrPort{}
	}
	addr, err := netip.ParseAddr(text)
	port := r.Uvarint()
	if err != nil || port > math.MaxUint16 {
		r.Fail()
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr, uint16(port))
}

func (r *segmentReader) fields() Fields {
	n := r.length()
	if n == 0 {
		return nil
	}
	list := make(Fields, 0, n)
	for range n {
		list = append(list, Field{r.text(), r.text()})
	}
	return list
}

func (r *segmentReader) moment() time.Time {
	ms := r.Uvarint()
	if ms == 0 || ms > math.MaxInt64/1000 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

func (r *segmentReader) duration() time.Duration {
	us := r.Uvarint()
	if us > uint64(math.MaxInt64/time.Microsecond) {
		r.Fail()
		return 0
	}
	return time.Duration(us) * time.Microsecond
}

func (r *segmentReader) record() Record {
	rec := Record{Outcome: Passed, Count: 1}
	if kind := r.Take(1); len(kind) == 1 && kind[0] == 1 {
		if id, err := uuid.FromBytes(r.Take(16)); err == nil {
			rec.ID = id.String()
		}
	} else {
		rec.ID = r.text()
	}
	rec.Began, rec.Last, rec.Ended = r.moment(), r.moment(), r.moment()
	rec.Door = Door(r.text())
	rec.Source, rec.Local = r.address(), r.address()
	rec.SNI = r.text()
	for range r.length() {
		rec.ALPNOffered = append(rec.ALPNOffered, r.text())
	}
	rec.ALPN, rec.TLSVersion, rec.Cipher, rec.CertificateID = r.text(), r.text(), r.text(), r.text()
	if der := r.text(); der != "" {
		rec.Certificate = []byte(der)
	}
	rec.Principal, rec.PrincipalARN, rec.Protocol, rec.ClientID = r.text(), r.text(), r.text(), r.text()
	rec.Thing, rec.SDK = r.text(), r.text()
	rec.Facts = r.fields()
	n := r.length()
	rec.Steps = make([]Step, 0, n)
	for range n {
		s := Step{Outcome: Passed}
		code := r.text()
		var known bool
		if s.Check, known = check.Lookup(code); !known { // of another version
			s.Check = &check.Check{Code: code, Title: code, Passed: code}
		}
		s.At = r.duration()
		s.Last = s.At + r.duration()
		s.Count = int(r.Uvarint())
		s.Evidence = r.fields()
		rec.Steps = append(rec.Steps, s)
	}
	rec.Dropped = int(r.Uvarint())
	return rec
}

// readSegment calls yield for every record of a segment.
func readSegment(body []byte, yield func(Record)) error {
	r := segmentReader{Reader: packed.Reader{B: body}}
	if version := r.Take(1); len(version) == 1 && version[0] != segmentVersion {
		return fmt.Errorf("segment of version %d", version[0])
	}
	n := r.length()
	r.strings = make([]string, 0, n)
	for range n {
		r.strings = append(r.strings, string(r.Bytes()))
	}
	for range r.length() {
		rec := r.record()
		if r.Bad {
			break
		}
		yield(rec)
	}
	if r.Bad {
		return errSegment
	}
	return nil
}
