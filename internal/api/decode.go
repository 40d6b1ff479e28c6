package api

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// bindings are the places of a request that members come from.
type bindings struct {
	labels map[string]string // decoded
	query  url.Values
	header http.Header
	body   []byte
}

// decoder fills one input. Its path is where it is, for messages.
type decoder struct {
	path    []string
	missing map[string]bool // paths of required members that were absent
}

// serialization is the error of a request that cannot be read. Source: api sheet 4.1.
func serialization(format string, args ...any) *Error {
	return Errorf("SerializationException", http.StatusBadRequest, format, args...)
}

// decodeInput fills in, a pointer to the Go type of shape. It returns the paths
// of required members that were absent, for the validation.
func decodeInput(shape *Shape, b bindings, in any) (map[string]bool, *Error) {
	d := &decoder{missing: map[string]bool{}}
	v := reflect.ValueOf(in).Elem()
	inBody := false
	for i := range shape.Members {
		m := &shape.Members[i]
		d.path = append(d.path[:0], m.Name)
		var found bool
		var err *Error
		switch m.In {
		case Body:
			inBody = true
			continue
		case Label:
			var text string
			if text, found = b.labels[m.wire()]; found {
				err = d.text(v.Field(i), m, text)
			}
		case Query:
			var texts []string
			if texts, found = b.query[m.wire()]; found {
				err = d.texts(v.Field(i), m, texts)
			}
		case Header:
			if texts := b.header.Values(m.wire()); len(texts) > 0 && texts[0] != "" {
				found = true
				err = d.text(v.Field(i), m, strings.Join(texts, ","))
			}
		case Payload:
			found, err = d.payload(v.Field(i), m, b.body)
		default: // Status is of outputs
		}
		if err != nil {
			return nil, err
		}
		if !found && m.Required {
			d.missing[m.Name] = true
		}
	}
	d.path = d.path[:0]
	if inBody {
		if err := d.body(v, shape, b.body); err != nil {
			return nil, err
		}
	}
	return d.missing, nil
}

// payload fills the member that is the whole body.
func (d *decoder) payload(f reflect.Value, m *Member, body []byte) (found bool, err *Error) {
	if len(body) == 0 {
		return false, nil
	}
	if m.Shape.Kind == Blob {
		f.SetBytes(body)
		return true, nil
	}
	p := reflect.New(f.Type().Elem())
	f.Set(p)
	return true, d.body(p.Elem(), m.Shape, body)
}

// body fills a structure from a whole JSON document. An empty one is {}.
func (d *decoder) body(v reflect.Value, shape *Shape, body []byte) *Error {
	if len(strings.TrimSpace(string(body[:min(len(body), 64)]))) == 0 && len(strings.TrimSpace(string(body))) == 0 {
		body = []byte("{}")
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	if dec.PeekKind() == 'n' {
		if _, err := dec.ReadToken(); err != nil {
			return d.syntax(err)
		}
		body = []byte("{}")
		dec = jsontext.NewDecoder(bytes.NewBuffer(body))
	}
	if err := d.value(dec, v, shape); err != nil {
		return err
	}
	if _, err := dec.ReadToken(); err == nil || err.Error() != "EOF" {
		return serialization("The request body holds more than one JSON value.")
	}
	return nil
}

// value reads one JSON value that is not null into v, which is not a pointer.
func (d *decoder) value(dec *jsontext.Decoder, v reflect.Value, s *Shape) *Error {
	switch s.Kind {
	case Structure:
		return d.structure(dec, v, s)
	case List:
		return d.list(dec, v, s)
	case Map:
		return d.mapping(dec, v, s)
	default: // scalars follow
	}
	kind := dec.PeekKind()
	if kind == '{' || kind == '[' {
		return d.wrongType(s, kind)
	}
	tok, err := dec.ReadToken()
	if err != nil {
		return d.syntax(err)
	}
	switch s.Kind {
	case String:
		if kind != '"' {
			return d.wrongType(s, kind)
		}
		v.SetString(tok.String())
	case Blob:
		if kind != '"' {
			return d.wrongType(s, kind)
		}
		b, err := base64.StdEncoding.DecodeString(tok.String())
		if err != nil {
			return serialization("%s: the text is not base64.", d.at())
		}
		v.SetBytes(b)
	case Boolean:
		if kind != 't' && kind != 'f' {
			return d.wrongType(s, kind)
		}
		v.SetBool(kind == 't')
	case Integer, Long:
		if kind != '0' {
			return d.wrongType(s, kind)
		}
		return d.integer(v, tok.String(), s)
	case Float, Double:
		text := tok.String()
		if kind != '0' && (kind != '"' || text != "NaN" && text != "Infinity" && text != "-Infinity") {
			return d.wrongType(s, kind)
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return serialization("%s: the number is out of range.", d.at())
		}
		v.SetFloat(f)
	case Timestamp:
		if kind != '0' {
			return d.wrongType(s, kind)
		}
		f, err := strconv.ParseFloat(tok.String(), 64)
		if err != nil {
			return serialization("%s: the time is out of range.", d.at())
		}
		t, e := d.epoch(f)
		if e != nil {
			return e
		}
		v.Set(reflect.ValueOf(t))
	default:
		panic("api: kind " + strconv.Itoa(int(s.Kind)))
	}
	return nil
}

// epoch is a time in seconds, to the millisecond.
func (d *decoder) epoch(f float64) (Time, *Error) {
	if !(math.Abs(f) <= 253402300799) { // the end of the year 9999; NaN is not there either
		return Time{}, serialization("%s: the time is out of range.", d.at())
	}
	sec, frac := math.Modf(f)
	return Time{time.Unix(int64(sec), int64(math.Round(frac*1e3))*1e6).UTC()}, nil
}

func (d *decoder) structure(dec *jsontext.Decoder, v reflect.Value, s *Shape) *Error {
	if kind := dec.PeekKind(); kind != '{' {
		return d.wrongKind(dec, s, kind)
	}
	if _, err := dec.ReadToken(); err != nil {
		return d.syntax(err)
	}
	seen := make([]bool, len(s.Members))
	for dec.PeekKind() != '}' {
		tok, err := dec.ReadToken()
		if err != nil {
			return d.syntax(err)
		}
		i := s.bodyMember(tok.String())
		if i < 0 || dec.PeekKind() == 'n' { // unknown members are ignored, null is absent
			if err := dec.SkipValue(); err != nil {
				return d.syntax(err)
			}
			continue
		}
		seen[i] = true
		d.path = append(d.path, s.Members[i].Name)
		if err := d.value(dec, settable(v.Field(i)), s.Members[i].Shape); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-1]
	}
	if _, err := dec.ReadToken(); err != nil {
		return d.syntax(err)
	}
	for i := range s.Members {
		if m := &s.Members[i]; m.Required && m.In == Body && !seen[i] {
			d.missing[strings.Join(append(d.path, m.Name), ".")] = true
		}
	}
	return nil
}

// bodyMember returns the index of the member that travels as name, or -1.
func (s *Shape) bodyMember(name string) int {
	for i := range s.Members {
		if s.Members[i].In == Body && s.Members[i].wire() == name {
			return i
		}
	}
	return -1
}

func (d *decoder) list(dec *jsontext.Decoder, v reflect.Value, s *Shape) *Error {
	if kind := dec.PeekKind(); kind != '[' {
		return d.wrongKind(dec, s, kind)
	}
	if _, err := dec.ReadToken(); err != nil {
		return d.syntax(err)
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for dec.PeekKind() != ']' {
		if dec.PeekKind() == 'n' {
			if err := dec.SkipValue(); err != nil {
				return d.syntax(err)
			}
			continue
		}
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
		d.path = append(d.path, strconv.Itoa(v.Len()), "member")
		if err := d.value(dec, v.Index(v.Len()-1), s.Value); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-2]
	}
	if _, err := dec.ReadToken(); err != nil {
		return d.syntax(err)
	}
	return nil
}

func (d *decoder) mapping(dec *jsontext.Decoder, v reflect.Value, s *Shape) *Error {
	if kind := dec.PeekKind(); kind != '{' {
		return d.wrongKind(dec, s, kind)
	}
	if _, err := dec.ReadToken(); err != nil {
		return d.syntax(err)
	}
	v.Set(reflect.MakeMap(v.Type()))
	for dec.PeekKind() != '}' {
		tok, err := dec.ReadToken()
		if err != nil {
			return d.syntax(err)
		}
		name := tok.String()
		if dec.PeekKind() == 'n' {
			if err := dec.SkipValue(); err != nil {
				return d.syntax(err)
			}
			continue
		}
		key := reflect.New(v.Type().Key()).Elem()
		key.SetString(name)
		elem := reflect.New(v.Type().Elem()).Elem()
		d.path = append(d.path, name, "member")
		if err := d.value(dec, elem, s.Value); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-2]
		v.SetMapIndex(key, elem)
	}
	if _, err := dec.ReadToken(); err != nil {
		return d.syntax(err)
	}
	return nil
}

// settable returns what a field holds; an optional one is made.
func settable(f reflect.Value) reflect.Value {
	if f.Kind() != reflect.Pointer {
		return f
	}
	f.Set(reflect.New(f.Type().Elem()))
	return f.Elem()
}

// integer takes 5 and 5.0, as clients write both, and refuses fractions.
func (d *decoder) integer(v reflect.Value, text string, s *Shape) *Error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil && strings.ContainsAny(text, ".eE") {
		f, ferr := strconv.ParseFloat(text, 64)
		if ferr != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return serialization("%s: %s is not a whole number.", d.at(), short(text))
		}
		n, err = int64(f), nil
	}
	if err != nil || v.OverflowInt(n) {
		return serialization("%s: %s is out of the range of %s.", d.at(), short(text), s.Kind)
	}
	v.SetInt(n)
	return nil
}

// texts fills a member from the values of its query parameter.
func (d *decoder) texts(f reflect.Value, m *Member, texts []string) *Error {
	if m.Shape.Kind != List {
		return d.text(f, m, texts[0])
	}
	f.Set(reflect.MakeSlice(f.Type(), len(texts), len(texts)))
	for i, t := range texts {
		if err := d.scalar(f.Index(i), m.Shape.Value, t, m.In); err != nil {
			return err
		}
	}
	return nil
}

// text fills a scalar member from a label, query parameter or header.
func (d *decoder) text(f reflect.Value, m *Member, text string) *Error {
	if m.JSONValue {
		var err *Error
		if text, err = d.jsonValue(text); err != nil {
			return err
		}
	}
	return d.scalar(settable(f), m.Shape, text, m.In)
}

func (d *decoder) scalar(v reflect.Value, s *Shape, text string, in Location) *Error {
	if !utf8.ValidString(text) {
		return serialization("%s: the text is not UTF-8.", d.at())
	}
	switch s.Kind {
	case String:
		v.SetString(text)
	case Boolean:
		if text != "true" && text != "false" {
			return serialization("%s: expected true or false, found '%s'.", d.at(), short(text))
		}
		v.SetBool(text == "true")
	case Integer, Long:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || v.OverflowInt(n) {
			return serialization("%s: expected a whole number, found '%s'.", d.at(), short(text))
		}
		v.SetInt(n)
	case Float, Double:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return serialization("%s: expected a number, found '%s'.", d.at(), short(text))
		}
		v.SetFloat(n)
	case Timestamp:
		layout, what := time.RFC3339Nano, "an ISO 8601 time"
		if in == Header {
			layout, what = http.TimeFormat, "an RFC 7231 time"
		}
		t, err := time.Parse(layout, text)
		if err != nil {
			return serialization("%s: expected %s, found '%s'.", d.at(), what, short(text))
		}
		v.Set(reflect.ValueOf(Time{t.UTC()}))
	case Blob:
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return serialization("%s: the text is not base64.", d.at())
		}
		v.SetBytes(b)
	default:
		return serialization("%s: not supported in this place.", d.at())
	}
	return nil
}

// jsonValue returns the JSON text in a base64 header. Boto3 encodes a string
// argument twice: JSON in a JSON string. Source: api sheet 4.1.
func (d *decoder) jsonValue(text string) (string, *Error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", serialization("%s: the header is not base64.", d.at())
	}
	v := jsontext.Value(raw)
	if !v.IsValid() {
		return "", serialization("%s: the header does not hold JSON.", d.at())
	}
	if v.Kind() != '"' {
		return string(raw), nil
	}
	inner, err := jsontext.AppendUnquote(nil, jsontext.Value(strings.TrimSpace(string(raw))))
	if err != nil || !jsontext.Value(inner).IsValid() {
		return "", serialization("%s: the header does not hold JSON.", d.at())
	}
	return string(inner), nil
}

// at is where the decoder is.
func (d *decoder) at() string {
	if len(d.path) == 0 {
		return "The request body"
	}
	return short(strings.Join(d.path, "."))
}

func (d *decoder) wrongType(s *Shape, found jsontext.Kind) *Error {
	return serialization("%s: expected %s, found %s.", d.at(), s.Kind, kindName(found))
}

// wrongKind reports a wrong type, unless the JSON itself is broken here.
func (d *decoder) wrongKind(dec *jsontext.Decoder, s *Shape, found jsontext.Kind) *Error {
	if _, err := dec.ReadToken(); err != nil {
		return d.syntax(err)
	}
	return d.wrongType(s, found)
}

func (d *decoder) syntax(err error) *Error {
	text := err.Error()
	return serialization("The request body is not valid JSON: %s", short(strings.TrimPrefix(text, "jsontext: "))).WithCause(err)
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 't', 'f':
		return "a boolean"
	case '{':
		return "an object"
	case '[':
		return "a list"
	default:
		return "nothing"
	}
}

// String says what a value of the kind looks like in JSON.
func (k Kind) String() string {
	names := [...]string{"an object", "a list", "an object", "a string", "an integer", "a long integer", "a number", "a number", "a boolean", "a time in epoch seconds", "a base64 string"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// short keeps a client's text from filling an answer.
func short(s string) string {
	const limit = 256
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}
