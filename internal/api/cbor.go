package api

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// maxInflated bounds what a compressed request body holds, in bytes.
const maxInflated = 4 << 20

// inflate returns the body of a request that its client may have compressed, as
// SDKs do with PutMetricData. The signature is over what was sent.
func inflate(r *http.Request, body []byte) ([]byte, *Error) {
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
		return body, nil
	case "gzip":
	default:
		return nil, serialization("The content encoding %s is not supported; gzip is.", short(encoding))
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, serialization("The request body is not gzip.").WithCause(err)
	}
	out, err := io.ReadAll(io.LimitReader(z, maxInflated+1))
	if err != nil {
		return nil, serialization("The request body is not gzip.").WithCause(err)
	}
	if len(out) > maxInflated {
		return nil, tooLarge(maxInflated)
	}
	return out, nil
}

// callCBOR performs an operation of the rpc-v2-cbor protocol.
// Source: metrics sheet 3.2.
func (x *exchange) callCBOR(body []byte) (response, *Error) {
	svc := x.to.bound
	if x.r.Method != http.MethodPost {
		return response{}, Errorf("UnknownOperationException", http.StatusMethodNotAllowed, "Operations of %s are called by POST.", svc.ID)
	}
	if protocol := x.r.Header.Get("Smithy-Protocol"); protocol != "" && protocol != "rpc-v2-cbor" {
		return response{}, serialization("The header smithy-protocol says %s, the path is of rpc-v2-cbor.", short(protocol))
	}
	op := svc.operation(x.to.op)
	if op == nil {
		return response{}, NotImplemented(svc.ID, svc.Version, short(x.to.op))
	}
	return x.perform(op, func(shape *Shape, in any) (map[string]bool, *Error) {
		return decodeCBOR(shape, body, in)
	}, encodeCBOR)
}

// encodeCBOR writes the output of an operation; one that has none is an empty map.
func encodeCBOR(op *OperationInfo, out any) response {
	r := response{status: http.StatusOK, header: http.Header{"Smithy-Protocol": {"rpc-v2-cbor"}}, contentType: "application/cbor", body: []byte{0xA0}}
	if v := indirect(out); v.IsValid() && op.Output != nil {
		r.body = appendCBOR(nil, v, op.Output)
	}
	return r
}

var cborMode = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: maxFormDepth, MaxArrayElements: 128 << 10, MaxMapPairs: 16 << 10,
		DefaultMapType: reflect.TypeFor[map[string]any](), ByteStringToString: cbor.ByteStringToStringForbidden,
	}.DecMode()
	if err != nil {
		panic(err) // the options are constant
	}
	return mode
}()

// decodeCBOR fills in, a pointer to the Go type of shape. No body is an empty one.
func decodeCBOR(shape *Shape, body []byte, in any) (missing map[string]bool, _ *Error) {
	tree := map[string]any{}
	if len(body) > 0 {
		if err := cborMode.Unmarshal(body, &tree); err != nil {
			return nil, serialization("The request body is not valid CBOR: %s", short(strings.TrimPrefix(err.Error(), "cbor: "))).WithCause(err)
		}
	}
	d := &decoder{missing: map[string]bool{}}
	if err := d.cbor(reflect.ValueOf(in).Elem(), shape, tree); err != nil {
		return nil, err
	}
	return d.missing, nil
}

// cbor fills v from one decoded item that is not null.
func (d *decoder) cbor(v reflect.Value, s *Shape, item any) *Error {
	switch item := item.(type) {
	case map[string]any:
		switch s.Kind {
		case Structure:
			return d.cborStructure(v, s, item)
		case Map:
			return d.cborMap(v, s, item)
		default: // no other kind is a map
		}
	case []any:
		if s.Kind != List {
			break
		}
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		for _, elem := range item {
			if elem == nil {
				continue
			}
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			d.path = append(d.path, strconv.Itoa(v.Len()), "member")
			if err := d.cbor(v.Index(v.Len()-1), s.Value, elem); err != nil {
				return err
			}
			d.path = d.path[:len(d.path)-2]
		}
		return nil
	case string:
		if s.Kind == String {
			v.SetString(item)
			return nil
		}
	case bool:
		if s.Kind == Boolean {
			v.SetBool(item)
			return nil
		}
	case []byte:
		if s.Kind == Blob {
			v.SetBytes(item)
			return nil
		}
	case uint64:
		return d.cborNumber(v, s, float64(item), item <= 1<<53)
	case int64:
		return d.cborNumber(v, s, float64(item), item >= -1<<53)
	case float64:
		return d.cborNumber(v, s, item, item == math.Trunc(item) && math.Abs(item) <= 1<<53)
	case time.Time: // tag 1; what is no time is the zero one
		if s.Kind == Timestamp && !item.IsZero() && item.Year() > 0 && item.Year() < 10_000 {
			v.Set(reflect.ValueOf(Time{item.UTC().Round(time.Millisecond)}))
			return nil
		}
	}
	return serialization("%s: expected %s, found something else.", d.at(), s.Kind)
}

func (d *decoder) cborNumber(v reflect.Value, s *Shape, f float64, whole bool) *Error {
	switch s.Kind {
	case Float, Double:
		v.SetFloat(f)
		return nil
	case Integer, Long:
		if whole && !v.OverflowInt(int64(f)) {
			v.SetInt(int64(f))
			return nil
		}
		return serialization("%s: the number is no whole one in range.", d.at())
	case Timestamp:
		t, err := d.epoch(f)
		if err == nil {
			v.Set(reflect.ValueOf(t))
		}
		return err
	default:
		return serialization("%s: expected %s, found a number.", d.at(), s.Kind)
	}
}

func (d *decoder) cborStructure(v reflect.Value, s *Shape, item map[string]any) *Error {
	for i := range s.Members {
		m := &s.Members[i]
		child := item[m.wire()]
		if child == nil {
			if m.Required {
				d.missing[strings.Join(append(d.path, m.Name), ".")] = true
			}
			continue
		}
		d.path = append(d.path, m.Name)
		if err := d.cbor(settable(v.Field(i)), m.Shape, child); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-1]
	}
	return nil
}

func (d *decoder) cborMap(v reflect.Value, s *Shape, item map[string]any) *Error {
	v.Set(reflect.MakeMap(v.Type()))
	for name, child := range item {
		if child == nil {
			continue
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		d.path = append(d.path, name, "member")
		if err := d.cbor(elem, s.Value, child); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-2]
		v.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), elem)
	}
	return nil
}

// Major types of CBOR. Source: RFC 8949, 3.1.
const (
	cborUint  = 0 << 5
	cborInt   = 1 << 5
	cborBytes = 2 << 5
	cborText  = 3 << 5
	cborArray = 4 << 5
	cborMap   = 5 << 5
	cborTag   = 6 << 5
)

// appendHead writes a major type with its argument.
func appendHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n <= math.MaxUint8:
		return append(b, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), n)
}

func appendText(b []byte, s string) []byte {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return append(appendHead(b, cborText, uint64(len(s))), s...)
}

func appendDouble(b []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(b, 0xFB), math.Float64bits(f))
}

// appendCBOR writes a value; structures leave out what is absent.
func appendCBOR(b []byte, v reflect.Value, s *Shape) []byte {
	switch s.Kind {
	case Structure:
		b = append(b, 0xBF) // of indefinite length
		for i := range s.Members {
			m := &s.Members[i]
			if f, ok := present(v.Field(i)); ok {
				b = appendCBOR(appendText(b, m.wire()), f, m.Shape)
			}
		}
		return append(b, 0xFF)
	case List:
		b = appendHead(b, cborArray, uint64(v.Len()))
		for i := range v.Len() {
			b = appendCBOR(b, v.Index(i), s.Value)
		}
		return b
	case Map:
		b = appendHead(b, cborMap, uint64(v.Len()))
		for _, k := range sortedKeys(v) {
			b = appendCBOR(appendText(b, k.String()), v.MapIndex(k), s.Value)
		}
		return b
	case String:
		return appendText(b, v.String())
	case Integer, Long:
		if n := v.Int(); n < 0 {
			return appendHead(b, cborInt, uint64(-1-n))
		}
		return appendHead(b, cborUint, uint64(v.Int()))
	case Float, Double:
		return appendDouble(b, v.Float())
	case Boolean:
		if v.Bool() {
			return append(b, 0xF5)
		}
		return append(b, 0xF4)
	case Timestamp:
		return appendDouble(append(b, cborTag|1), float64(v.Interface().(Time).UnixMilli())/1e3)
	case Blob:
		return append(appendHead(b, cborBytes, uint64(v.Len())), v.Bytes()...)
	case Events: // only awsJson has streams here
	}
	panic(fmt.Sprintf("api: kind %d", s.Kind))
}
