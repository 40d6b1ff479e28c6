package api

import "context"

// A Page is one page that a list operation was asked for.
type Page struct {
	After string // the key after which the page begins; empty for the first page
	Size  int    // how many items at most

	sealer sealer
	bound  []byte
}

// ReadPage reads the paging members of a request, of either family: nextToken
// with maxResults, or marker with pageSize. A nil or zero size means def.
// Tokens are opaque, sealed, and bound to the caller's account, the operation
// and the given filters; any other token is an Error InvalidRequestException.
// The filters are those members of the request that choose or order the items.
//
//	page, err := api.ReadPage(ctx, in.NextToken, in.MaxResults, 50, in.ThingTypeName)
//	list, err := reg.ListThings(ctx, filter, registry.Page{After: page.After, Size: page.Size})
//	out.NextToken = page.Next(list.Next != "", list.Next)
func ReadPage(ctx context.Context, token *string, size *int32, def int, filters ...any) (Page, error) {
	return readPage(ctx, token, size, def, filters)
}

// Next returns the token of the page that begins after the key last, or nil if
// there is no more.
func (p Page) Next(more bool, last string) *string {
	if !more {
		return nil
	}
	return p.next(last)
}
