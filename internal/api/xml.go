package api

import (
	"net/http"
	"reflect"
	"strconv"
	"strings"
)

// encodeXML writes the output of a query operation. The element around the result
// is there for an empty result too: botocore fails without. Source: metrics sheet 3.2.
func encodeXML(svc *Service, op *OperationInfo, out any, requestID string) response {
	var b strings.Builder
	b.WriteString("<" + op.Name + `Response xmlns="` + escape(svc.XMLNamespace) + `">`)
	if op.Output != nil && op.Wrapper != "" {
		b.WriteString("<" + op.Wrapper + ">")
		if v := indirect(out); v.IsValid() {
			writeXML(&b, v, op.Output)
		}
		b.WriteString("</" + op.Wrapper + ">")
	}
	b.WriteString("<ResponseMetadata><RequestId>" + escape(requestID) + "</RequestId></ResponseMetadata></" + op.Name + "Response>")
	return response{status: http.StatusOK, contentType: "text/xml", body: []byte(b.String())}
}

// writeXML writes a value without the element around it.
func writeXML(b *strings.Builder, v reflect.Value, s *Shape) {
	switch s.Kind {
	case Structure:
		for i := range s.Members {
			m := &s.Members[i]
			if f, ok := present(v.Field(i)); ok {
				element(b, m.wire(), f, m.Shape)
			}
		}
	case List:
		for i := range v.Len() {
			element(b, "member", v.Index(i), s.Value)
		}
	case Map:
		for _, k := range sortedKeys(v) {
			b.WriteString("<entry>")
			element(b, "key", k, s.Key)
			element(b, "value", v.MapIndex(k), s.Value)
			b.WriteString("</entry>")
		}
	case Float, Double:
		b.WriteString(strconv.FormatFloat(v.Float(), 'g', -1, 64))
	case Timestamp:
		b.WriteString(v.Interface().(Time).UTC().Format("2006-01-02T15:04:05.999Z"))
	default:
		text, _ := headerText(v, s)
		b.WriteString(escape(text))
	}
}

func element(b *strings.Builder, name string, v reflect.Value, s *Shape) {
	b.WriteString("<" + name + ">")
	writeXML(b, v, s)
	b.WriteString("</" + name + ">")
}
