package insights

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Columns of the command pattern. Source: logs sheet 6.5.
const (
	patternColumn  = "@pattern"
	ratioColumn    = "@ratio"
	samplesColumn  = "@sampleCount"
	severityColumn = "@severityLabel"
)

const (
	maxPatternPieces = 400   // of one text; what follows is one token
	maxPatterns      = 2_000 // skeletons that are compared with each other
	alike            = 0.7   // share of equal pieces that makes two texts one pattern
)

// pattern compiles pattern: rows are counted by their skeletons, in which what
// varies by its form (numbers, addresses, IDs, times) is a token; skeletons that
// differ in few words become one pattern.
func (c *compiler) pattern(cmd *command) error {
	from, err := c.expr(cmd.source)
	if err != nil {
		return err
	}
	slot := c.newSlot()
	c.rowwise(&step{drops: true, run: func(r *row) bool {
		v := from(r)
		if !v.plain() {
			return false
		}
		r.v[slot] = textOf(strings.Join(skeleton(v.String()), "\x00"))
		return true
	}})
	a := &aggregation{bin: -1, keys: []eval{func(r *row) value { return r.v[slot] }}, calls: []aggregateCall{{fn: aggregates["count"].make}}, width: 4}
	names, shown := map[string]int{}, []column{}
	for i, name := range []string{patternColumn, samplesColumn, ratioColumn, severityColumn} {
		names[name] = i
		shown = append(shown, column{name, i})
	}
	if err := c.close(a, names, shown); err != nil {
		return err
	}
	c.barrier(node{all: patterns})
	return nil
}

// patterns makes rows of patterns from rows of skeletons, the most frequent first.
func patterns(rows []*row) []*row {
	type cluster struct {
		row    *row
		pieces []string
		n      float64
	}
	slices.SortStableFunc(rows, func(a, b *row) int { return cmp.Compare(b.v[1].num, a.v[1].num) })
	var clusters []*cluster
	bySize := map[int][]*cluster{}
	total := 0.0
	for i, r := range rows {
		pieces := strings.Split(r.v[0].text, "\x00")
		n := r.v[1].num
		total += n
		like := slices.IndexFunc(bySize[len(pieces)], func(c *cluster) bool { return similar(c.pieces, pieces) })
		if like >= 0 && i < maxPatterns {
			c := bySize[len(pieces)][like]
			c.n += n
			for k, p := range pieces {
				if c.pieces[k] != p {
					c.pieces[k] = "<Token>"
				}
			}
			continue
		}
		c := &cluster{r, pieces, n}
		clusters = append(clusters, c)
		bySize[len(pieces)] = append(bySize[len(pieces)], c)
	}
	slices.SortStableFunc(clusters, func(a, b *cluster) int { return cmp.Compare(b.n, a.n) })
	out := make([]*row, len(clusters))
	for i, c := range clusters {
		c.row.v[0], c.row.v[1], c.row.v[2], c.row.v[3] = textOf(numbered(c.pieces)), numberOf(c.n), numberOf(c.n/total), severity(c.pieces)
		out[i] = c.row
	}
	return out
}

// similar compares texts of the same number of pieces.
func similar(a, b []string) bool {
	words, same := 0, 0
	for i := range a {
		if !isWord(a[i]) && !isWord(b[i]) && a[i] != b[i] {
			return false // other separators
		}
		if isWord(a[i]) || isWord(b[i]) {
			words++
			same += b2i(a[i] == b[i])
		}
	}
	return words > 0 && float64(same) >= alike*float64(words)
}

func isWord(piece string) bool { return piece != "" && (wordByte(piece[0]) || piece[0] == '<') }

func wordByte(c byte) bool { return digit(c) || letter(c) || strings.IndexByte("-.:/+", c) >= 0 }

// skeleton splits a text into words and what is between them; words that vary by
// their form are tokens.
func skeleton(s string) []string {
	var out []string
	for s != "" && len(out) < maxPatternPieces {
		word := wordByte(s[0])
		n := 1
		for n < len(s) && wordByte(s[n]) == word {
			n++
		}
		piece := s[:n]
		s = s[n:]
		if word {
			trimmed := strings.TrimRight(piece, ".:")
			if trimmed != "" {
				out = append(out, tokenOf(trimmed))
			}
			if piece = piece[len(trimmed):]; piece == "" {
				continue
			}
		}
		if n := len(out); n > 0 && !isWord(out[n-1]) { // separators stay together
			out[n-1] += piece
			continue
		}
		out = append(out, piece)
	}
	if s != "" {
		out = append(out, "<Token>")
	}
	return out
}

// tokenOf returns the token that stands for a word, or the word.
func tokenOf(w string) string {
	if !strings.ContainsAny(w, "0123456789") {
		return w
	}
	if _, ok := parseNumber(w); ok {
		return "<Number>"
	}
	if _, err := netip.ParseAddr(w); err == nil {
		return "<IPAddress>"
	}
	if len(w) == 36 && strings.Count(w, "-") == 4 {
		return "<UUID>"
	}
	if _, err := strconv.ParseUint(w[:min(len(w), 16)], 16, 64); err == nil && len(w) >= 8 {
		return "<Hex>"
	}
	if n := strings.Count(w, ":"); digit(w[0]) && (n >= 2 || strings.Count(w, "-") == 2 && len(w) >= 10) {
		return "<Timestamp>"
	}
	return "<Token>"
}

// numbered is the text of a pattern, its tokens counted: <Number-1>, <UUID-2>.
func numbered(pieces []string) string {
	var b strings.Builder
	n := 0
	for _, p := range pieces {
		if len(p) > 2 && p[0] == '<' && p[len(p)-1] == '>' {
			n++
			p = fmt.Sprintf("%s-%d>", p[:len(p)-1], n)
		}
		b.WriteString(p)
	}
	return b.String()
}

// severity is the gravest level that the text names.
func severity(pieces []string) value {
	for _, level := range [][]string{{"Error", "error", "fatal", "panic", "exception", "failure"}, {"Warning", "warn", "warning"}, {"Info", "info"}, {"Debug", "debug"}} {
		for _, p := range pieces {
			if slices.ContainsFunc(level[1:], func(w string) bool { return strings.EqualFold(w, p) }) {
				return textOf(level[0])
			}
		}
	}
	return textOf("None")
}
