package api

import (
	"net/url"
	"slices"
	"strings"
)

// router finds the operation of a request: a tree of path segments in which
// fixed ones win over labels. It works on the path as it came, still encoded.
type router struct{ root node }

type node struct {
	fixed map[string]*node      // by decoded segment
	label *node                 // any one segment that is not empty
	rest  map[string]*Operation // by method: what is left of the path, slashes too
	ops   map[string]*Operation // by method: the path ends here
}

// match is a found operation with its labels.
type match struct {
	op     *Operation
	labels map[string]string
}

func newRouter(ops []Operation) *router {
	r := &router{}
	for i := range ops {
		op := &ops[i]
		n := &r.root
		segs := segments(op.Info.Path)
		if k := len(segs); k > 0 && segs[k-1] == "" {
			segs = segs[:k-1] // both forms of a trailing slash are one
		}
		greedy := false
		for _, seg := range segs {
			name, label := labelName(seg)
			switch {
			case !label:
				if n.fixed == nil {
					n.fixed = map[string]*node{}
				}
				if n.fixed[seg] == nil {
					n.fixed[seg] = &node{}
				}
				n = n.fixed[seg]
			case strings.HasSuffix(name, "+"):
				if n.rest == nil {
					n.rest = map[string]*Operation{}
				}
				n.rest[op.Info.Method] = op
				greedy = true
			default:
				if n.label == nil {
					n.label = &node{}
				}
				n = n.label
			}
		}
		if greedy {
			continue
		}
		if n.ops == nil {
			n.ops = map[string]*Operation{}
		}
		n.ops[op.Info.Method] = op
	}
	return r
}

// segments splits a path at its slashes; the one it begins with makes none.
func segments(path string) []string {
	return strings.Split(strings.TrimPrefix(path, "/"), "/")
}

func labelName(seg string) (name string, ok bool) {
	if strings.HasPrefix(seg, "{") && strings.HasSuffix(seg, "}") {
		return seg[1 : len(seg)-1], true
	}
	return "", false
}

// find returns the operation for a method and raw path. If there is none, allowed
// holds the methods that the path knows, sorted; empty if no model knows the path.
func (r *router) find(method, rawPath string) (m match, allowed []string, ok bool) {
	segs := segments(rawPath)
	var values []string
	others := map[string]bool{}
	op := r.root.find(method, segs, &values, others)
	if k := len(segs); op == nil && segs[k-1] == "" {
		values = values[:0]
		op = r.root.find(method, segs[:k-1], &values, others)
	}
	if op == nil {
		for o := range others {
			allowed = append(allowed, o)
		}
		slices.Sort(allowed)
		return match{}, allowed, false
	}
	m = match{op: op, labels: map[string]string{}}
	for _, seg := range segments(op.Info.Path) {
		if name, ok := labelName(seg); ok {
			m.labels[strings.TrimSuffix(name, "+")] = values[0]
			values = values[1:]
		}
	}
	return m, nil, true
}

// find walks down one segment. The tree is as deep as the longest path of the
// model, and a node has two branches: going back stays cheap.
func (n *node) find(method string, segs []string, values *[]string, others map[string]bool) *Operation {
	if len(segs) == 0 {
		return pick(n.ops, method, others)
	}
	seg, err := url.PathUnescape(segs[0])
	if err != nil {
		return nil
	}
	if next := n.fixed[seg]; next != nil {
		if op := next.find(method, segs[1:], values, others); op != nil {
			return op
		}
	}
	if n.label != nil && seg != "" {
		*values = append(*values, seg)
		if op := n.label.find(method, segs[1:], values, others); op != nil {
			return op
		}
		*values = (*values)[:len(*values)-1]
	}
	if n.rest != nil && seg != "" {
		if rest, err := url.PathUnescape(strings.Join(segs, "/")); err == nil {
			if op := pick(n.rest, method, others); op != nil {
				*values = append(*values, rest)
				return op
			}
		}
	}
	return nil
}

// pick returns the operation for the method, or notes the methods there are.
func pick(ops map[string]*Operation, method string, others map[string]bool) *Operation {
	if op := ops[method]; op != nil {
		return op
	}
	for m := range ops {
		others[m] = true
	}
	return nil
}
