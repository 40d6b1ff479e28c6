package symptom

import "strings"

// A sign is a fact and the phrases that tell it. A phrase stands for whole
// words; a * at its end lets the last word go on; " & " joins phrases that must
// stand in one text.
type sign struct {
	fact    *fact
	client  client // the family that words it so; empty for many
	phrases []string
}

// compiled is a phrase that went through [phrase].
type compiled struct {
	sign
	parts []string
}

var table = func() (list []compiled) {
	for _, signs := range [][]sign{networkSigns, tlsSigns, fileSigns, mqttSigns, apiSigns, proseSigns, contextSigns} {
		for _, s := range signs {
			for _, p := range s.phrases {
				c := compiled{sign: s}
				for part := range strings.SplitSeq(p, " & ") {
					c.parts = append(c.parts, phrase(part))
				}
				list = append(list, c)
			}
		}
	}
	return list
}()

// signs finds the phrases of the tables.
func (t *text) signs() (list []found) {
	for _, c := range table {
		at := -1
		for i, p := range c.parts {
			where := t.find(p)
			if where < 0 {
				at = -1
				break
			}
			if i == 0 {
				at = where
			}
		}
		if at >= 0 {
			list = append(list, found{fact: c.fact, at: at, quote: t.quote(at), client: c.client})
		}
	}
	return list
}

const maxQuote = 160

// quote is the line of the text around an offset, shortened.
func (t *text) quote(at int) string {
	line := strings.TrimSpace(t.raw[t.line(at)])
	if len(line) > maxQuote {
		line = strings.ToValidUTF8(line[:maxQuote], "") + "…"
	}
	return line
}
