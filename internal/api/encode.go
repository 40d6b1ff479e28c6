package api

import (
	"encoding/base64"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// response is an answer that is ready to be written.
type response struct {
	status      int
	header      http.Header // beside those that every answer has; may be nil
	contentType string      // empty: there is no body
	body        []byte
	stream      func(http.ResponseWriter) // in place of body: writes until the stream ends
}

// encodeREST writes the output of a rest-json operation. A nil out is an empty one.
func encodeREST(op *OperationInfo, out any) response {
	r := response{status: http.StatusOK}
	if op.Code != 0 {
		r.status = op.Code
	}
	if op.Output == nil {
		return r
	}
	v := reflect.ValueOf(out)
	if !v.IsValid() || v.IsNil() {
		r.contentType, r.body = "application/json", []byte("{}")
		return r
	}
	v = v.Elem()
	for i := range op.Output.Members {
		m := &op.Output.Members[i]
		f := v.Field(i)
		switch m.In {
		case Header:
			if text, ok := headerText(f, m.Shape); ok {
				if r.header == nil {
					r.header = http.Header{}
				}
				r.header.Set(m.wire(), text)
			}
		case Status:
			if f = reflect.Indirect(f); f.IsValid() && f.Int() >= 200 && f.Int() < 600 {
				r.status = int(f.Int())
			}
		case Payload:
			if m.Shape.Kind == Blob {
				r.contentType, r.body = "application/octet-stream", f.Bytes()
			} else if r.contentType = "application/json"; f.IsNil() {
				r.body = []byte("{}")
			} else {
				r.body = appendStructure(nil, f.Elem(), m.Shape, false)
			}
			continue
		default:
		}
	}
	if r.contentType == "" {
		r.contentType, r.body = "application/json", appendStructure(nil, v, op.Output, true)
	}
	return r
}

// appendStructure writes the members of the body. At the top, lists and maps are
// always there: Python code indexes them. Source: api sheet 4.2.
func appendStructure(b []byte, v reflect.Value, s *Shape, top bool) []byte {
	b = append(b, '{')
	first := true
	for i := range s.Members {
		m := &s.Members[i]
		if m.In != Body {
			continue
		}
		always := (top || m.Required) && (m.Shape.Kind == List || m.Shape.Kind == Map)
		f, ok := present(v.Field(i))
		if !ok && !always {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendQuoted(b, m.wire())
		b = append(b, ':')
		b = appendValue(b, f, m.Shape)
	}
	return append(b, '}')
}

// present returns what a member of an output holds; false if it is absent. Scalars
// that are no pointers are always there.
func present(f reflect.Value) (reflect.Value, bool) {
	switch f.Kind() {
	case reflect.Pointer:
		return f.Elem(), !f.IsNil()
	case reflect.Slice, reflect.Map:
		return f, !f.IsNil()
	default:
		return f, true
	}
}

// sortedKeys are the keys of a map in the order of their text.
func sortedKeys(v reflect.Value) []reflect.Value {
	return slices.SortedFunc(slices.Values(v.MapKeys()), func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
}

func appendValue(b []byte, v reflect.Value, s *Shape) []byte {
	switch s.Kind {
	case Structure:
		return appendStructure(b, v, s, false)
	case List:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, v.Index(i), s.Value)
		}
		return append(b, ']')
	case Map:
		b = append(b, '{')
		for i, k := range sortedKeys(v) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendQuoted(b, k.String())
			b = append(b, ':')
			b = appendValue(b, v.MapIndex(k), s.Value)
		}
		return append(b, '}')
	case String:
		return appendQuoted(b, v.String())
	case Integer, Long:
		return strconv.AppendInt(b, v.Int(), 10)
	case Float:
		return appendFloat(b, v.Float(), 32)
	case Double:
		return appendFloat(b, v.Float(), 64)
	case Boolean:
		return strconv.AppendBool(b, v.Bool())
	case Timestamp:
		return appendEpoch(b, v.Interface().(Time))
	case Blob:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
		return append(b, '"')
	case Events: // encodeEvents writes them
	}
	panic("api: kind " + strconv.Itoa(int(s.Kind)))
}

// appendQuoted writes a JSON string without escaping HTML: policy documents
// travel as strings, and people compare them byte for byte.
func appendQuoted(b []byte, s string) []byte {
	b, err := jsontext.AppendQuote(b, s)
	if err != nil { // s is not UTF-8; b holds it with replacement characters
		return b
	}
	return b
}

// appendEpoch writes epoch seconds, with milliseconds only if there are some.
func appendEpoch(b []byte, t Time) []byte {
	ms := t.UnixMilli()
	if ms < 0 {
		b = append(b, '-')
		ms = -ms
	}
	b = strconv.AppendInt(b, ms/1000, 10)
	if frac := ms % 1000; frac != 0 {
		text := strconv.FormatInt(1000+frac, 10)[1:]
		b = append(append(b, '.'), strings.TrimRight(text, "0")...)
	}
	return b
}

// appendFloat writes a number; JSON has none for NaN and the infinities, which
// travel as strings.
func appendFloat(b []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(b, `"-Infinity"`...)
	}
	return strconv.AppendFloat(b, f, 'g', -1, bits)
}

// headerText writes an output member for a header; false if it is absent.
func headerText(f reflect.Value, s *Shape) (string, bool) {
	f, ok := present(f)
	if !ok {
		return "", false
	}
	switch s.Kind {
	case String:
		return f.String(), f.String() != ""
	case Integer, Long:
		return strconv.FormatInt(f.Int(), 10), true
	case Boolean:
		return strconv.FormatBool(f.Bool()), true
	case Timestamp:
		return f.Interface().(Time).UTC().Format(http.TimeFormat), true
	default:
		return "", false
	}
}
