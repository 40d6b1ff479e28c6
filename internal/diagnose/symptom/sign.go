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
const maxLinesOfPart = 512

// near is how many lines lie between parts of a phrase at most. What a
// log says hours later is another matter.
const near = 40

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

// signs finds the phrases of the tables, each on the lines that have it.
func (t *text) signs() (list []found) {
	phrases, table := phrases()
	where := phrases.scan(t.words)
	for _, c := range table {
		word := strings.Fields(phrases.parts[c.parts[0]])[0]
		for _, line := range c.lines(where) {
			list = append(list, found{fact: c.fact, at: t.start[line], quote: t.quote(line, word), client: c.client})
		}
	}
	return list
}

// maxRepeats is how many lines with the same phrase are looked at.
const maxRepeats = 16

// lines are those on which the phrase stands, or its first part if the others are near.
func (c compiled) lines(where []spots) (list []int) {
	for _, n := range c.parts {
		if where[n].first < 0 {
			return nil
		}
	}
	reach := near
	if c.inLine {
		reach = 0
	}
	for _, line := range where[c.parts[0]].lines {
		apart := func(n int) bool {
			lines := where[n].lines
			i, _ := slices.BinarySearch(lines, line-reach)
			return i == len(lines) || lines[i] > line+reach
		}
		if !slices.ContainsFunc(c.parts[1:], apart) {
			list = append(list, line)
		}
		if len(list) == maxRepeats {
			break
		}
	}
	return list
}

const maxQuote = 160

// quote is a line, shortened to what stands around a word.
func (t *text) quote(line int, word string) string {
	text := strings.TrimSpace(t.raw[line])
	if len(text) <= maxQuote {
		return text
	}
	return excerpt(text, strings.Index(strings.ToLower(text), word))
}

// excerpt shortens a line to what stands around an offset of it.
func excerpt(line string, at int) string {
	if len(line) <= maxQuote {
		return strings.TrimSpace(line)
	}
	from := min(max(at-maxQuote/3, 0), len(line)-1)
	to := min(from+maxQuote, len(line))
	text := strings.TrimSpace(strings.ToValidUTF8(line[from:to], ""))
	if from > 0 {
		text = "…" + text
	}
	if to < len(line) {
		text += "…"
	}
	return text
}
