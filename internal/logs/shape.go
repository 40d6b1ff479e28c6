package logs

import "strings"

// A member is one key and value of a compact JSON object, the value as its text.
type member struct{ key, token string }

// splitCompact splits a JSON object that is written without white space and with
// plain, distinct keys, so that keys and values alone give it back byte for
// byte. It appends to members and reports false for any other message. leaves is
// how many fields it has, or a few more.
func splitCompact(message string, members []member) (_ []member, leaves int, ok bool) {
	p := scanner{s: message}
	if !p.take('{') {
		return members, 0, false
	}
	for {
		quoted, ok := p.text()
		if !ok || !plainKey(quoted[1:len(quoted)-1]) || !p.take(':') {
			return members, leaves, false
		}
		token, ok := p.value(1)
		if !ok {
			return members, leaves, false
		}
		key := quoted[1 : len(quoted)-1]
		if hasKey(members, key) {
			return members, leaves, false
		}
		leaves++
		if c := token[0]; c == '{' || c == '[' {
			leaves += strings.Count(token, ",") // at least as many as there are leaves
		}
		members = append(members, member{key, token})
		if p.take('}') {
			return members, leaves, p.i == len(message) && leaves <= MaxFields
		}
		if !p.take(',') {
			return members, leaves, false
		}
	}
}

func hasKey(members []member, key string) bool {
	for i := range members {
		if members[i].key == key {
			return true
		}
	}
	return false
}

func plainKey(k string) bool {
	for i := range len(k) {
		c := k[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return k != ""
}

// timeText is the form of a time in events: "2026-05-11 08:14:02.117", UTC.
const timeText = "2006-01-02 15:04:05.000"

// appendTimeToken appends the JSON string of an event's time, as the field
// timestamp of AWS's entries has it.
func appendTimeToken(b []byte, ms int64) []byte {
	b = append(b, '"')
	b = AppendTime(b, ms)
	return append(b, '"')
}

// AppendTime appends an instant in epoch milliseconds as YYYY-MM-DD HH:MM:SS.mmm, UTC.
func AppendTime(b []byte, ms int64) []byte {
	days := ms / 86_400_000
	rest := ms % 86_400_000
	if rest < 0 {
		days--
		rest += 86_400_000
	}
	// Civil date from the day number: the algorithm of H. Hinnant's "chrono-Compatible Low-Level Date Algorithms".
	z := days + 719468
	era := z / 146097
	if z < 0 {
		era = (z - 146096) / 146097
	}
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d := doy - (153*mp+2)/5 + 1
	m := mp + 3
	if mp >= 10 {
		m = mp - 9
	}
	y := yoe + era*400
	if m <= 2 {
		y++
	}
	b = padded(b, y, 4)
	b = padded(append(b, '-'), m, 2)
	b = padded(append(b, '-'), d, 2)
	b = padded(append(b, ' '), rest/3_600_000, 2)
	b = padded(append(b, ':'), rest/60_000%60, 2)
	b = padded(append(b, ':'), rest/1000%60, 2)
	return padded(append(b, '.'), rest%1000, 3)
}

func padded(b []byte, n int64, width int) []byte {
	var digits [20]byte
	i := len(digits)
	for n > 0 || i > len(digits)-width {
		i--
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	return append(b, digits[i:]...)
}
