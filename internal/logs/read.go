package logs

import (
	"context"
	"slices"
)

// A Read asks for events of one group in the order of their times.
type Read struct {
	From, To int64                     // epoch ms, both included
	Streams  func(name string) bool    // nil: all
	Match    func(message string) bool // nil: all
	Needles  []Needle                  // all must hold for a match: lets blocks be skipped
	After    *ID                       // begin after (or, backward, before) this one
	Backward bool                      // the latest first
	Limit    int                       // of events; required
	Bytes    int                       // of messages, beyond which no more is returned; 0: no bound
}

// A Needle is a field with the only value that matches.
type Needle struct{ Field, Value string }

// A ReadPage is what a Read found, in the order that it asked for.
type ReadPage struct {
	Records []Record
	More    bool // there may be more after Next
	Next    ID
}

// readBudget is how many events a Read looks at before it answers with what it
// has: no request runs for minutes.
const readBudget = 2_000_000

// Read returns the next events of the view.
func (v *View) Read(ctx context.Context, q Read) (ReadPage, error) {
	from, to := max(q.From, v.Earliest), q.To
	if q.After != nil {
		if q.Backward {
			to = min(to, q.After.Time)
		} else {
			from = max(from, q.After.Time)
		}
	}
	parts := v.Parts(from, to)
	slices.SortFunc(parts, func(a, b *Part) int {
		if q.Backward {
			return -cmpTimes(a.MaxTime, b.MaxTime)
		}
		return cmpTimes(a.MinTime, b.MinTime)
	})
	order := func(a, b Record) int {
		if q.Backward {
			return b.Compare(a.ID)
		}
		return a.Compare(b.ID)
	}
	var page ReadPage
	looked := 0
	for _, p := range parts {
		if err := ctx.Err(); err != nil {
			return ReadPage{}, err
		}
		edge := ID{Time: p.MinTime} // everything before it, in this direction, has been seen
		if q.Backward {
			edge = ID{Time: p.MaxTime + 1}
		}
		if n := len(page.Records); n > q.Limit && order(page.Records[q.Limit], Record{ID: edge}) < 0 {
			break
		}
		if looked > readBudget {
			page.Records = slices.DeleteFunc(page.Records, func(r Record) bool { return order(r, Record{ID: edge}) >= 0 })
			if len(page.Records) <= q.Limit {
				page.More, page.Next = true, ID{Time: edge.Time - 1, Seq: 1<<63 - 1}
				if q.Backward {
					page.Next = ID{Time: edge.Time}
				}
			}
			break
		}
		looked += p.Events
		found, err := p.read(q, from, to)
		if err != nil {
			return ReadPage{}, err
		}
		page.Records = append(page.Records, found...)
		slices.SortFunc(page.Records, order)
		if len(page.Records) > q.Limit+1 { // one more than asked for tells that there is more
			page.Records = page.Records[:q.Limit+1]
		}
	}
	page.cut(q)
	return page, nil
}

// cut applies the limits.
func (p *ReadPage) cut(q Read) {
	n, size := 0, 0
	for n < len(p.Records) && n < q.Limit {
		if size += len(p.Records[n].Message) + 26; q.Bytes > 0 && size > q.Bytes && n > 0 {
			break
		}
		n++
	}
	if n < len(p.Records) {
		p.Records, p.More = p.Records[:n], true
		p.Next = p.Records[n-1].ID
	}
}

func cmpTimes(a, b int64) int {
	if a == b {
		return 0
	}
	return cmpOf(a < b)
}

// read returns what matches in one part, up to the first Limit+1 of its events.
func (p *Part) read(q Read, from, to int64) ([]Record, error) {
	for _, n := range q.Needles {
		if may, err := p.MayHold(n.Field, n.Value); err != nil || !may {
			return nil, err
		}
	}
	b, err := p.Open()
	if err != nil || b == nil {
		return nil, err
	}
	defer b.Close()
	times, err := b.Times()
	if err != nil {
		return nil, err
	}
	streams, err := b.Streams()
	if err != nil {
		return nil, err
	}
	wanted := make([]bool, len(streams.Values)+1)
	for i, name := range streams.Values {
		wanted[i+1] = q.Streams == nil || q.Streams(name)
	}
	var ids []ID
	for i, t := range times {
		id := p.ID(i, t)
		if t < from || t > to || !wanted[streams.Codes[i]] {
			continue
		}
		if q.After != nil && (q.Backward && id.Compare(*q.After) >= 0 || !q.Backward && id.Compare(*q.After) <= 0) {
			continue
		}
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b ID) int {
		if q.Backward {
			a, b = b, a
		}
		return a.Compare(b)
	})
	if q.Match == nil && len(ids) > q.Limit+1 {
		ids = ids[:q.Limit+1]
	}
	rows := make([]int, len(ids))
	for i, id := range ids {
		rows[i] = int(id.Row) - p.first
	}
	if q.Match != nil {
		matched := make([]bool, p.Events)
		if err := b.Messages(rows, func(i int, text string) { matched[i] = q.Match(text) }); err != nil {
			return nil, err
		}
		rows = slices.DeleteFunc(rows, func(i int) bool { return !matched[i] })
		rows = rows[:min(len(rows), q.Limit+1)]
	}
	return b.records(rows)
}
