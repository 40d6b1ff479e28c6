package api

import (
	"context"
	"encoding/base64"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Wire is a request taken apart.
type Wire struct {
	Method, Path string // raw
	Query        url.Values
	Header       http.Header
	Body         []byte
}

// DecodeForTest routes and decodes w without validating it.
func DecodeForTest(svc *Service, w Wire) (op *OperationInfo, in any, err error) {
	m, allowed, ok := routerOf(svc).find(w.Method, w.Path)
	if !ok {
		return nil, nil, fmt.Errorf("%s %s: no operation, the path knows %v", w.Method, w.Path, allowed)
	}
	in = m.op.New()
	if _, e := decodeInput(m.op.Info.Input, bindings{m.labels, w.Query, w.Header, w.Body}, in); e != nil {
		return m.op.Info, nil, e
	}
	return m.op.Info, in, nil
}

// ValidateForTest decodes and validates w for one operation.
func ValidateForTest(svc *Service, w Wire) *Error {
	m, _, ok := routerOf(svc).find(w.Method, w.Path)
	if !ok {
		return Errorf("UnknownOperationException", 404, "%s %s", w.Method, w.Path)
	}
	in := m.op.New()
	missing, e := decodeInput(m.op.Info.Input, bindings{m.labels, w.Query, w.Header, w.Body}, in)
	if e != nil {
		return e
	}
	return m.op.Info.validate(in, missing)
}

// EncodeRequestForTest writes in as a client would.
func EncodeRequestForTest(op *OperationInfo, in any) Wire {
	w := Wire{Method: op.Method, Path: op.Path, Query: url.Values{}, Header: http.Header{}}
	v := reflect.ValueOf(in).Elem()
	body := false
	for i := range op.Input.Members {
		m := &op.Input.Members[i]
		f := v.Field(i)
		body = body || m.In == Body
		switch f.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			if f.IsNil() {
				continue
			}
			if f.Kind() == reflect.Pointer {
				f = f.Elem()
			}
		default:
		}
		switch m.In {
		case Label:
			t := url.PathEscape(plain(f, m))
			w.Path = strings.NewReplacer("{"+m.wire()+"}", t, "{"+m.wire()+"+}", t).Replace(w.Path)
		case Query:
			if m.Shape.Kind == List {
				for j := range f.Len() {
					w.Query.Add(m.wire(), plain(f.Index(j), m))
				}
				continue
			}
			w.Query.Set(m.wire(), plain(f, m))
		case Header:
			w.Header.Set(m.wire(), plain(f, m))
		case Payload:
			if m.Shape.Kind == Blob {
				w.Body = f.Bytes()
			} else {
				w.Body = appendStructure(nil, f, m.Shape, false)
			}
		default:
		}
	}
	if body {
		w.Body = appendStructure(nil, v, op.Input, false)
	}
	return w
}

func plain(f reflect.Value, m *Member) string {
	if t, ok := reflect.TypeAssert[Time](f); ok {
		return t.Format(time.RFC3339Nano)
	}
	if m.JSONValue {
		return base64.StdEncoding.EncodeToString([]byte(f.String()))
	}
	return fmt.Sprint(f.Interface())
}

// EncodeForTest encodes the output of an operation into a recorded response.
func EncodeForTest(op *OperationInfo, out any) *http.Response {
	w := httptest.NewRecorder()
	encodeREST(op, out).write(w, op.Method)
	return w.Result()
}

// RenderForTest renders an error in the style of svc.
func RenderForTest(svc *Service, e *Error) *http.Response {
	w := httptest.NewRecorder()
	(&binding{Service: svc}).target().render(e, "00000000-0000-4000-8000-000000000000").write(w, "GET")
	return w.Result()
}

// DecodeOutputForTest reads a response body into out, a pointer to the Go type of shape.
func DecodeOutputForTest(shape *Shape, body []byte, out any) error {
	d := &decoder{missing: map[string]bool{}}
	if err := d.body(reflect.ValueOf(out).Elem(), shape, body); err != nil {
		return err
	}
	return nil
}

// FillForTest puts random values into v, the Go type of shape. Absent members
// occur, empty lists do not when all is set.
func FillForTest(rnd *rand.Rand, v reflect.Value, s *Shape, all bool) {
	switch s.Kind {
	case Structure:
		for i := range s.Members {
			m := &s.Members[i]
			f := v.Field(i)
			if s.Name == "AssetPropertyVariant" { // for the SDK a union: exactly one
				if i != len(s.Members)-1 {
					continue
				}
			} else if !m.Required && !all && rnd.IntN(4) == 0 {
				continue
			}
			if m.In == Status {
				n := int32(200 + rnd.IntN(5))
				f.Set(reflect.ValueOf(&n))
				continue
			}
			if m.JSONValue {
				text := `[{"k":"v<>&"}]`
				f.Set(reflect.ValueOf(&text))
				continue
			}
			FillForTest(rnd, settable(f), m.Shape, all)
		}
	case List:
		n := 1 + rnd.IntN(2)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			FillForTest(rnd, v.Index(i), s.Value, all)
		}
	case Map:
		v.Set(reflect.MakeMap(v.Type()))
		for i := range 1 + rnd.IntN(2) {
			k := reflect.New(v.Type().Key()).Elem()
			FillForTest(rnd, k, s.Key, all)
			if s.Key.Enum == nil {
				k.SetString(k.String() + strconv.Itoa(i))
			}
			e := reflect.New(v.Type().Elem()).Elem()
			FillForTest(rnd, e, s.Value, all)
			v.SetMapIndex(k, e)
		}
	case String:
		if s.Enum != nil {
			v.SetString(s.Enum[rnd.IntN(len(s.Enum))])
			return
		}
		texts := []string{"a", "sensor-1", "a/b c", `{"k":"<v>&"}`, "é€😀", "$aws:x", "100%", "line\nbreak", "arn:aws:iot:us-east-1:123456789012:cert/abc"}
		v.SetString(texts[rnd.IntN(len(texts))])
	case Integer:
		v.SetInt(int64(rnd.Int32()) + 1)
	case Long:
		v.SetInt(rnd.Int64N(math.MaxInt64) + 1)
	case Float, Double:
		v.SetFloat(float64(rnd.IntN(1000)+1) / 8)
	case Boolean:
		v.SetBool(all || rnd.IntN(2) == 0)
	case Timestamp:
		// Halves are exact in binary: the SDK cuts other fractions off, some a millisecond short.
		v.Set(reflect.ValueOf(Time{time.UnixMilli(500 * (1 + rnd.Int64N(8e9))).UTC()}))
	case Events: // a stream has no value to fill
	case Blob:
		v.SetBytes([]byte("blob\x00\xff" + strconv.Itoa(rnd.IntN(1000))))
	}
}

// CompileForTest reports whether a pattern can be used.
func CompileForTest(p *Pattern) error {
	_, err := compile(p.Source)
	return err
}

// MatchForTest matches s against a pattern's source.
func MatchForTest(source, s string) bool { return (&Pattern{Source: source}).Match(s) }

// CallForTest returns a context as a handler gets it.
func CallForTest(ctx context.Context, account, operation, secret string) context.Context {
	return context.WithValue(ctx, callKey{}, &call{operation: operation, caller: Caller{Account: account}, sealer: newSealer([]byte(secret))})
}

var routers sync.Map // *Service -> *router

func routerOf(svc *Service) *router {
	r, ok := routers.Load(svc)
	if !ok {
		r, _ = routers.LoadOrStore(svc, newRouter(svc.Operations))
	}
	return r.(*router)
}
