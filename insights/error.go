package insights

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A SyntaxError says what is wrong with a query, and where.
type SyntaxError struct {
	Start, End int // character offsets, End after the last
	Message    string
}

func (e *SyntaxError) Error() string { return e.Message }

// fail makes a SyntaxError of byte offsets.
func (p *parser) fail(start, end int, format string, args ...any) *SyntaxError {
	start, end = min(start, len(p.text)), min(max(end, start), len(p.text))
	before := p.text[:start]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return &SyntaxError{
		Start: utf8.RuneCountInString(before), End: utf8.RuneCountInString(p.text[:end]),
		Message: fmt.Sprintf(format, args...) + fmt.Sprintf(" at line %d and position %d", line, column),
	}
}

// suggest words the nearest of the known names, if one is near.
func suggest(name string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := edits(strings.ToLower(name), strings.ToLower(k)); d < distance && d < len(name) {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
