package registry

import (
	"strconv"
	"strings"
)

// A Page asks for a part of a list. The zero Page is the first part, in
// ascending order, of the list's default size.
type Page struct {
	Size       int    // greatest number of items; 0 means the list's default
	After      string // [Listing.Next] of the part before; empty for the first
	Descending bool
}

// A Listing is a part of a list.
type Listing[T any] struct {
	Items []T
	Next  string // Page.After of the next part; empty when this was the last
}

// Sizes of a page whose request names none. Source: API sheet 4.8.
const (
	defaultPageSize      = 25  // certificates and policies
	defaultThingPageSize = 50  // things and their groups
	maxPageSize          = 250 // of all lists here
)

// limit returns how many items p asks for.
func (p Page) limit(byDefault int) int {
	if p.Size <= 0 {
		return byDefault
	}
	return min(p.Size, maxPageSize)
}

// cut makes a Listing of rows, which were fetched with one row more than the
// limit to see whether the list goes on. key gives the row's place in the list.
func cut[Row, T any](rows []Row, limit int, key func(Row) string, item func(Row) T) Listing[T] {
	l := Listing[T]{Items: make([]T, 0, min(len(rows), limit))}
	for i, row := range rows {
		if i == limit {
			l.Next = key(rows[i-1])
			break
		}
		l.Items = append(l.Items, item(row))
	}
	return l
}

// ageKey is the place of a row in a list ordered by creation.
func ageKey(createdAt int64, id string) string {
	return strconv.FormatInt(createdAt, 36) + "." + id
}

// parseAgeKey undoes [ageKey].
func parseAgeKey(key string) (createdAt int64, id string, ok bool) {
	age, id, found := strings.Cut(key, ".")
	createdAt, err := strconv.ParseInt(age, 36, 64)
	return createdAt, id, found && err == nil
}

// errBadMarker refuses a Page.After that no listing gave out.
func errBadMarker() *Error {
	return Errorf(InvalidRequest, "The marker is not valid for this list.")
}
