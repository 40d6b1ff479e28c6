package sigv4_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/gatehouse-iot/gatehouse/internal/api/sigv4"
)

const (
	keyID  = "AKIAIOSFODNN7EXAMPLE"
	secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// sign returns a request as a server sees it, signed by the SDK's own signer.
func sign(t *testing.T, method, target, body string, at time.Time, options ...func(*http.Request)) sigv4.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://gatehouse.example:4610"+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range options {
		o(r)
	}
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, r, hex.EncodeToString(sum[:]), "iot", "us-east-1", at); err != nil {
		t.Fatal(err)
	}
	return received(r, target)
}

func received(r *http.Request, target string) sigv4.Request {
	path, query, _ := strings.Cut(target, "?")
	return sigv4.Request{Method: r.Method, RawPath: path, RawQuery: query, Host: r.URL.Host, Header: r.Header, Length: r.ContentLength}
}

// verify runs all steps as the API server does.
func verify(r sigv4.Request, secret, body string, now time.Time) (sigv4.Encoding, *sigv4.Failure) {
	s, f := sigv4.Parse(r)
	if f != nil {
		return "", f
	}
	var v sigv4.Verifier
	if f := v.CheckTime(s, now); f != nil {
		return "", f
	}
	enc, f := v.Verify(s, secret, []byte(body))
	if f != nil {
		return "", f
	}
	if again, f := v.Verify(s, secret, []byte(body)); f != nil || again != enc { // from the cache
		return "", f
	}
	return enc, nil
}

func TestVerifySDK(t *testing.T) {
	for name, tt := range map[string]struct{ method, target, body string }{
		"plain":                    {"GET", "/endpoint?endpointType=iot:Data-ATS", ""},
		"no query":                 {"GET", "/things", ""},
		"root":                     {"POST", "/", "Action=GetCallerIdentity&Version=2011-06-15"},
		"encoded slash":            {"POST", "/topics/a%2Fb?qos=1", "hello"},
		"encoded arn":              {"POST", "/attached-policies/arn%3Aaws%3Aiot%3Aus-east-1%3A123456789012%3Acert%2Fabc", "{}"},
		"dollar":                   {"PUT", "/things/t/jobs/$next", "{}"},
		"encoded dollar":           {"GET", "/things/t/jobs/%24next", ""},
		"colon":                    {"GET", "/things/a:b", ""},
		"space":                    {"GET", "/things/a%20b?x=c%20d", ""},
		"plus in path":             {"GET", "/things/a+b", ""},
		"unsorted query":           {"GET", "/things?nextToken=x&maxResults=5&attributeName=b&attributeName=a", ""},
		"query without value":      {"GET", "/things?a&b=", ""},
		"non-ASCII":                {"GET", "/things/%C3%A9?x=%E2%82%AC", ""},
		"trailing slash":           {"GET", "/authorizers/", ""},
		"tilde, star, parentheses": {"GET", "/things/~*()!'?q=~*()!'", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := sign(t, tt.method, tt.target, tt.body, noon, func(r *http.Request) {
				r.Header.Set("X-Amzn-Principal", "  a   b  ")
				r.Header.Add("X-Amz-Multi", "one")
				r.Header.Add("X-Amz-Multi", "two")
			})
			if enc, f := verify(r, secret, tt.body, noon); f != nil || enc != sigv4.Double {
				t.Fatalf("%s %s: encoding %q, failure %+v, want double", tt.method, tt.target, enc, f)
			}
			if _, f := verify(r, secret+"x", tt.body, noon); f == nil || f.Reason != sigv4.Mismatch || f.Canonical == "" {
				t.Errorf("wrong secret: %+v, want a mismatch with its canonical request", f)
			}
			if _, f := verify(r, secret, tt.body+" ", noon); f == nil || f.Reason != sigv4.Mismatch {
				t.Errorf("changed body: %+v, want a mismatch", f)
			}
			other := r
			other.RawQuery += "&z=1"
			if _, f := verify(other, secret, tt.body, noon); f == nil || f.Reason != sigv4.Mismatch {
				t.Errorf("added parameter: %+v, want a mismatch", f)
			}
			other = r
			other.Header = r.Header.Clone()
			other.Header.Set("X-Amzn-Principal", "else")
			if _, f := verify(other, secret, tt.body, noon); f == nil || f.Reason != sigv4.Mismatch {
				t.Errorf("changed header: %+v, want a mismatch", f)
			}
		})
	}
}

// TestVerifySingleEncoding accepts what curl's --aws-sigv4 signs.
func TestVerifySingleEncoding(t *testing.T) {
	for _, target := range []string{"/topics/a%2Fb", "/things/t/jobs/$next"} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "https://gatehouse.example:4610"+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		empty := sha256.Sum256(nil)
		if err := signer.SignHTTP(t.Context(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, r, hex.EncodeToString(empty[:]), "iot", "us-east-1", noon); err != nil {
			t.Fatal(err)
		}
		if enc, f := verify(received(r, target), secret, "", noon); f != nil || enc != sigv4.Single {
			t.Errorf("%s: encoding %q, failure %+v, want single", target, enc, f)
		}
	}
}

func TestVerifyPresigned(t *testing.T) {
	presign := func(token, expires string) sigv4.Request {
		q := url.Values{"x": {"1 2"}}
		if expires != "" {
			q.Set("X-Amz-Expires", expires)
		}
		r, err := http.NewRequestWithContext(t.Context(), "GET", "https://gatehouse.example/mqtt?"+q.Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		empty := sha256.Sum256(nil)
		uri, header, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret, SessionToken: token}, r, hex.EncodeToString(empty[:]), "iotdevicegateway", "us-east-1", noon)
		if err != nil {
			t.Fatal(err)
		}
		_, target, _ := strings.Cut(uri, "gatehouse.example")
		r.Header = header
		return received(r, target)
	}
	after := func(d time.Duration) time.Time { return noon.Add(d) }

	if _, f := verify(presign("", "60"), secret, "", after(59*time.Second)); f != nil {
		t.Errorf("within its time: %+v", f)
	}
	if _, f := verify(presign("", "60"), secret, "", after(61*time.Second)); f == nil || f.Reason != sigv4.Expired {
		t.Errorf("after its time: %+v, want expired", f)
	}
	if _, f := verify(presign("", "604800"), secret, "", after(6*24*time.Hour)); f != nil {
		t.Errorf("a week: %+v", f)
	}
	if _, f := verify(presign("", "604801"), secret, "", noon); f == nil || f.Reason != sigv4.Incomplete {
		t.Errorf("more than a week: %+v, want incomplete", f)
	}
	if _, f := verify(presign("token/+", "60"), secret, "", noon); f != nil {
		t.Errorf("token signed: %+v", f)
	}
	late := presign("", "60") // as AWS's device SDKs do: the token comes after the signature
	late.RawQuery += "&X-Amz-Security-Token=" + url.QueryEscape("token/+")
	if _, f := verify(late, secret, "", noon); f != nil {
		t.Errorf("token appended: %+v", f)
	}
}

func TestTime(t *testing.T) {
	for _, tt := range []struct {
		ahead  time.Duration // of the client's clock
		reason sigv4.Reason
		want   string
	}{
		{0, 0, ""},
		{5 * time.Minute, 0, ""},
		{-15 * time.Minute, 0, ""},
		{5*time.Minute + time.Second, sigv4.TooNew, "Signature not yet current: 20261121T120501Z is still later than 20261121T120500Z (20261121T120000Z + 5 min.)"},
		{-15*time.Minute - time.Second, sigv4.TooOld, "Signature expired: 20261121T114459Z is now earlier than 20261121T114500Z (20261121T120000Z - 15 min.)"},
	} {
		_, f := verify(sign(t, "GET", "/things", "", noon.Add(tt.ahead)), secret, "", noon)
		if tt.reason == 0 && f != nil || tt.reason != 0 && (f == nil || f.Reason != tt.reason || f.Message != tt.want) {
			t.Errorf("clock %v ahead: %+v, want %q", tt.ahead, f, tt.want)
		}
	}
}

func TestUnsignedPayload(t *testing.T) {
	r, err := http.NewRequestWithContext(t.Context(), "POST", "https://gatehouse.example/topics/a", bytes.NewReader([]byte("body")))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	if err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, r, "UNSIGNED-PAYLOAD", "iotdata", "us-east-1", noon); err != nil {
		t.Fatal(err)
	}
	req := received(r, "/topics/a")
	if _, f := verify(req, secret, "body", noon); f == nil || f.Reason != sigv4.Mismatch {
		t.Errorf("in clear text: %+v, want refused", f)
	}
	req.TLS = true
	if _, f := verify(req, secret, "body", noon); f != nil {
		t.Errorf("over TLS: %+v", f)
	}
}

func TestParseFailures(t *testing.T) {
	good := "AWS4-HMAC-SHA256 Credential=AKID/20261121/us-east-1/iot/aws4_request, SignedHeaders=host;x-amz-date, Signature=00"
	for name, tt := range map[string]struct {
		header, date, query string
		reason              sigv4.Reason
		message             string
	}{
		"unsigned":            {"", "", "", sigv4.Missing, "Missing Authentication Token"},
		"other query":         {"", "", "X-Amz-Foo=1", sigv4.Missing, "Missing Authentication Token"},
		"good":                {good, "20261121T120000Z", "", 0, ""},
		"good without spaces": {strings.ReplaceAll(good, ", ", ","), "20261121T120000Z", "", 0, ""},
		"bearer":              {"Bearer x", "20261121T120000Z", "", sigv4.Incomplete, "Authorization header requires the algorithm 'AWS4-HMAC-SHA256'."},
		"no signature":        {strings.TrimSuffix(good, ", Signature=00"), "20261121T120000Z", "", sigv4.Incomplete, "Authorization header requires 'Signature' parameter. Authorization=AWS4-HMAC-SHA256"},
		"no pair":             {good + ", junk", "20261121T120000Z", "", sigv4.Incomplete, "'junk' is not a key=value pair (missing equal-sign) in Authorization header."},
		"twice":               {good + ", Signature=01", "20261121T120000Z", "", sigv4.Incomplete, "Authorization header has the parameter 'Signature' twice."},
		"no date":             {good, "", "", sigv4.Incomplete, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256"},
		"bad date":            {good, "2026-11-21", "", sigv4.Incomplete, "Date must be in ISO-8601 'basic format'. Got '2026-11-21'. See http://en.wikipedia.org/wiki/ISO_8601"},
		"other day":           {good, "20261122T000000Z", "", sigv4.Mismatch, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261121' != '20261122', from '20261122T000000Z'."},
		"short scope":         {strings.Replace(good, "/aws4_request", "", 1), "20261121T120000Z", "", sigv4.Incomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/aws4_request, got 'AKID/20261121/us-east-1/iot'."},
		"host not signed":     {strings.Replace(good, "host;", "", 1), "20261121T120000Z", "", sigv4.Mismatch, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
		"long":                {good + strings.Repeat(",", 9000), "20261121T120000Z", "", sigv4.Incomplete, "The Authorization header is longer than 8192 bytes."},
		"presigned half":      {"", "", "X-Amz-Algorithm=AWS4-HMAC-SHA256", sigv4.Incomplete, "AWS query-string parameters must include 'X-Amz-Credential'. Re-examine the query-string parameters."},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			if tt.header != "" {
				h.Set("Authorization", tt.header)
			}
			if tt.date != "" {
				h.Set("X-Amz-Date", tt.date)
			}
			_, f := sigv4.Parse(sigv4.Request{Method: "GET", RawPath: "/", RawQuery: tt.query, Host: "h", Header: h})
			if tt.reason == 0 {
				if f != nil {
					t.Fatalf("refused: %+v", f)
				}
				return
			}
			if f == nil || f.Reason != tt.reason || f.Message != tt.message {
				t.Errorf("got %+v, want reason %d, %q", f, tt.reason, tt.message)
			}
		})
	}
}

// FuzzParse: whatever comes, Parse and Verify answer, and what parses has all
// parts that the rest of the server relies on.
func FuzzParse(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKID/20261121/us-east-1/iot/aws4_request, SignedHeaders=host;x-amz-date, Signature=00", "/a%2Fb/../$x", "b=2&a=1")
	f.Add("", "/mqtt", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20261121%2Fr%2Fs%2Faws4_request&X-Amz-Date=20261121T120000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=00&X-Amz-Expires=9")
	f.Fuzz(func(t *testing.T, auth, path, query string) {
		h := http.Header{"X-Amz-Date": {"20261121T120000Z"}}
		if auth != "" {
			h.Set("Authorization", auth)
		}
		s, failure := sigv4.Parse(sigv4.Request{Method: "GET", RawPath: path, RawQuery: query, Host: "h", Header: h})
		if failure != nil {
			if failure.Reason == 0 || failure.Message == "" {
				t.Fatalf("a refusal says nothing: %+v", failure)
			}
			return
		}
		if s.AccessKeyID == "" || s.Region == "" || s.Service == "" || s.Day != s.Time.Format("20060102") || len(s.SignedHeaders) == 0 {
			t.Fatalf("incomplete signature accepted: %+v", s)
		}
		var v sigv4.Verifier
		if _, failure := v.Verify(s, "secret", nil); failure == nil {
			t.Fatal("a made-up signature was accepted")
		}
	})
}
