// Package sigv4 verifies AWS Signature Version 4 on requests, from the
// Authorization header or from a presigned query.
//
// Source: api sheet 5; AWS Signature Version 4 for API requests.
package sigv4

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	timeLayout = "20060102T150405Z"
	terminator = "aws4_request"

	maxHeader        = 8 << 10 // bytes of the Authorization header
	maxSignedHeaders = 100
	maxExpires       = 604800 // seconds; seven days
)

// Request is the part of an HTTP request that is signed.
type Request struct {
	Method   string
	RawPath  string // as on the wire, still encoded
	RawQuery string // as on the wire, without the question mark
	Host     string // the Host header as sent, with its port
	Header   http.Header
	Length   int64 // of the body; used if content-length is signed and not in Header
	TLS      bool
}

// Signature is a parsed, not yet verified signature.
type Signature struct {
	AccessKeyID   string
	Day           string // 20060102
	Region        string
	Service       string
	Time          time.Time
	Presigned     bool
	Expires       time.Duration // of a presigned request
	SessionToken  string
	SignedHeaders []string // lower case, in the order given

	date      string // as given
	signature string // hex
	payload   string // in place of the body's hash, to find out what a client signed
	request   Request
}

// A Reason says which rule a signature broke.
type Reason uint8

// Reasons. Each service has its own code for them: api sheet 5.2.
const (
	Missing      Reason = iota + 1 // the request is not signed
	Incomplete                     // a part is missing or malformed
	UnknownKey                     // no such access key, or a wrong session token
	Mismatch                       // another key, or the request was changed on the way
	TooOld                         // signed too long ago
	TooNew                         // signed in the future
	Expired                        // a presigned URL after its end
	WrongRegion                    // scope names another region
	WrongService                   // scope names another service
	SessionToken                   // a temporary key: there are none
)

// A Failure is a refused signature, with what a client is told.
type Failure struct {
	Reason  Reason
	Message string
	// Canonical is the canonical request that we calculated, on a Mismatch:
	// compare it with the client's to find what differs. For the log only.
	Canonical string
	Differs   Difference // on a Mismatch: where client and server part, as far as it can be told
	Signed    string     // and what the client signed there; "" when unknown
}

func fail(r Reason, format string, args ...any) *Failure {
	return &Failure{Reason: r, Message: fmt.Sprintf(format, args...)}
}

// Parse finds the signature of r and checks its form. It does not know keys,
// clocks or bodies: see [Verifier].
func Parse(r Request) (*Signature, *Failure) {
	if h := r.Header.Values("Authorization"); len(h) > 0 {
		if len(h) > 1 {
			return nil, fail(Incomplete, "The request has more than one Authorization header.")
		}
		return parseHeader(r, h[0])
	}
	if !strings.Contains(r.RawQuery, "X-Amz-") {
		return nil, fail(Missing, "Missing Authentication Token")
	}
	return parseQuery(r)
}

func parseHeader(r Request, h string) (*Signature, *Failure) {
	if len(h) > maxHeader {
		return nil, fail(Incomplete, "The Authorization header is longer than %d bytes.", maxHeader)
	}
	rest, ok := strings.CutPrefix(h, algorithm)
	if !ok || rest == "" || rest[0] != ' ' && rest[0] != '\t' {
		return nil, fail(Incomplete, "Authorization header requires the algorithm '%s'.", algorithm)
	}
	parts := map[string]string{}
	for p := range strings.SplitSeq(rest, ",") {
		p = strings.TrimSpace(p)
		if p == "" {
			continue
		}
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			return nil, fail(Incomplete, "'%s' is not a key=value pair (missing equal-sign) in Authorization header.", clip(p))
		}
		if _, twice := parts[name]; twice {
			return nil, fail(Incomplete, "Authorization header has the parameter '%s' twice.", clip(name))
		}
		parts[name] = value
	}
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if parts[name] == "" {
			return nil, fail(Incomplete, "Authorization header requires '%s' parameter. Authorization=%s", name, algorithm)
		}
	}
	date := r.Header.Get("X-Amz-Date")
	if date == "" {
		t, err := http.ParseTime(r.Header.Get("Date"))
		if err != nil {
			if t, err = time.Parse(timeLayout, r.Header.Get("Date")); err != nil {
				return nil, fail(Incomplete, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=%s", algorithm)
			}
		}
		date = t.UTC().Format(timeLayout)
	}
	s := &Signature{
		signature:    parts["Signature"],
		SessionToken: r.Header.Get("X-Amz-Security-Token"),
		request:      r,
	}
	return s, s.fill(parts["Credential"], parts["SignedHeaders"], date)
}

func parseQuery(r Request) (*Signature, *Failure) {
	q, err := url.ParseQuery(r.RawQuery)
	if err != nil {
		return nil, fail(Incomplete, "The query string is malformed.")
	}
	if !q.Has("X-Amz-Credential") && !q.Has("X-Amz-Signature") && !q.Has("X-Amz-Algorithm") {
		return nil, fail(Missing, "Missing Authentication Token")
	}
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature"} {
		if len(q[name]) != 1 || q[name][0] == "" {
			return nil, fail(Incomplete, "AWS query-string parameters must include '%s'. Re-examine the query-string parameters.", name)
		}
	}
	if q.Get("X-Amz-Algorithm") != algorithm {
		return nil, fail(Incomplete, "X-Amz-Algorithm must be '%s'.", algorithm)
	}
	s := &Signature{
		signature:    q.Get("X-Amz-Signature"),
		SessionToken: q.Get("X-Amz-Security-Token"),
		Presigned:    true,
		request:      r,
	}
	if e := q.Get("X-Amz-Expires"); e != "" {
		n, err := strconv.Atoi(e)
		if err != nil || n < 1 || n > maxExpires {
			return nil, fail(Incomplete, "X-Amz-Expires must be between 1 and %d seconds.", maxExpires)
		}
		s.Expires = time.Duration(n) * time.Second
	}
	return s, s.fill(q.Get("X-Amz-Credential"), q.Get("X-Amz-SignedHeaders"), q.Get("X-Amz-Date"))
}

// fill parses the parts that header and query have in common.
func (s *Signature) fill(credential, signed, date string) *Failure {
	scope := strings.Split(credential, "/")
	if len(scope) != 5 || slices.Contains(scope, "") || scope[4] != terminator {
		return fail(Incomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/aws4_request, got '%s'.", clip(credential))
	}
	s.AccessKeyID, s.Day, s.Region, s.Service = scope[0], scope[1], scope[2], scope[3]
	t, err := time.Parse(timeLayout, date)
	if err != nil {
		return fail(Incomplete, "Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", clip(date))
	}
	s.Time, s.date = t, date
	if t.Format("20060102") != s.Day {
		return fail(Mismatch, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.", clip(s.Day), t.Format("20060102"), date)
	}
	s.SignedHeaders = strings.Split(signed, ";")
	if len(s.SignedHeaders) > maxSignedHeaders {
		return fail(Incomplete, "SignedHeaders names more than %d headers.", maxSignedHeaders)
	}
	for _, h := range s.SignedHeaders {
		if h == "" || h != strings.ToLower(h) {
			return fail(Incomplete, "SignedHeaders must be lower-case header names separated by ';'.")
		}
	}
	if !slices.Contains(s.SignedHeaders, "host") {
		return fail(Mismatch, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	return nil
}

// clip keeps what a client sent printable and short in a message.
func clip(s string) string {
	const limit = 128
	if len(s) > limit {
		s = s[:limit] + "..."
	}
	return strings.Trim(strconv.QuoteToASCII(s), `"`)
}
