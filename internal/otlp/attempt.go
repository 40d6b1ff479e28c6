package otlp

import (
	"context"
	"encoding/binary"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
)

// record makes the spans of an attempt that ended: one for the attempt, and below it
// one for each stage that it went through, whose events are the checks. The check
// that refused is the status of its stage and of the attempt; report tells it in words.
func record(tracer trace.Tracer, rec attempt.Record, report attempt.Report) {
	id, err := traceID(rec.ID)
	if err != nil {
		return // every attempt has a UUID
	}
	ids := &spanIDs{trace: id}
	ctx, root := tracer.Start(
		context.WithValue(context.Background(), idsKey{}, ids), rootName(&rec), trace.WithNewRoot(),
		trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(rec.Began), trace.WithAttributes(attributes(&rec, report)...),
	)
	defer root.End(trace.WithTimestamp(rec.Last))
	if rec.Outcome == attempt.Failed {
		root.SetStatus(codes.Error, report.Verdict)
	}
	if !root.IsRecording() {
		return // the sampler left it out
	}
	previous, opened := time.Duration(0), false
	for first := 0; first < len(rec.Steps); {
		next := first + 1
		for next < len(rec.Steps) && rec.Steps[next].Check.Stage == rec.Steps[first].Check.Stage {
			next++
		}
		steps := rec.Steps[first:next]
		begin := previous
		if opened {
			begin = steps[0].At // what happens in a session is no work that began with the last thing in it
		}
		previous = steps[len(steps)-1].At
		_, span := tracer.Start(ctx, steps[0].Check.Stage.String(), trace.WithTimestamp(rec.Began.Add(begin)))
		for i := range steps {
			opened = opened || steps[i].Check == check.SessionOpened
			addStep(span, &rec, &steps[i], report)
		}
		span.End(trace.WithTimestamp(rec.Began.Add(previous)))
		first = next
	}
}

// addStep makes a check an event of its stage.
func addStep(span trace.Span, rec *attempt.Record, s *attempt.Step, report attempt.Report) {
	attrs := []attribute.KeyValue{
		attribute.String("gatehouse.check", s.Check.Code), attribute.String("gatehouse.outcome", string(s.Outcome)),
	}
	if s.Count > 1 {
		attrs = append(attrs, attribute.Int("gatehouse.count", s.Count))
	}
	for _, f := range s.Evidence {
		attrs = append(attrs, attribute.String("gatehouse.evidence."+f.Key, f.Value))
	}
	if s.Outcome == attempt.Failed || s.Outcome == attempt.Also {
		for _, f := range report.Findings {
			if f.Code == s.Check.Code {
				attrs = append(attrs, words(f)...)
				break
			}
		}
	}
	if s.Outcome == attempt.Failed {
		span.SetStatus(codes.Error, s.Check.Code+": "+s.Check.Title)
	}
	span.AddEvent(s.Check.Code, trace.WithTimestamp(rec.Began.Add(s.At)), trace.WithAttributes(attrs...))
}

// words are a finding for the operator: what happened, what the device saw, and the repair.
func words(f attempt.Finding) []attribute.KeyValue {
	return texts(
		"gatehouse.title", f.Title, "gatehouse.cause", f.Cause, "gatehouse.device_sees", f.Device, "gatehouse.advice", f.Advice, "gatehouse.fix", f.Fix,
	)
}

// rootName says what the attempt was, in one of few words.
func rootName(rec *attempt.Record) string {
	if rec.Protocol != "" {
		return rec.Protocol + " attempt"
	}
	return "attempt"
}

// attributes are the facts of an attempt: by OpenTelemetry's conventions where they have a name.
func attributes(rec *attempt.Record, report attempt.Report) []attribute.KeyValue {
	attrs := texts(
		"gatehouse.outcome", string(rec.Outcome), "gatehouse.check", rec.Code, "gatehouse.verdict", report.Verdict, "gatehouse.door", string(rec.Door),
		"gatehouse.client_id", rec.ClientID, "gatehouse.principal", rec.Principal, "gatehouse.certificate_id", rec.CertificateID, "gatehouse.thing", rec.Thing,
		"tls.client.server_name", rec.SNI, "tls.next_protocol", rec.ALPN, "tls.protocol.version", rec.TLSVersion, "tls.cipher", rec.Cipher, "user_agent.original", rec.SDK,
	)
	if rec.Source.IsValid() {
		attrs = append(attrs, attribute.String("client.address", rec.Source.Addr().String()), attribute.Int("client.port", int(rec.Source.Port())))
	}
	if rec.Local.IsValid() {
		attrs = append(attrs, attribute.String("server.address", rec.Local.Addr().String()), attribute.Int("server.port", int(rec.Local.Port())))
	}
	for _, f := range rec.Facts {
		attrs = append(attrs, attribute.String("gatehouse.fact."+f.Key, f.Value))
	}
	return attrs
}

// texts makes attributes of names and values in turn; one without a value is left out.
func texts(pairs ...string) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			attrs = append(attrs, attribute.String(pairs[i], pairs[i+1]))
		}
	}
	return attrs
}

// recordSize is about how many bytes a record takes while it waits.
func recordSize(rec *attempt.Record) int {
	n := 1024 + len(rec.Certificate)
	for _, f := range rec.Facts {
		n += 64 + len(f.Value)
	}
	for i := range rec.Steps {
		n += 128
		for _, f := range rec.Steps[i].Evidence {
			n += 64 + len(f.Value)
		}
	}
	return n
}

// spanIDs numbers the spans of one trace, whose ID is that of the attempt.
type spanIDs struct {
	trace trace.TraceID
	spans uint64
}

type idsKey struct{}

// rootSpan is the span of the attempt itself, which log records name too.
func rootSpan(id trace.TraceID) trace.SpanID { return trace.SpanID(id[8:]) }

func (s *spanIDs) next() (id trace.SpanID) {
	root := rootSpan(s.trace)
	binary.BigEndian.PutUint64(id[:], binary.BigEndian.Uint64(root[:])+s.spans)
	s.spans++
	return id
}

// generator takes IDs from the context: it implements the SDK's IDGenerator.
type generator struct{}

func (generator) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	ids := ctx.Value(idsKey{}).(*spanIDs) // record is the only one that starts spans
	return ids.trace, ids.next()
}

func (generator) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	return ctx.Value(idsKey{}).(*spanIDs).next()
}
