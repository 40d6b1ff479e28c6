package logs

import (
	"slices"
	"strings"
)

// recent returns a field of events that are in no block yet: of entries what
// their members say, which is looked up once for all that share them; of other
// messages what their JSON says.
func (b *Batch) recent(name string, rows []int32) *Column {
	part := b.part
	odd := slices.ContainsFunc(part.members, func(m *Members) bool { return !m.fields().compact }) // an exception
	isOdd := func(r *row) bool {
		return !r.isEntry() || odd && slices.ContainsFunc(part.bodies[r.body()][:], func(p uint32) bool { return p != 0 && !part.members[p-1].fields().compact })
	}
	b.flatten(b.Len(), func(i int) string {
		if r := &part.rows[i]; isOdd(r) {
			return part.text(i)
		}
		return ""
	})
	out := &Column{Codes: make([]uint32, b.Len())}
	if c := b.found[name]; c != nil {
		out.Values, out.Pieces = append(out.Values, c.Values...), true
		copy(out.Codes, c.Codes)
	}
	if len(part.members) == 0 {
		return out
	}
	const unknown, absent = 0, 1
	code := make([]uint32, len(part.members)) // of what each of the members says, plus absent
	top, path, nested := strings.Cut(name, ".")
	var text []byte
	for _, at := range rows {
		r := &part.rows[at]
		if isOdd(r) {
			continue
		}
		if name == "timestamp" {
			text = AppendTime(text[:0], r.time)
			out.set(int(at), string(text))
			continue
		}
		for _, p := range part.bodies[r.body()] {
			if p == 0 {
				continue
			}
			if code[p-1] == unknown {
				code[p-1] = absent
				if value, present := part.members[p-1].fields().value(top, path, nested); present {
					out.Values = append(out.Values, strings.Clone(value))
					code[p-1] += uint32(len(out.Values))
				}
			}
			if code[p-1] != absent {
				out.Codes[at] = code[p-1] - absent
				break
			}
		}
	}
	return out
}
