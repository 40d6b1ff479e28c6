package api

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxViolations = 100  // more are not collected
	maxPrinted    = 1024 // bytes of a value in a message
)

// validator collects the violations of a model's constraints.
// Source of the texts: api sheet 4.7.
type validator struct {
	missing map[string]bool
	path    []string
	found   []string
	absent  []string // paths of required members that are not there
}

// validate returns all violations of in, the input of the operation, as one error,
// or nil. missing holds the paths of absent required members whose Go type cannot tell.
func (op *OperationInfo) validate(in any, missing map[string]bool) *Error {
	v := &validator{missing: missing}
	v.structure(reflect.ValueOf(in).Elem(), op.Input)
	switch n := len(v.found); {
	case n == 0:
		return nil
	case len(v.absent) > 0 && op.Missing != "": // such a service names the first one alone
		return Errorf(op.Missing, http.StatusBadRequest, "The parameter %s is required.", short(v.absent[0]))
	case n == 1:
		return Errorf(op.Invalid, http.StatusBadRequest, "1 validation error detected: %s", v.found[0])
	default:
		return Errorf(op.Invalid, http.StatusBadRequest, "%d validation errors detected: %s", n, strings.Join(v.found, "; "))
	}
}

func (v *validator) violation(value, constraint string) {
	if len(v.found) < maxViolations {
		v.found = append(v.found, fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: %s", value, short(strings.Join(v.path, ".")), constraint))
	}
}

func (v *validator) structure(val reflect.Value, s *Shape) {
	for i := range s.Members {
		m := &s.Members[i]
		f := val.Field(i)
		v.path = append(v.path, m.Name)
		switch f.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			if f.IsNil() {
				if m.Required {
					v.violation("null", "Member must not be null")
					v.absent = append(v.absent, strings.Join(v.path, "."))
				}
				break
			}
			if f.Kind() == reflect.Pointer {
				f = f.Elem()
			}
			v.value(f, m.Shape)
		default:
			if len(v.missing) > 0 && f.IsZero() && v.missing[strings.Join(v.path, ".")] {
				v.violation("null", "Member must not be null")
				v.absent = append(v.absent, strings.Join(v.path, "."))
				break
			}
			v.value(f, m.Shape)
		}
		v.path = v.path[:len(v.path)-1]
	}
}

func (v *validator) value(f reflect.Value, s *Shape) {
	switch s.Kind {
	case Structure:
		v.structure(f, s)
		return
	case List:
		v.list(f, s)
	case Map:
		v.mapping(f, s)
	default: // scalars have nothing below them
	}
	for _, c := range violated(f, s) {
		v.violation(quote(f, s), c)
	}
}

func (v *validator) list(f reflect.Value, s *Shape) {
	nested := s.Value.Kind == Structure || s.Value.Kind == List || s.Value.Kind == Map
	for i := range f.Len() {
		if nested {
			v.path = append(v.path, strconv.Itoa(i+1), "member")
			v.value(f.Index(i), s.Value)
			v.path = v.path[:len(v.path)-2]
		} else if len(violated(f.Index(i), s.Value)) > 0 {
			v.violation(quote(f, s), "Member must satisfy constraint: "+constraints(s.Value))
			return
		}
	}
}

func (v *validator) mapping(f reflect.Value, s *Shape) {
	keys := slices.SortedFunc(slices.Values(f.MapKeys()), func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	nested := s.Value.Kind == Structure || s.Value.Kind == List || s.Value.Kind == Map
	var badKey, badValue bool
	for _, k := range keys {
		badKey = badKey || len(violated(k, s.Key)) > 0
		if nested {
			v.path = append(v.path, k.String(), "member")
			v.value(f.MapIndex(k), s.Value)
			v.path = v.path[:len(v.path)-2]
		} else {
			badValue = badValue || len(violated(f.MapIndex(k), s.Value)) > 0
		}
	}
	if badKey {
		v.violation(quote(f, s), "Map keys must satisfy constraint: "+constraints(s.Key))
	}
	if badValue {
		v.violation(quote(f, s), "Map value must satisfy constraint: "+constraints(s.Value))
	}
}

// violated returns the texts of the constraints that f itself breaks.
func violated(f reflect.Value, s *Shape) []string {
	var out []string
	if s.HasMin || s.HasMax {
		n, number := magnitude(f, s)
		if s.HasMax && n > s.Max {
			out = append(out, upperBound(s, number))
		}
		if s.HasMin && n < s.Min {
			out = append(out, lowerBound(s, number))
		}
	}
	if s.Kind == String {
		if s.Pattern != nil && !s.Pattern.Match(f.String()) {
			out = append(out, "Member must satisfy regular expression pattern: "+s.Pattern.Source)
		}
		if s.Enum != nil && !slices.Contains(s.Enum, f.String()) {
			out = append(out, "Member must satisfy enum value set: ["+strings.Join(s.Enum, ", ")+"]")
		}
	}
	return out
}

// constraints lists all constraints of s, in the order in which AWS prints them.
func constraints(s *Shape) string {
	number := s.Kind == Integer || s.Kind == Long || s.Kind == Float || s.Kind == Double
	var out []string
	if s.HasMax {
		out = append(out, upperBound(s, number))
	}
	if s.HasMin {
		out = append(out, lowerBound(s, number))
	}
	if s.Pattern != nil {
		out = append(out, "Member must satisfy regular expression pattern: "+s.Pattern.Source)
	}
	if s.Enum != nil {
		out = append(out, "Member must satisfy enum value set: ["+strings.Join(s.Enum, ", ")+"]")
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// magnitude is what min and max bound: a number itself, else a length in
// characters, elements or bytes.
func magnitude(f reflect.Value, s *Shape) (n float64, number bool) {
	switch s.Kind {
	case String:
		return float64(utf8.RuneCountInString(f.String())), false
	case Integer, Long:
		return float64(f.Int()), true
	case Float, Double:
		return f.Float(), true
	default:
		return float64(f.Len()), false
	}
}

func upperBound(s *Shape, number bool) string {
	return "Member must have " + measure(number) + " less than or equal to " + strconv.FormatFloat(s.Max, 'f', -1, 64)
}

func lowerBound(s *Shape, number bool) string {
	return "Member must have " + measure(number) + " greater than or equal to " + strconv.FormatFloat(s.Min, 'f', -1, 64)
}

func measure(number bool) string {
	if number {
		return "value"
	}
	return "length"
}

// quote prints a value for a message, bounded; a sensitive one not at all.
func quote(f reflect.Value, s *Shape) string {
	var b strings.Builder
	printValue(&b, f, s)
	text := b.String()
	if len(text) > maxPrinted {
		text = strings.ToValidUTF8(text[:maxPrinted], "") + "..."
	}
	return "'" + text + "'"
}

func printValue(b *strings.Builder, f reflect.Value, s *Shape) {
	if b.Len() > maxPrinted {
		return
	}
	if s.Sensitive {
		b.WriteString("***")
		return
	}
	switch s.Kind {
	case String:
		b.WriteString(f.String())
	case List:
		b.WriteByte('[')
		for i := range f.Len() {
			if i > 0 {
				b.WriteString(", ")
			}
			if printValue(b, f.Index(i), s.Value); b.Len() > maxPrinted {
				return
			}
		}
		b.WriteByte(']')
	case Map:
		plain := map[string]reflect.Value{}
		for _, k := range f.MapKeys() {
			plain[k.String()] = f.MapIndex(k)
		}
		b.WriteByte('{')
		for i, k := range slices.Sorted(maps.Keys(plain)) {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(k + "=")
			if printValue(b, plain[k], s.Value); b.Len() > maxPrinted {
				return
			}
		}
		b.WriteByte('}')
	case Structure:
		b.WriteString("{" + s.Name + "}")
	case Blob:
		fmt.Fprintf(b, "%d bytes", f.Len())
	case Timestamp:
		b.WriteString(f.Interface().(Time).Format(http.TimeFormat))
	default:
		fmt.Fprint(b, f.Interface())
	}
}
