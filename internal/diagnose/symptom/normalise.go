package symptom

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLines is of how many different lines numbers, hosts and the like are read.
const maxLines = 20_000

// escape is what terminals act on: colours of esp-idf's monitor, for example.
// Copied text often has lost the escape character itself.
var escape = expression("\x1b\\[[0-9;?]*[A-Za-z]|␛?\\[[0-9]{1,2}(?:;[0-9]{1,2}){0,2}m")

// minWidth is the least width to which terminals and mail programs break lines.
const minWidth = 60

// maxWrapped is how many lines of a text that was broken are put together; logs
// come from files, where nothing breaks them.
const maxWrapped = 60

// record is how a line of a log begins.
var record = expression(`^(?:\[|<|\d{1,4}[-:/.]\d|[A-Z][a-z]{2} +\d|[EWIDV] ?\(|at |Caused|Error|Traceback)`)

// unwrap joins the lines of a text that was broken to a fixed width, each part
// with the one before it. The number of lines stays the same.
func unwrap(lines []logLine) {
	width, full := 0, 0
	for _, l := range lines {
		switch n := utf8.RuneCountInString(l.text); {
		case n > width:
			width, full = n, 1
		case n == width:
			full++
		}
	}
	if width < minWidth || width > 200 || full < 2 && len(lines) > 12 || len(lines) > maxWrapped {
		return
	}
	for i := len(lines) - 1; i > 0; i-- {
		above, line := lines[i-1].text, lines[i].text
		n := utf8.RuneCountInString(above)
		last, _ := utf8.DecodeLastRuneInString(above)
		first, _ := utf8.DecodeRuneInString(line)
		switch {
		case n == 0 || len(line) < 3 || strings.HasPrefix(above, line[:3]) || unicode.IsSpace(first) || record().MatchString(line): // a line of its own
		case n == width && !unicode.IsSpace(last) && (!unicode.IsDigit(last) || !unicode.IsDigit(first)) && !strings.ContainsRune(".;)]}'\"", last): // in the midst of a word
			lines[i-1].text, lines[i].text = above+line, ""
		case n > width-20 && (unicode.IsLower(first) || first == '-' || first == '('):
			lines[i-1].text, lines[i].text = above+" "+line, ""
		}
	}
}

// A text is a normalised one: words in lower case between single blanks, a
// blank at both ends of every line. Whoever writes UNEXPECTED_HANGUP,
// UnexpectedHangup or "unexpected hangup" has the same words then.
type text struct {
	raw    []string // lines
	number []int    // theirs in the log, from 1
	words  string   // " word word \n word \n"
	start  []int    // where each line begins in words

	distinct []int           // lines that are not empty and not the same as one before, at most maxLines
	families map[client]bool // which left a mark, once known
}

func normalise(lines []logLine) *text {
	unwrap(lines)
	t := &text{}
	size := 0
	for _, l := range lines {
		t.raw = append(t.raw, l.text)
		t.number = append(t.number, l.number)
		size += len(l.text)
	}
	seen := map[string]bool{}
	for i, line := range t.raw {
		if line = strings.TrimSpace(line); line != "" && !seen[line] && len(t.distinct) < maxLines {
			seen[line] = true
			t.distinct = append(t.distinct, i)
		}
	}
	var b strings.Builder
	b.Grow(size + size/4)
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
