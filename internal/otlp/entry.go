package otlp

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/trace"
)

// An entry is one line of the devices' log.
type entry struct {
	time    time.Time
	message []byte
}

var severities = map[string]log.Severity{
	"ERROR": log.SeverityError, "WARN": log.SeverityWarn, "INFO": log.SeverityInfo, "DEBUG": log.SeverityDebug,
}

// emit hands an entry to the logger. Its members become attributes, named as Logs
// Insights names them: a.b for objects, list.0.name for lists. Level, event type
// and trace ID have fields of their own in a log record, and are not repeated.
func (e entry) emit(l log.Logger) {
	var r log.Record
	r.SetTimestamp(e.time)
	ctx := context.Background()
	r.SetBody(attribute.StringValue(string(e.message)))
	fields, err := flatten(e.message)
	if err != nil { // not ours, then: as it is
		l.Emit(ctx, r)
		return
	}
	attributes := make([]attribute.KeyValue, 0, len(fields))
	for _, f := range fields {
		switch f.Key {
		case "timestamp":
		case "logLevel":
			r.SetSeverity(severities[f.Value.AsString()])
			r.SetSeverityText(f.Value.AsString())
		case "eventType":
			r.SetEventName(f.Value.AsString())
		case "traceId":
			if id, err := traceID(f.Value.AsString()); err == nil {
				ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: rootSpan(id), TraceFlags: trace.FlagsSampled}))
			}
		default:
			attributes = append(attributes, f)
		}
	}
	r.AddAttributes(attributes...)
	l.Emit(ctx, r)
}

// traceID is the trace of an attempt: its UUID without the hyphens.
func traceID(uuid string) (trace.TraceID, error) {
	return trace.TraceIDFromHex(strings.ReplaceAll(uuid, "-", ""))
}

// flatten returns the leaves of a JSON object in their order; null is none.
func flatten(message []byte) ([]attribute.KeyValue, error) {
	dec := jsontext.NewDecoder(strings.NewReader(string(message)))
	if dec.PeekKind() != '{' {
		return nil, errors.New("not a JSON object")
	}
	var out []attribute.KeyValue
	err := walk(dec, "", &out)
	return out, err
}

// walk reads one value whose name is path.
func walk(dec *jsontext.Decoder, path string, out *[]attribute.KeyValue) error {
	token, err := dec.ReadToken()
	if err != nil {
		return err
	}
	switch token.Kind() {
	case '{':
		for dec.PeekKind() != '}' {
			name, err := dec.ReadToken()
			if err != nil {
				return err
			}
			if err := walk(dec, join(path, name.String()), out); err != nil {
				return err
			}
		}
		_, err = dec.ReadToken()
		return err
	case '[':
		for i := 0; dec.PeekKind() != ']'; i++ {
			if err := walk(dec, join(path, strconv.Itoa(i)), out); err != nil {
				return err
			}
		}
		_, err = dec.ReadToken()
		return err
	case 't', 'f':
		*out = append(*out, attribute.Bool(path, token.Bool()))
	case '0':
		text := token.String()
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			*out = append(*out, attribute.Int64(path, n))
		} else if f, err := strconv.ParseFloat(text, 64); err == nil {
			*out = append(*out, attribute.Float64(path, f))
		}
	case '"':
		*out = append(*out, attribute.String(path, token.String()))
	default: // null
	}
	return nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
