package symptom

import (
	"encoding/binary"
	"iter"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxText is how many bytes of a text are read; a log's last ones count most.
const MaxText = 1 << 20

// maxLines is of how many different lines numbers, hosts and the like are read.
const maxLines = 20_000

// maxLine is how many bytes of one of them.
const maxLine = 4096

// escape is what terminals act on: colours of esp-idf's monitor, for example.
// Copied text often has lost the escape character itself.
var escape = expression("\x1b\\[[0-9;?]*[A-Za-z]|␛?\\[[0-9]{1,2}(?:;[0-9]{1,2}){0,2}m")

// decode turns UTF-16, which tools of Windows write, into UTF-8. The beginning of
// the text may be lost, and the mark with it: ASCII in UTF-16 has a NUL in every other byte.
func decode(raw string) string {
	head := raw[:min(len(raw), 4096)]
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case strings.HasPrefix(raw, "\xff\xfe"):
	case strings.HasPrefix(raw, "\xfe\xff"):
		order = binary.BigEndian
	default:
		var zeros [2]int // at even and odd offsets
		for i := range len(head) {
			if head[i] == 0 {
				zeros[i%2]++
			}
		}
		if max(zeros[0], zeros[1]) < len(head)/4 || min(zeros[0], zeros[1]) > len(head)/16 || len(head) < 4 {
			return raw
		}
		if zeros[0] > zeros[1] {
			order = binary.BigEndian
		}
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = order.Uint16([]byte(raw[2*i : 2*i+2]))
	}
	return strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff")
}

// minWidth is the least width to which terminals and mail programs break lines.
const minWidth = 60

// unwrap joins the lines of a text that was broken to a fixed width, each part
// with the one before it. The number of lines stays the same.
func unwrap(lines []string) []string {
	width := 0
	for _, l := range lines {
		width = max(width, utf8.RuneCountInString(l))
	}
	if width < minWidth || width > 200 {
		return lines
	}
	for i := len(lines) - 1; i > 0; i-- {
		above, line := lines[i-1], lines[i]
		n := utf8.RuneCountInString(above)
		first, _ := utf8.DecodeRuneInString(line)
		switch {
		case n == 0 || len(line) < 3 || strings.HasPrefix(above, line[:3]) || unicode.IsSpace(first): // the next record of a log
		case n == width && !strings.HasSuffix(above, " "): // in the midst of a word
			lines[i-1], lines[i] = above+line, ""
		case n > width-20 && (unicode.IsLower(first) || first == '-' || first == '('):
			lines[i-1], lines[i] = above+" "+line, ""
		}
	}
	return lines
}

// clip keeps the first and the last part of a text that is too long.
func clip(text string) string {
	if len(text) <= MaxText {
		return text
	}
	return text[:MaxText/4] + "\n" + text[len(text)-MaxText*3/4+1:]
}

// A text is a normalised one: words in lower case between single blanks, a
// blank at both ends of every line. Whoever writes UNEXPECTED_HANGUP,
// UnexpectedHangup or "unexpected hangup" has the same words then.
type text struct {
	raw   []string // lines
	words string   // " word word \n word \n"
	start []int    // where each line begins in words

	distinct []int           // lines that are not empty and not the same as one before, at most maxLines
	families map[client]bool // which left a mark, once known
}

func normalise(raw string) *text {
	raw = escape().ReplaceAllString(strings.ToValidUTF8(clip(decode(raw)), " "), "")
	raw = strings.NewReplacer("\r\n", "\n", "\r", "\n", `\r\n`, "\n", `\n`, "\n").Replace(raw)
	t := &text{raw: unwrap(strings.Split(raw, "\n"))}
	seen := map[string]bool{}
	for i, line := range t.raw {
		if line = strings.TrimSpace(line); line != "" && !seen[line] && len(t.distinct) < maxLines {
			seen[line] = true
			t.distinct = append(t.distinct, i)
		}
	}
	var b strings.Builder
	b.Grow(len(raw) + len(raw)/4)
	for _, line := range t.raw {
		t.start = append(t.start, b.Len())
		b.WriteByte(' ')
		writeWords(&b, line)
		b.WriteString("\n")
	}
	t.words = spellings.Replace(b.String())
	if len(t.words) != b.Len() { // lines moved
		t.start = t.start[:0]
		at := 0
		for range t.raw {
			t.start = append(t.start, at)
			at += strings.IndexByte(t.words[at:], '\n') + 1
		}
	}
	return t
}

// spellings are written in several ways and mean one thing.
var spellings = strings.NewReplacer(
	" time out", " timeout", " timed out", " timeout", " time outs ", " timeout ", " timeouts ", " timeout ", " timedout ", " timeout ",
	" authoris", " authoriz", " unauthoris", " unauthoriz", " un authoriz", " unauthoriz", " host name", " hostname", " user name", " username",
	" web socket", " websocket", " time stamp", " timestamp", " pass phrase", " passphrase",
	" couldn t ", " could not ", " can t ", " cannot ", " can not ", " cannot ", " didn t ", " did not ", " doesn t ", " does not ",
	" isn t ", " is not ", " wasn t ", " was not ", " won t ", " will not ", " don t ", " do not ", " haven t ", " have not ",
	" 0 errors ", " ", " no errors ", " ", " no error ", " ", " without error ", " ", " 0 failures ", " ", " no failure ", " ",
	" no client certificate ca names sent ", " ", " no alpn negotiated ", " ", // openssl s_client says it of every good handshake
	" self signed ", " selfsigned ", " re connect", " reconnect", " call back", " callback", " clientid", " client id",
)

// writeWords writes the words of s in lower case, each with a blank behind it.
// A word ends where letters and digits end, and inside of one at aB and ABc.
func writeWords(b *strings.Builder, s string) {
	inWord := false
	var before rune
	for i, r := range s {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			if inWord {
				b.WriteByte(' ')
			}
			inWord, before = false, r
			continue
		case inWord && unicode.IsUpper(r):
			next, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):])
			if unicode.IsLower(before) || unicode.IsUpper(before) && unicode.IsLower(next) && next != 's' {
				b.WriteByte(' ')
			}
		}
		b.WriteRune(unicode.ToLower(r))
		inWord, before = true, r
	}
	if inWord {
		b.WriteByte(' ')
	}
}

// phrase brings a phrase of the tables to the same form. A * at its end lets the last word go on.
func phrase(p string) string {
	open := strings.HasSuffix(p, "*")
	var b strings.Builder
	b.WriteByte(' ')
	writeWords(&b, strings.TrimSuffix(p, "*"))
	w := spellings.Replace(b.String())
	if open {
		w = strings.TrimSuffix(w, " ")
	}
	return w
}

// find returns where a phrase that went through [phrase] first stands, or -1.
func (t *text) find(p string) int { return strings.Index(t.words, p) }

// lines goes through the different lines, each with its number from 0.
func (t *text) lines() iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for _, i := range t.distinct {
			line := t.raw[i]
			if len(line) > maxLine {
				line = line[:maxLine]
			}
			if !yield(i, line) {
				return
			}
		}
	}
}

// line returns the number, from 0, of the line that holds an offset of words.
func (t *text) line(at int) int {
	lo, hi := 0, len(t.start)-1
	for lo < hi {
		mid := (lo + hi + 1) / 2
		if t.start[mid] <= at {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo
}
