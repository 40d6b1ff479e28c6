package symptom

import (
	"strings"
	"sync"
)

// A sign is a fact and the phrases that tell it. A phrase stands for whole
// words; a * lets the word before it go on, and what
// follows it stands anywhere; " & " joins phrases that must
// stand in one text.
type sign struct {
	fact    *fact
	client  client // the family that words it so; empty for many
	phrases []string
}

// compiled is a phrase with its parts, each a number in the index.
type compiled struct {
	sign
	parts []int
}

// An index finds all parts of all phrases in one pass over the words of a text.
type index struct {
	parts   []string         // " word word " or " word wor"
	known   map[string]int   // part -> number
	byFirst map[string][]int // first word -> parts that begin with it
	byStem  map[string][]int // first letters of a word that may go on -> parts
}

// stem is how many bytes of an open word the index knows.
const stem = 3

func (x *index) add(part string) int {
	if n, ok := x.known[part]; ok {
		return n
	}
	n := len(x.parts)
	x.parts = append(x.parts, part)
	x.known[part] = n
	first, _, whole := strings.Cut(part[1:], " ")
	if whole {
		x.byFirst[first] = append(x.byFirst[first], n)
	} else {
		x.byStem[first[:min(stem, len(first))]] = append(x.byStem[first[:min(stem, len(first))]], n)
	}
	return n
}

// scan returns where each part first stands in words, or -1.
func (x *index) scan(words string) []int {
	at := make([]int, len(x.parts))
	for i := range at {
		at[i] = -1
	}
	try := func(numbers []int, from int) {
		for _, n := range numbers {
			if at[n] < 0 && strings.HasPrefix(words[from:], x.parts[n]) {
				at[n] = from
			}
		}
	}
	for from := strings.IndexByte(words, ' '); from >= 0; {
		end := from + 1
		for end < len(words) && words[end] != ' ' && words[end] != '\n' {
			end++
		}
		word := words[from+1 : end]
		try(x.byFirst[word], from)
		for n := 1; n <= min(stem, len(word)); n++ {
			try(x.byStem[word[:n]], from)
		}
		if end < len(words) && words[end] == '\n' {
			end++ // the next line begins with its own blank
		}
		if end >= len(words) {
			break
		}
		from = end
	}
	return at
}

// phrases are the tables of signs and the index of their parts, made when the
// first text is explained.
var phrases = sync.OnceValues(func() (*index, []compiled) {
	x := &index{known: map[string]int{}, byFirst: map[string][]int{}, byStem: map[string][]int{}}
	var list []compiled
	for _, signs := range [][]sign{networkSigns, tlsSigns, fileSigns, mqttSigns, apiSigns, proseSigns, contextSigns} {
		for _, s := range signs {
			for _, p := range s.phrases {
				c := compiled{sign: s}
				for part := range strings.SplitSeq(p, " & ") {
					before, after, open := strings.Cut(part, "*")
					if open {
						before += "*"
					}
					c.parts = append(c.parts, x.add(phrase(before)))
					if strings.TrimSpace(after) != "" {
						c.parts = append(c.parts, x.add(phrase(after)))
					}
				}
				list = append(list, c)
			}
		}
	}
	return x, list
})

// signs finds the phrases of the tables.
func (t *text) signs() (list []found) {
	phrases, table := phrases()
	where := phrases.scan(t.words)
	for _, c := range table {
		at := where[c.parts[0]]
		for _, n := range c.parts {
			if where[n] < 0 {
				at = -1
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
