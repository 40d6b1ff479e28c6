package logs

import (
	"slices"

	"github.com/gatehouse-iot/gatehouse/insights"
	"github.com/gatehouse-iot/gatehouse/internal/logs"
)

// A Source is some log groups as a query reads them. It implements [insights.Source].
type Source struct {
	account  string
	from, to int64 // epoch ms, both included
	parts    []insights.Part
}

// NewSource returns the events of views from the times from to to, epoch
// milliseconds, both included; account is for @log.
func NewSource(account string, views []*logs.View, from, to int64) *Source {
	s := &Source{account: account, from: from, to: to}
	for _, v := range views {
		for _, p := range v.Parts(from, to) {
			s.parts = append(s.parts, &part{s, v, p})
		}
	}
	return s
}

// Parts lists what must be read.
func (s *Source) Parts() []insights.Part { return s.parts }

// part implements [insights.Part].
type part struct {
	source *Source
	view   *logs.View
	part   *logs.Part
}

func (p *part) Latest() int64      { return p.part.MaxTime }
func (p *part) Size() (int, int64) { return p.part.Events, p.part.Bytes }

func (p *part) Skip(h insights.Hints) (bool, error) {
	for _, field := range h.Present {
		if !p.part.MayHave(field) {
			return true, nil
		}
	}
	for _, e := range h.Equal {
		any := false
		for _, v := range e.Values {
			may, err := p.part.MayHold(e.Field, v)
			if err != nil {
				return false, err
			}
			any = any || may
		}
		if !any {
			return true, nil
		}
	}
	return false, nil
}

func (p *part) Open() (insights.Batch, error) {
	b, err := p.part.Open()
	if err != nil || b == nil {
		return nil, err
	}
	return &batch{part: p, b: b}, nil
}

// Pointer is the group and the event's ID: what GetLogRecord takes.
func (p *part) Pointer(row int32, time int64) string {
	return pointer(p.view.Group, p.part.ID(int(row), time))
}

// batch implements [insights.Batch].
type batch struct {
	part    *part
	b       *logs.Batch
	streams *logs.Column // once they were asked for
}

func (b *batch) Close() { b.b.Close() }

func (b *batch) Times() ([]int64, error)    { return b.b.Times() }
func (b *batch) Ingested() ([]int64, error) { return b.b.Ingested() }

func (b *batch) Rows(into []int32) ([]int32, error) {
	rows, n := slices.Grow(into[:0], b.b.Len()), b.b.Len()
	from, to := max(b.part.source.from, b.part.view.Earliest), b.part.source.to
	if b.part.part.MinTime >= from && b.part.part.MaxTime <= to && b.b.Whole() {
		for i := range n {
			rows = append(rows, int32(i))
		}
		return rows, nil
	}
	times, err := b.Times()
	if err != nil {
		return nil, err
	}
	if err := b.loadStreams(); err != nil {
		return nil, err
	}
	for i, t := range times {
		if t >= from && t <= to && b.streams.Codes[i] != 0 { // 0: the stream was deleted
			rows = append(rows, int32(i))
		}
	}
	return rows, nil
}

func (b *batch) loadStreams() (err error) {
	if b.streams == nil {
		b.streams, err = b.b.Streams()
	}
	return err
}

func (b *batch) Having(name, text string, rows []int32) ([]int32, error) {
	return b.b.Having(name, text, rows)
}

func (b *batch) Column(name string, rows []int32) (insights.Column, error) {
	n := b.b.Len()
	switch name {
	case "@logStream":
		if err := b.loadStreams(); err != nil {
			return insights.Column{}, err
		}
		return insights.Column(*b.streams), nil
	case "@log":
		c := insights.Column{Codes: make([]uint32, n), Values: []string{b.part.source.account + ":" + b.part.view.Group}}
		for i := range c.Codes {
			c.Codes[i] = 1
		}
		return c, nil
	case "@message":
		c := insights.Column{Codes: make([]uint32, n), Values: make([]string, 0, len(rows))}
		index := make([]int, len(rows))
		for i, r := range rows {
			index[i] = int(r)
		}
		err := b.b.Messages(index, func(row int, text string) {
			c.Values = append(c.Values, text)
			c.Codes[row] = uint32(len(c.Values))
		})
		return c, err
	}
	c, err := b.b.Column(name, rows)
	if err != nil {
		return insights.Column{}, err
	}
	return insights.Column(*c), nil
}
