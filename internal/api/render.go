package api

import (
	"cmp"
	"encoding/xml"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/api/sigv4"
)

// render writes an error as the clients of the service read it.
// Source: api sheet 4.5 and 4.6, measured with boto3, JS and Go.
func (t target) render(e *Error, requestID string) response {
	r := response{status: e.Status, header: http.Header{"X-Amzn-Errortype": {e.Code}}, contentType: "application/json"}
	fullCode, queryCode := e.Code, e.Code
	if t.bound != nil {
		if t.bound.ErrorNamespace != "" {
			fullCode = t.bound.ErrorNamespace + "#" + e.Code
		}
		queryCode = cmp.Or(t.bound.QueryCodes[e.Code], e.Code)
	}
	if t.legacy { // source: metrics sheet 3.4
		who := "Sender"
		if e.Status >= 500 {
			who = "Receiver"
		}
		r.header.Set("X-Amzn-Query-Error", queryCode+";"+who)
	}
	switch t.style {
	case styleXML:
		r.contentType = "text/xml"
		who := "Sender"
		if e.Status >= 500 {
			who = "Receiver"
		}
		var b strings.Builder
		b.WriteString(`<ErrorResponse xmlns="` + escape(t.ns) + `"><Error><Type>` + who + `</Type><Code>` + escape(queryCode) +
			`</Code><Message>` + escape(e.Message) + `</Message></Error><RequestId>` + escape(requestID) + `</RequestId></ErrorResponse>`)
		r.body = []byte(b.String())
	case styleCBOR:
		r.contentType = "application/cbor"
		r.header.Set("Smithy-Protocol", "rpc-v2-cbor")
		b := appendHead(nil, cborMap, 3)
		for _, s := range []string{"__type", fullCode, "message", e.Message, "Message", e.Message} { // the Go SDK knows one spelling for each exception
			b = appendText(b, s)
		}
		r.body = b
	case styleLambda: // the Go SDK knows one spelling of the message for each exception
		fault, member := "User", "message"
		if e.Status >= 500 {
			fault = "Service"
		}
		if e.Code == "ResourceNotFoundException" || e.Status >= 500 {
			member = "Message"
		}
		b := appendQuoted([]byte(`{"Type":`), fault)
		if e.Reason != "" {
			b = appendQuoted(append(b, `,"Reason":`...), e.Reason)
		}
		b = appendQuoted(append(b, `,"`+member+`":`...), e.Message)
		r.body = append(b, '}')
	default:
		b := []byte{'{'}
		if t.style == styleJSON1 {
			r.contentType = "application/x-amz-json-" + t.json
			b = append(b, `"__type":`...)
			b = append(appendQuoted(b, fullCode), ',')
		}
		b = append(b, `"message":`...)
		b = appendQuoted(b, e.Message)
		for _, extra := range [...]struct{ name, value string }{{"resourceArn", e.ResourceARN}, {"resourceId", e.ResourceID}, {"traceId", requestID}} {
			if extra.value != "" {
				b = append(b, `,"`+extra.name+`":`...)
				b = appendQuoted(b, extra.value)
			}
		}
		if e.Members != "" {
			b = append(append(b, ','), e.Members...)
		}
		r.body = append(b, '}')
	}
	return r
}

// refuse words a refused signature as the service does. Source: api sheet 5.2.
func (t target) refuse(f *sigv4.Failure) *Error {
	if t.style == styleData {
		return Errorf("ForbiddenException", http.StatusForbidden, "%s", f.Message)
	}
	type code struct {
		rest, xml string
		xmlStatus int
	}
	c := map[sigv4.Reason]code{
		sigv4.Missing:    {"MissingAuthenticationTokenException", "MissingAuthenticationToken", http.StatusForbidden},
		sigv4.Incomplete: {"IncompleteSignatureException", "IncompleteSignature", http.StatusBadRequest},
		sigv4.UnknownKey: {"UnrecognizedClientException", "InvalidClientTokenId", http.StatusForbidden},

		sigv4.SessionToken: {"UnrecognizedClientException", "InvalidClientTokenId", http.StatusForbidden},
	}[f.Reason]
	switch {
	case f.Reason == sigv4.Expired:
		return Errorf("RequestExpired", http.StatusBadRequest, "%s", f.Message)
	case c.rest == "":
		c = code{"InvalidSignatureException", "SignatureDoesNotMatch", http.StatusForbidden}
	}
	if t.style == styleXML {
		return Errorf(c.xml, c.xmlStatus, "%s", f.Message)
	}
	return Errorf(c.rest, http.StatusForbidden, "%s", f.Message)
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

// write sends r; a HEAD request gets no body.
func (r response) write(w http.ResponseWriter, method string) {
	h := w.Header()
	maps.Copy(h, r.header)
	if r.contentType != "" {
		h.Set("Content-Type", r.contentType)
	}
	if r.stream != nil {
		w.WriteHeader(r.status)
		r.stream(w)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(r.body)))
	w.WriteHeader(r.status)
	if method != http.MethodHead && len(r.body) > 0 {
		_, _ = w.Write(r.body) // the client may be gone: there is nobody to tell
	}
}

// indirect returns what out points to; invalid if it is nil.
func indirect(out any) reflect.Value {
	v := reflect.ValueOf(out)
	if v.Kind() == reflect.Pointer {
		return v.Elem()
	}
	return reflect.Value{}
}
