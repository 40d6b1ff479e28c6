package api

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// maxFormDepth bounds how deep the names in a form nest.
const maxFormDepth = 16

// A formNode is what the names of a form have in common up to a dot: its text, or
// what follows the dot.
type formNode struct {
	text string
	has  bool // text
	next map[string]*formNode
}

// decodeForm fills in, a pointer to the Go type of shape, from the form of a query
// request: lists are NAME.member.N, structures NAME.MEMBER. Source: metrics sheet 3.2.
func decodeForm(shape *Shape, form url.Values, in any) (missing map[string]bool, _ *Error) {
	root := &formNode{}
	for name, values := range form {
		if len(values) > 1 {
			return nil, malformedForm("The parameter %s is there more than once.", short(name))
		}
		parts := strings.Split(name, ".")
		if len(parts) > maxFormDepth {
			return nil, malformedForm("The name of the parameter %s nests too deep.", short(name))
		}
		n := root
		for _, part := range parts {
			if n.next == nil {
				n.next = map[string]*formNode{}
			}
			if n.next[part] == nil {
				n.next[part] = &formNode{}
			}
			n = n.next[part]
		}
		n.text, n.has = values[0], true
	}
	d := &decoder{missing: map[string]bool{}}
	if err := d.formStructure(reflect.ValueOf(in).Elem(), shape, root); err != nil {
		return nil, err
	}
	return d.missing, nil
}

func malformedForm(format string, args ...any) *Error {
	return Errorf("MalformedInput", http.StatusBadRequest, format, args...)
}

func (d *decoder) form(v reflect.Value, s *Shape, n *formNode) *Error {
	switch s.Kind {
	case Structure:
		return d.formStructure(v, s, n)
	case List:
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		members, err := d.formMembers(n, "member") // NAME= alone is an empty list
		if err != nil {
			return err
		}
		for _, m := range members {
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			d.path = append(d.path, strconv.Itoa(v.Len()), "member")
			if err := d.form(v.Index(v.Len()-1), s.Value, m); err != nil {
				return err
			}
			d.path = d.path[:len(d.path)-2]
		}
		return nil
	case Map:
		v.Set(reflect.MakeMap(v.Type()))
		entries, err := d.formMembers(n, "entry")
		if err != nil {
			return err
		}
		for _, m := range entries {
			key, value := m.next["key"], m.next["value"]
			if key == nil || value == nil {
				return malformedForm("%s: an entry needs a key and a value.", d.at())
			}
			elem := reflect.New(v.Type().Elem()).Elem()
			d.path = append(d.path, key.text, "member")
			if err := d.form(elem, s.Value, value); err != nil {
				return err
			}
			d.path = d.path[:len(d.path)-2]
			v.SetMapIndex(reflect.ValueOf(key.text).Convert(v.Type().Key()), elem)
		}
		return nil
	default:
		if n.next != nil {
			return malformedForm("%s: expected a value, found members.", d.at())
		}
		return d.scalar(v, s, n.text, Query)
	}
}

func (d *decoder) formStructure(v reflect.Value, s *Shape, n *formNode) *Error {
	for i := range s.Members {
		m := &s.Members[i]
		child := n.next[m.wire()]
		if child == nil {
			if m.Required {
				d.missing[strings.Join(append(d.path, m.Name), ".")] = true
			}
			continue
		}
		d.path = append(d.path, m.Name)
		if err := d.form(settable(v.Field(i)), m.Shape, child); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-1]
	}
	return nil
}

// formMembers returns the elements of a list or map in the order of their numbers.
func (d *decoder) formMembers(n *formNode, word string) ([]*formNode, *Error) {
	list := n.next[word]
	if list == nil {
		return nil, nil
	}
	numbers := slices.Collect(maps.Keys(list.next))
	for _, k := range numbers {
		if v, err := strconv.Atoi(k); err != nil || v < 1 {
			return nil, malformedForm("%s: %s is not the number of an element.", d.at(), short(k))
		}
	}
	slices.SortFunc(numbers, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	out := make([]*formNode, len(numbers))
	for i, k := range numbers {
		out[i] = list.next[k]
	}
	return out, nil
}
