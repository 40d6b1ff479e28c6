package iot

import (
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// markerPageSize is the size of a page of the lists with markers that asks for
// none. Source: api sheet 4.8.
const markerPageSize = 25

// list reads one page of a list with markers, and returns its items, converted,
// and the marker of the next page. filters choose and order the items.
func list[T, U any](ctx context.Context, marker *string, size *int32, ascending bool, filters []any,
	read func(registry.Page) (registry.Listing[T], error), convert func(T) U,
) ([]U, *string, error) {
	page, err := api.ReadPage(ctx, marker, size, markerPageSize, append(filters, ascending)...)
	if err != nil {
		return nil, nil, err
	}
	listing, err := read(registry.Page{Size: page.Size, After: page.After, Descending: !ascending})
	if err != nil {
		return nil, nil, err
	}
	items := make([]U, len(listing.Items))
	for i, item := range listing.Items {
		items[i] = convert(item)
	}
	return items, page.Next(listing.Next != "", listing.Next), nil
}
