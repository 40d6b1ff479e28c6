package insights

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// datePart is a piece of the pattern of parseDate: a letter of Java's
// SimpleDateFormat with how often it stands, or a literal text.
type datePart struct {
	letter  byte // 0: literal
	width   int
	literal string
}

// dateLetters are the letters of Java's patterns that are understood.
const dateLetters = "yMdHhmsSaEXZz"

// parseDatePattern reads a pattern such as yyyy-MM-dd'T'HH:mm:ss.SSSXXX.
func parseDatePattern(pattern string) ([]datePart, error) {
	var parts []datePart
	literal := func(s string) { parts = append(parts, datePart{literal: s}) }
	for i := 0; i < len(pattern); {
		c := pattern[i]
		switch {
		case c == '\'':
			end := strings.IndexByte(pattern[i+1:], '\'')
			if end < 0 {
				return nil, fmt.Errorf("the pattern has a quote without an end")
			}
			if end == 0 {
				literal("'")
			} else {
				literal(pattern[i+1 : i+1+end])
			}
			i += end + 2
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			n := 1
			for i+n < len(pattern) && pattern[i+n] == c {
				n++
			}
			if strings.IndexByte(dateLetters, c) < 0 {
				return nil, fmt.Errorf("the pattern has the letter %c; understood are %s, and texts in quotes", c, dateLetters)
			}
			parts = append(parts, datePart{letter: c, width: n})
			i += n
		default:
			literal(pattern[i : i+1])
			i++
		}
	}
	return parts, nil
}

// readDate reads s by the pattern; a time without a zone of its own is in zone.
func readDate(parts []datePart, s string, zone *time.Location) (time.Time, bool) {
	d := date{year: 1970, month: 1, day: 1, zone: zone}
	for i, p := range parts {
		next := i+1 < len(parts) && parts[i+1].letter != 0 && parts[i+1].letter != 'a' && parts[i+1].letter != 'E' // digits follow without a separator
		var ok bool
		if s, ok = d.read(p, s, next); !ok {
			return time.Time{}, false
		}
	}
	if d.afternoon != nil {
		d.hour = d.hour%12 + 12*b2i(*d.afternoon)
	}
	t := time.Date(d.year, time.Month(d.month), d.day, d.hour, d.minute, d.second, d.milli*1e6, d.zone)
	inRange := d.month >= 1 && d.month <= 12 && d.hour < 24 && d.minute < 60 && d.second < 60 && d.day >= 1
	return t, s == "" && inRange && t.Day() == d.day // the 31st of June is none
}

// date is what was read of a date so far.
type date struct {
	year, month, day, hour, minute, second, milli int
	afternoon                                     *bool
	zone                                          *time.Location
}

func (d *date) read(p datePart, s string, adjacent bool) (rest string, ok bool) {
	switch p.letter {
	case 0:
		return strings.CutPrefix(s, p.literal)
	case 'a':
		if len(s) < 2 || !strings.EqualFold(s[:2], "am") && !strings.EqualFold(s[:2], "pm") {
			return s, false
		}
		d.afternoon = new(strings.EqualFold(s[:2], "pm"))
		return s[2:], true
	case 'E':
		return cutName(s, func(i int) string { return time.Weekday(i).String() }, 7, func(int) {})
	case 'X', 'Z', 'z':
		return d.readZone(s)
	case 'M':
		if p.width >= 3 {
			return cutName(s, func(i int) string { return time.Month(i + 1).String() }, 12, func(i int) { d.month = i + 1 })
		}
	}
	n := digitRun(s)
	if adjacent || n > 9 {
		n = min(n, p.width)
	}
	v, err := strconv.Atoi(s[:n])
	if err != nil {
		return s, false
	}
	switch p.letter {
	case 'y':
		if p.width == 2 && n == 2 {
			v += 2000
		}
		d.year = v
	case 'M':
		d.month = v
	case 'd':
		d.day = v
	case 'H', 'h':
		d.hour = v
	case 'm':
		d.minute = v
	case 's':
		d.second = v
	case 'S': // a fraction, whatever its length
		f, _ := strconv.ParseFloat("0."+s[:n], 64)
		d.milli = int(f*1000 + 1e-6)
	}
	return s[n:], true
}

// cutName reads a name of a day or month, whole or its first three letters.
func cutName(s string, name func(i int) string, n int, found func(i int)) (string, bool) {
	for i := range n {
		for _, text := range []string{name(i), name(i)[:3]} {
			if len(s) >= len(text) && strings.EqualFold(s[:len(text)], text) {
				found(i)
				return s[len(text):], true
			}
		}
	}
	return s, false
}

// readZone reads Z, UTC, GMT, +01, +0100 or +01:00.
func (d *date) readZone(s string) (string, bool) {
	for _, utc := range []string{"Z", "UTC", "GMT"} {
		if rest, ok := strings.CutPrefix(s, utc); ok {
			d.zone = time.UTC
			return rest, true
		}
	}
	if s == "" || s[0] != '+' && s[0] != '-' {
		return s, false
	}
	digits := s[1:min(len(s), 3)]
	rest := s[1+len(digits):]
	if more := strings.TrimPrefix(rest, ":"); digitRun(more) >= 2 {
		digits, rest = digits+more[:2], more[2:]
	} else {
		digits += "00"
	}
	v, err := strconv.Atoi(digits)
	if err != nil || len(digits) != 4 || digits[0] == '-' || digits[0] == '+' {
		return s, false
	}
	seconds := (v/100*60 + v%100) * 60
	if s[0] == '-' {
		seconds = -seconds
	}
	d.zone = time.FixedZone("", seconds)
	return rest, true
}

// strftimeLayouts are the conversions of formatDate, as Go's layouts.
var strftimeLayouts = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'e': "_2", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'b': "Jan", 'h': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday",
	'j': "002", 'z': "-0700", 'Z': "MST", 'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04", 'D': "01/02/06", 'L': ".000", 'f': ".000000",
}

// checkStrftime says what is wrong with a format of formatDate.
func checkStrftime(format string) error {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		i++
		if i == len(format) {
			return fmt.Errorf("the format ends in %%")
		}
		if c := format[i]; strftimeLayouts[c] == "" && strings.IndexByte("%sntuw", c) < 0 {
			return fmt.Errorf("the format has %%%c, which is not understood", c)
		}
	}
	return nil
}

// strftime prints t by a format that checkStrftime accepted.
func strftime(t time.Time, format string) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		i++
		switch c := format[i]; c {
		case '%':
			b.WriteByte('%')
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 's':
			b.WriteString(strconv.FormatInt(t.Unix(), 10))
		case 'w':
			b.WriteString(strconv.Itoa(int(t.Weekday())))
		case 'u':
			b.WriteString(strconv.Itoa((int(t.Weekday())+6)%7 + 1))
		case 'L', 'f': // Go writes fractions only after a point
			b.WriteString(t.Format(strftimeLayouts[c])[1:])
		default:
			b.WriteString(t.Format(strftimeLayouts[c]))
		}
	}
	return b.String()
}

// dated compiles parseDate and formatDate: their formats and zones are literals,
// so that what is wrong with them shows before the query runs.
func (c *compiler) dated(e *expr) (eval, error) {
	from, err := c.expr(e.args[0])
	if err != nil {
		return nil, err
	}
	for _, a := range e.args[1:] {
		if a.op != opLiteral || a.literal.kind != textValue {
			return nil, c.p.fail(a.start, a.end, "the format and the time zone of %s are strings", e.name)
		}
	}
	zone := time.UTC
	if len(e.args) == 3 {
		if zone, err = time.LoadLocation(e.args[2].literal.text); err != nil || strings.EqualFold(e.args[2].literal.text, "local") {
			return nil, c.p.fail(e.args[2].start, e.args[2].end, "the time zone %s is not known; write it as Europe/Berlin or UTC", e.args[2].literal.text)
		}
	}
	format := e.args[1].literal.text
	if e.name == "parsedate" {
		parts, err := parseDatePattern(format)
		if err != nil {
			return nil, c.p.fail(e.args[1].start, e.args[1].end, "%s", err.Error())
		}
		return func(r *row) value {
			v := from(r)
			if !v.plain() {
				return value{}
			}
			t, ok := readDate(parts, v.String(), zone)
			if !ok {
				return value{}
			}
			return numberOf(float64(t.UnixMilli()))
		}, nil
	}
	if err := checkStrftime(format); err != nil {
		return nil, c.p.fail(e.args[1].start, e.args[1].end, "%s", err.Error())
	}
	return func(r *row) value {
		ms, ok := from(r).number()
		if !ok || ms > 1e15 || ms < -1e15 {
			return value{}
		}
		return textOf(strftime(time.UnixMilli(int64(ms)).In(zone), format))
	}, nil
}
