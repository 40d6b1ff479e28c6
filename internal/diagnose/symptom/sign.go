package symptom

import (
	"slices"
	"strings"
	"sync"
)

// A sign is a fact and the phrases that tell it. A phrase stands for whole
// words; a * lets the word before it go on, and what
// follows it stands anywhere; " & " joins phrases that must
// stand in one text, " .. " such that must stand on one line, in any order.
type sign struct {
	fact    *fact
	client  client // the family that words it so; empty for many
	phrases []string
}

// compiled is a phrase with its parts, each a number in the index.
type compiled struct {
	sign
	parts  []int
	inLine bool // the parts stand on one line
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

// maxLinesOfPart is on how many lines of a text a part is remembered.
const maxLinesOfPart = 64

// spots are where a part stands in a text.
type spots struct {
	first int   // offset in the words, or -1
	lines []int // the first lines that have it, in order, from 0
}

// scan returns where each part stands in words.
func (x *index) scan(words string) []spots {
	at := make([]spots, len(x.parts))
	for i := range at {
		at[i].first = -1
	}
	line := 0
	try := func(numbers []int, from int) {
		for _, n := range numbers {
			p := &at[n]
			if len(p.lines) == maxLinesOfPart || len(p.lines) > 0 && p.lines[len(p.lines)-1] == line || !strings.HasPrefix(words[from:], x.parts[n]) {
				continue
			}
			if p.first < 0 {
				p.first = from
			}
			p.lines = append(p.lines, line)
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
			line++
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
				c := compiled{sign: s, inLine: strings.Contains(p, " .. ")}
				for part := range strings.SplitSeq(strings.ReplaceAll(p, " .. ", " & "), " & ") {
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
		if at := c.in(t, where); at >= 0 {
			list = append(list, found{fact: c.fact, at: at, quote: t.quote(at), client: c.client})
		}
	}
	return list
}

// in returns where the phrase stands, as an offset in the words, or -1.
func (c compiled) in(t *text, where []spots) int {
	for _, n := range c.parts {
		if where[n].first < 0 {
			return -1
		}
	}
	if !c.inLine {
		return where[c.parts[0]].first
	}
	for _, line := range where[c.parts[0]].lines {
		if !slices.ContainsFunc(c.parts[1:], func(n int) bool { return !slices.Contains(where[n].lines, line) }) {
			return t.start[line]
		}
	}
	return -1
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
