package symptom

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxText is how many bytes of a text are explained. Of a longer one these are
// its end, the lines before it that tell of an error, and its beginning.
const MaxText = 1 << 20

const (
	maxTail    = MaxText / 4 * 3
	maxTelling = MaxText / 8 // of lines before the tail that tell of an error
	maxHead    = MaxText / 8
	maxLine    = 4096 // bytes; a longer line is read in pieces
)

// A logLine is a line of a text, or a piece of one that is too long.
type logLine struct {
	number int // from 1
	text   string
}

// readLog reads a text of any length and keeps what is explained of it.
func readLog(r io.Reader) ([]logLine, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	head, err := buffered.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) && len(head) == 0 {
		return nil, err
	}
	if order := utf16Order(head); order != nil {
		buffered = bufio.NewReaderSize(&utf16Reader{from: buffered, order: order}, 64<<10)
	}
	k := keeper{told: map[string]bool{}}
	var piece []byte
	number := 1
	emit := func() {
		for part := range strings.SplitSeq(clean(string(piece)), "\n") {
			k.add(logLine{number, part})
		}
		piece = piece[:0]
	}
	for {
		c, err := buffered.ReadByte()
		switch {
		case err != nil:
			emit()
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return k.lines(), err
		case c == '\r':
			if next, _ := buffered.Peek(1); len(next) == 1 && next[0] == '\n' {
				continue
			}
			fallthrough
		case c == '\n':
			emit()
			number++
		default:
			piece = append(piece, c)
			if len(piece) >= maxLine && (c == ' ' || len(piece) >= 2*maxLine) {
				emit()
			}
		}
	}
}

// keeper keeps the lines that are explained.
type keeper struct {
	head, telling, tail []logLine
	bytes               [3]int // of head, telling and tail
	told                map[string]bool
	first               int // of the tail that is kept
}

func (k *keeper) add(l logLine) {
	n := len(l.text) + 1
	if k.bytes[0]+n <= maxHead && len(k.tail) == 0 {
		k.head = append(k.head, l)
		k.bytes[0] += n
		return
	}
	k.tail = append(k.tail, l)
	k.bytes[2] += n
	for k.bytes[2] > maxTail {
		old := k.tail[k.first]
		k.tail[k.first] = logLine{}
		k.first++
		k.bytes[2] -= len(old.text) + 1
		if k.bytes[1]+len(old.text) < maxTelling && !k.told[old.text] && tells(old.text) {
			k.told[old.text] = true
			k.telling = append(k.telling, old)
			k.bytes[1] += len(old.text) + 1
		}
	}
	if k.first > 4096 && k.first > len(k.tail)/2 {
		k.tail, k.first = slices.Clone(k.tail[k.first:]), 0
	}
}

func (k *keeper) lines() []logLine { return slices.Concat(k.head, k.telling, k.tail[k.first:]) }

// tellings are parts of lines that tell of an error, in lower case.
var tellings = []string{"err", "fail", "refus", "denied", "reject", "alert", "timeout", "timed out", "exception", "unable", "cannot", "could not", "couldn't", "lost", "abort", "invalid", "disconnect", "not auth", "unauth", "forbidden", "expired", "mismatch", "verify", "handshake", "0x", "rc=", "exit", "reset", "eof", "closed", "unreachable", "hangup", "panic", "fatal", "returned", "reason", "status", "code"}

// tells says whether a line may tell of an error.
func tells(line string) bool {
	low := strings.ToLower(line)
	return slices.ContainsFunc(tellings, func(s string) bool { return strings.Contains(low, s) })
}

// minRun is the least number of characters of text among bytes that are none.
const minRun = 12

// writtenOut are line breaks as JSON and the like have them.
var writtenOut = strings.NewReplacer(`\r\n`, "\n", `\n`, "\n")

// clean brings a line to the form in which it is read: colours and line breaks
// that were written out are taken out of it, and of bytes that are no text only
// runs of characters stay.
func clean(line string) string {
	if strings.ContainsAny(line, "\x1b␛[") {
		line = escape().ReplaceAllString(line, "")
	}
	if strings.Contains(line, `\n`) {
		line = writtenOut.Replace(line)
	}
	strange := func(r rune) bool { return r == utf8.RuneError || r != '\n' && r != '\t' && unicode.IsControl(r) }
	odd, all := 0, 0
	for _, r := range line {
		all++
		if strange(r) {
			odd++
		}
	}
	if 20*odd <= all {
		return strings.ToValidUTF8(line, " ")
	}
	runs := strings.FieldsFunc(line, func(r rune) bool { return strange(r) || r > unicode.MaxASCII })
	return strings.Join(slices.DeleteFunc(runs, func(s string) bool { return len(s) < minRun }), " ")
}

// utf16Order tells UTF-16, which tools of Windows write, and its byte order. The
// mark at the beginning may be missing: ASCII in UTF-16 has a NUL in every other byte.
func utf16Order(head []byte) binary.ByteOrder {
	switch {
	case len(head) < 4:
		return nil
	case head[0] == 0xFF && head[1] == 0xFE:
		return binary.LittleEndian
	case head[0] == 0xFE && head[1] == 0xFF:
		return binary.BigEndian
	}
	var zeros [2]int // at even and odd offsets
	for i, c := range head {
		if c == 0 {
			zeros[i%2]++
		}
	}
	switch {
	case max(zeros[0], zeros[1]) < len(head)/4 || min(zeros[0], zeros[1]) > len(head)/16:
		return nil
	case zeros[0] > zeros[1]:
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// utf16Reader turns UTF-16 into UTF-8.
type utf16Reader struct {
	from  *bufio.Reader
	order binary.ByteOrder
	high  rune // the first half of a pair, or 0
	out   []byte
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.out) < len(p) {
		var unit [2]byte
		if _, err := io.ReadFull(u.from, unit[:]); err != nil {
			if len(u.out) > 0 {
				break
			}
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = io.EOF
			}
			return 0, err
		}
		switch r := rune(u.order.Uint16(unit[:])); {
		case r == 0xFEFF:
		case u.high != 0:
			u.out = utf8.AppendRune(u.out, utf16.DecodeRune(u.high, r))
			u.high = 0
		case utf16.IsSurrogate(r):
			u.high = r
		default:
			u.out = utf8.AppendRune(u.out, r)
		}
	}
	n := copy(p, u.out)
	u.out = u.out[:copy(u.out, u.out[n:])]
	return n, nil
}
